/// Hands out blocks of user ids, so that no two sandboxes share one.
///
/// Process limits count for each user across all containers of a host.
package struct UserIDAllocator {
    /// Blocks begin at multiples of this: the zygote's id, a pair of tasks, and one to spare.
    static let unit = 4

    private let range: IDRange
    /// Blocks that were given back, by their number of units.
    private var free: [Int: [Int]] = [:]
    /// The first unit that was never handed out.
    private var next = 0

    package init(range: IDRange) {
        self.range = range
    }

    /// Takes a block: zygote, then a pair of tasks for each slot.
    package mutating func take(slots: Int = 1) throws -> [Int] {
        let used = 1 + 2 * slots
        let units = Self.units(of: used)
        let start: Int
        if (next + units) * Self.unit <= range.count {
            start = next
            next += units
        } else if let returned = free[units]?.first {
            free[units]?.removeFirst()
            start = returned
        } else {
            throw EngineError(
                .startFailed, "all \(range.count) user ids of sandbox.user_range are in use: enlarge the range")
        }
        let first = range.first + start * Self.unit
        return Array(first..<first + used)
    }

    /// Takes the block of a sandbox that was found again.
    package mutating func reserve(_ ids: [Int]) {
        guard let start = start(of: ids) else { return }
        let units = Self.units(of: ids.count)
        while next < start {
            free[1, default: []].append(next)
            next += 1
        }
        next = max(next, start + units)
        for unit in start..<start + units { free[1]?.removeAll { $0 == unit } }
    }

    /// Gives a block back.
    package mutating func give(_ ids: [Int]) {
        guard let start = start(of: ids) else { return }
        free[Self.units(of: ids.count), default: []].append(start)
    }

    private func start(of ids: [Int]) -> Int? { ids.first.map { ($0 - range.first) / Self.unit } }

    private static func units(of count: Int) -> Int { (count + unit - 1) / unit }
}
