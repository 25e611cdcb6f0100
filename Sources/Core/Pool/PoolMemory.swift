/// What classes that are forgotten had counted, so that the sums of counters over all classes never go down.
struct PoolMemory: Sendable {
    /// The most kinds of classes whose counts are kept while there is no class of the kind.
    static let kindsMax = 256

    /// What classes are counted together by.
    struct Kind: Hashable, Sendable {
        let name: String?
        let runtime: String
        let image: String

        init(_ status: PoolStatus) {
            name = status.name
            runtime = status.runtime
            image = status.image
        }
    }

    private var sums: [Kind: PoolStatus] = [:]
    /// Their kinds, in the order in which they came.
    private var order: [Kind] = []

    /// The sums, each with counts alone.
    var all: [PoolStatus] { order.compactMap { sums[$0] } }

    /// Adds what a class counted that is being forgotten.
    ///
    /// - Parameter isThere: Whether there is another class of a kind; what belongs to such a one is never dropped.
    mutating func add(_ status: PoolStatus, isThere: (Kind) -> Bool) {
        let kind = Kind(status)
        if sums[kind] == nil { order.append(kind) }
        var sum =
            sums[kind]
            ?? PoolStatus(
                name: status.name, runtime: status.runtime, image: status.image, network: status.network, cpus: 0,
                memoryBytes: 0, slots: status.slots, starting: 0, destroying: 0, waiting: 0, max: 0, minIdle: 0)
        sum.hits.merge(status.hits)
        sum.waits.merge(status.waits)
        sum.destroyed.merge(status.destroyed, uniquingKeysWith: +)
        sums[kind] = sum
        guard order.count > Self.kindsMax, let place = order.firstIndex(where: { !isThere($0) }) else { return }
        sums[order.remove(at: place)] = nil
    }
}

extension PoolMachine {
    /// A snapshot of each class, and after them what classes that are forgotten had counted: for sums that only grow.
    package func statusForSums(now: Double) -> [PoolStatus] { status(now: now) + memory.all }

    /// Forgets a class that nobody uses, except for what it counted.
    mutating func remember(_ slot: Int) {
        let pools = pools
        memory.add(pools[slot].status(for: nil, now: shared.now, shared.ledger)) { kind in
            pools.contains { pool in
                !pool.isRetired && pool.sandboxClass.pool == kind.name && pool.sandboxClass.image == kind.image
                    && pool.sandboxClass.runtime == kind.runtime
            }
        }
    }
}
