/// A binary heap with its least element first.
struct WaitQueueHeap<Element: Comparable & Sendable>: Sendable {
    private(set) var items: [Element] = []

    var count: Int { items.count }
    var first: Element? { items.first }

    init() {}

    /// Makes a heap in linear time.
    init(_ elements: [Element]) {
        items = elements
        for place in stride(from: items.count / 2 - 1, through: 0, by: -1) { sink(place) }
    }

    mutating func insert(_ element: Element) {
        items.append(element)
        var place = items.count - 1
        while place > 0 {
            let parent = (place - 1) / 2
            guard items[place] < items[parent] else { return }
            items.swapAt(place, parent)
            place = parent
        }
    }

    mutating func removeFirst() {
        guard items.count > 1 else { return items.removeAll(keepingCapacity: true) }
        items.swapAt(0, items.count - 1)
        items.removeLast()
        sink(0)
    }

    private mutating func sink(_ start: Int) {
        var place = start
        while true {
            var least = place
            let left = 2 * place + 1
            if left < items.count, items[left] < items[least] { least = left }
            if left + 1 < items.count, items[left + 1] < items[least] { least = left + 1 }
            guard least != place else { return }
            items.swapAt(place, least)
            place = least
        }
    }
}
