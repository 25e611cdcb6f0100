/// Hands out blocks of user ids, so that no two sandboxes share one.
///
/// Process limits count for each user across all containers of a host. A block goes into the first gap that is wide
/// enough, so that returned blocks are used again before new ids, and neighbours make room for a wider block together.
package struct UserIDAllocator {
    /// Blocks begin at multiples of this: the zygote's id, a pair of tasks, and one to spare.
    private static let unit = 4

    private let range: IDRange
    /// How many blocks lie in each unit of the range: one, or more where blocks of an earlier range do not begin at a
    /// multiple of this one.
    private var holders: [Int]

    package init(range: IDRange) {
        self.range = range
        holders = [Int](repeating: 0, count: max(0, range.count / Self.unit))
    }

    /// How many ids a sandbox of so many slots takes from the range.
    package static func size(ofSlots slots: Int) -> Int { units(of: ids(ofSlots: slots)) * unit }

    /// Takes a block: zygote, then a pair of tasks for each slot.
    package mutating func take(slots: Int = 1) throws -> [Int] {
        let used = Self.ids(ofSlots: slots)
        let units = Self.units(of: used)
        guard let start = gap(of: units) else {
            let free = holders.count { $0 == 0 } * Self.unit
            throw EngineError(
                .startFailed,
                "sandbox.user_range (\(range.count) ids) has no \(units * Self.unit) free ids in a row, \(free) in all: "
                    + "enlarge it, which needs a restart, or let fewer sandboxes live at once (pools, allocation)")
        }
        for unit in start..<start + units { holders[unit] += 1 }
        let first = range.first + start * Self.unit
        return Array(first..<first + used)
    }

    /// Takes the block of a sandbox that was found again; ids outside the range are nobody else's.
    package mutating func reserve(_ ids: [Int]) { for unit in units(of: ids) { holders[unit] += 1 } }

    /// Gives a block back.
    package mutating func give(_ ids: [Int]) {
        for unit in units(of: ids) where holders[unit] > 0 { holders[unit] -= 1 }
    }

    /// The units of the range in which a block lies, in whole or in part.
    private func units(of ids: [Int]) -> Range<Int> {
        guard let first = ids.first, let last = ids.last, last >= range.first else { return 0..<0 }
        let lower = max(0, first - range.first) / Self.unit
        let upper = (last - range.first) / Self.unit + 1
        return min(lower, holders.count)..<min(max(lower, upper), holders.count)
    }

    /// The first unit of the first gap that is wide enough.
    private func gap(of units: Int) -> Int? {
        var start = 0
        for (unit, count) in holders.enumerated() {
            if count > 0 {
                start = unit + 1
            } else if unit - start + 1 == units {
                return start
            }
        }
        return nil
    }

    private static func ids(ofSlots slots: Int) -> Int { 1 + 2 * slots }

    private static func units(of count: Int) -> Int { (count + unit - 1) / unit }
}
