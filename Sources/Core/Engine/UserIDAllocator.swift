/// Hands out blocks of user ids, so that no two sandboxes share one.
///
/// Process limits count for each user across all containers of a host.
struct UserIDAllocator {
    /// Ids of one sandbox: the zygote's and the tasks' pair, and one to spare.
    static let blockSize = 4
    /// Ids of a block that are handed out.
    private static let used = 3

    private let range: IDRange
    private var free: [Int]
    private var next = 0

    init(range: IDRange) {
        self.range = range
        free = []
    }

    /// Takes a block: zygote, then the tasks' pair.
    mutating func take() throws -> [Int] {
        let block: Int
        if (next + 1) * Self.blockSize <= range.count {
            block = next
            next += 1
        } else if let returned = free.first {
            free.removeFirst()
            block = returned
        } else {
            throw EngineError(
                .startFailed, "all \(range.count) user ids of sandbox.user_range are in use: enlarge the range")
        }
        let first = range.first + block * Self.blockSize
        return Array(first..<first + Self.used)
    }

    /// Takes the block of a sandbox that was found again.
    mutating func reserve(_ ids: [Int]) {
        guard let first = ids.first else { return }
        let block = (first - range.first) / Self.blockSize
        while next <= block {
            if next != block { free.append(next) }
            next += 1
        }
        free.removeAll { $0 == block }
    }

    /// Gives a block back.
    mutating func give(_ ids: [Int]) {
        guard let first = ids.first else { return }
        free.append((first - range.first) / Self.blockSize)
    }
}
