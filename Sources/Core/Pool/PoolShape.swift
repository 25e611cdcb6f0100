/// A declared class with every value filled in: the image, size and modules of its sandboxes.
package struct PoolShape: Sendable, Hashable {
    package let name: String
    package let image: String
    package let network: String
    package let cpus: Double
    package let memoryBytes: Int
    package let pids: Int
    package let tmpBytes: Int
    package let shmBytes: Int
    package let openFiles: Int
    package let preload: [String]
    package let slots: Int

    /// Fills in what the class leaves to the sandbox section.
    package init(_ declared: PoolClass, _ sandbox: Configuration.Sandbox) {
        name = declared.name
        image = declared.image ?? sandbox.image
        network = (declared.network ?? sandbox.network).rawValue
        cpus = declared.cpus ?? sandbox.cpus
        memoryBytes = declared.memoryBytes ?? sandbox.memoryBytes
        pids = declared.pids ?? sandbox.pids
        tmpBytes = declared.tmpBytes ?? sandbox.tmpBytes
        shmBytes = declared.shmBytes ?? sandbox.shmBytes
        openFiles = declared.openFiles ?? sandbox.openFiles
        preload = declared.preload
        slots = declared.policy.slots
    }

    /// Whether the class gives at least everything that a request names.
    func covers(_ asked: ResourceRequest) -> Bool {
        asked.gpus == nil && asked.cpus ?? 0 <= cpus && asked.memoryBytes ?? 0 <= memoryBytes
            && asked.pids ?? 0 <= pids && asked.tmpBytes ?? 0 <= tmpBytes && asked.shmBytes ?? 0 <= shmBytes
            && asked.openFiles ?? 0 <= openFiles
    }

    /// How far the class is from a size, 0 for the size itself; the sum of the relative differences.
    func distance(from size: ResourceRequest) -> Double {
        func off(_ value: Double, _ wanted: Double?) -> Double { wanted.map { abs(value - $0) / max($0, 1e-9) } ?? 0 }
        return off(cpus, size.cpus) + off(Double(memoryBytes), size.memoryBytes.map(Double.init))
            + off(Double(pids), size.pids.map(Double.init)) + off(Double(tmpBytes), size.tmpBytes.map(Double.init))
            + off(Double(shmBytes), size.shmBytes.map(Double.init))
            + off(Double(openFiles), size.openFiles.map(Double.init))
    }
}

extension Configuration {
    /// The declared class in which a request runs; nil when it keeps its own size.
    ///
    /// Values are rounded up: a request takes the nearest class of its image and network that gives at least what the
    /// request names. What it does not name is no reason to leave a class out, but classes that give at least the
    /// defaults go first. A request that asks for nothing but the defaults keeps them, unless a class has just that size.
    ///
    /// - Parameters:
    ///   - image: The request's image with the default filled in; empty for runtimes without images.
    ///   - network: The request's network with the default filled in.
    package func poolShape(for request: JobRequest, image: String, network: String) -> PoolShape? {
        guard !pools.classes.isEmpty else { return nil }
        var wanted = request.resources
        wanted.cpus = wanted.cpus ?? sandbox.cpus
        wanted.memoryBytes = wanted.memoryBytes ?? sandbox.memoryBytes
        wanted.pids = wanted.pids ?? sandbox.pids
        wanted.tmpBytes = wanted.tmpBytes ?? sandbox.tmpBytes
        wanted.shmBytes = wanted.shmBytes ?? sandbox.shmBytes
        wanted.openFiles = wanted.openFiles ?? sandbox.openFiles
        var best: (rank: Rank, shape: PoolShape)?
        for (place, declared) in pools.classes.enumerated() {
            let shape = PoolShape(declared, sandbox)
            let isOfImage = image.isEmpty ? declared.image == nil : shape.image == image
            guard isOfImage, shape.network == network, shape.covers(request.resources) else { continue }
            let rank = Rank(
                isBelowDefaults: !shape.covers(wanted),
                lacksPreload: !Set(request.preload).isSubset(of: shape.preload),
                distance: shape.distance(from: wanted), extraModules: shape.preload.count, place: place)
            if best.map({ rank < $0.rank }) ?? true { best = (rank, shape) }
        }
        guard let best else { return nil }
        // The default size is kept warm too: a request for just that size need not be moved to a larger one.
        let isDefaultKind = (image.isEmpty || image == sandbox.image) && network == sandbox.network.rawValue
        let defaults = PoolShape(PoolClass(policy: pools.defaults), sandbox)
        let isDefaultSize = defaults.distance(from: wanted) == 0 && wanted.gpus == nil
        let isDrawnByModules = !request.preload.isEmpty && !best.rank.lacksPreload
        guard isDefaultKind, isDefaultSize, best.rank.distance > 0, !isDrawnByModules else { return best.shape }
        return nil
    }

    /// In which order classes are preferred.
    private struct Rank: Comparable {
        let isBelowDefaults: Bool
        let lacksPreload: Bool
        let distance: Double
        let extraModules: Int
        let place: Int

        static func < (left: Rank, right: Rank) -> Bool {
            if left.isBelowDefaults != right.isBelowDefaults { return right.isBelowDefaults }
            if left.lacksPreload != right.lacksPreload { return right.lacksPreload }
            if left.distance != right.distance { return left.distance < right.distance }
            return (left.extraModules, left.place) < (right.extraModules, right.place)
        }
    }
}
