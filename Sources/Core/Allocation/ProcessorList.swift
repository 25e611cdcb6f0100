/// Processors of a machine by their numbers.
package struct ProcessorList: Sendable, Hashable {
    /// Their numbers, each once, in ascending order.
    package let numbers: [Int]

    /// The largest number that is read: what a supervisor says is not taken at its word.
    private static let numberMax = 8_191

    /// Makes a list; order and repeats do not count.
    package init(_ numbers: some Sequence<Int>) { self.numbers = Set(numbers).sorted() }

    /// Reads the kernel's form of such a list, `0-3,8` (the List Format of cpuset(7)); nil for anything else.
    package init?(_ text: String) {
        var numbers: [Int] = []
        for span in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = span.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1],
                0 <= first, first <= last, last <= Self.numberMax
            else { return nil }
            numbers += first...last
            guard numbers.count <= Self.numberMax + 1 else { return nil }
        }
        self.init(numbers)
    }

    /// The kernel's form, without ranges.
    package var text: String { numbers.map(String.init).joined(separator: ",") }

    /// Picks as many processors as are wanted, first those that the fewest others are kept to.
    ///
    /// Among equals those with large numbers: a machine's own work prefers the small ones.
    ///
    /// - Returns: nil where the list has no more than that.
    package func leastTaken(_ count: Int, beside others: [ProcessorList]) -> ProcessorList? {
        guard count < numbers.count else { return nil }
        var taken: [Int: Int] = [:]
        for other in others { for number in other.numbers { taken[number, default: 0] += 1 } }
        let order = numbers.sorted { (taken[$0, default: 0], -$0) < (taken[$1, default: 0], -$1) }
        return ProcessorList(order.prefix(max(1, count)))
    }

    /// Picks as many processors as a place has, where fewer others are kept to them; nil where the place is as good.
    package func lessTaken(than place: ProcessorList, beside others: [ProcessorList]) -> ProcessorList? {
        guard let best = leastTaken(place.numbers.count, beside: others) else { return nil }
        return best.shared(with: others) < place.shared(with: others) ? best : nil
    }

    /// How often other lists name a processor of this one.
    private func shared(with others: [ProcessorList]) -> Int {
        let own = Set(numbers)
        return others.reduce(0) { $0 + $1.numbers.count { own.contains($0) } }
    }
}
