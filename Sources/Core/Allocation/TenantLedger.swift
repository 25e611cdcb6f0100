/// Books what the jobs of each tenant take, and lets no tenant have more than its limits.
///
/// A pure value. A job is charged from the moment it asks for a sandbox until it has ended or goes back to wait for a
/// retry. Jobs that do not fit wait here, those of higher priority first, then the earlier ones; none passes another of
/// its tenant whose priority is as high, or a large job would never have its turn. Tenants without limits cost nothing.
/// What an earlier run of the engine left running is charged whatever the limits are by now, and the others wait for as
/// much longer.
package struct TenantLedger: Sendable {
    /// What the admitted jobs of a tenant take together.
    package struct Use: Sendable, Equatable {
        /// Jobs.
        package var jobs = 0
        /// Thousandths of cores.
        package var milliCPUs = 0
        /// Bytes of memory.
        package var memoryBytes = 0
        /// Graphics processors.
        package var gpus = 0

        /// Nothing.
        package init() {}

        fileprivate mutating func add(_ demand: ResourceDemand, _ sign: Int) {
            jobs += sign
            milliCPUs += sign * demand.milliCPUs
            memoryBytes += sign * demand.memoryBytes
            gpus += sign * (demand.gpus?.count ?? 0)
        }
    }

    private struct Place: Comparable, Sendable {
        let priority: Int
        let sequence: UInt64
        let id: JobID

        static func < (left: Place, right: Place) -> Bool {
            left.priority != right.priority ? left.priority > right.priority : left.sequence < right.sequence
        }
    }

    private struct Line: Sendable {
        var limits: TenantLimits
        var use = Use()
        var heap = WaitQueueHeap<Place>()
        var waiting: [JobID: ResourceDemand] = [:]

        /// The place of the job whose turn is next, those of jobs that left before their turn dropped; nil without one.
        mutating func first() -> Place? {
            while let first = heap.first {
                if waiting[first.id] != nil { return first }
                heap.removeFirst()
            }
            return nil
        }

        /// Drops the places of jobs that left before their turn, once they are the majority.
        mutating func compact() {
            guard heap.count > 2 * waiting.count + 64 else { return }
            heap = WaitQueueHeap(heap.items.filter { waiting[$0.id] != nil })
        }
    }

    private let limits: @Sendable (TenantID) -> TenantLimits
    private var lines: [TenantID: Line] = [:]
    private var admitted: [JobID: (tenant: TenantID, demand: ResourceDemand)] = [:]
    private var sequence: UInt64 = 0

    /// Makes a ledger without jobs.
    ///
    /// - Parameter limits: The limits of a tenant, asked when it comes up.
    package init(limits: @escaping @Sendable (TenantID) -> TenantLimits) { self.limits = limits }

    /// Whether no job is charged and none waits.
    package var isEmpty: Bool { lines.isEmpty && admitted.isEmpty }

    /// What the admitted jobs of a tenant take, as far as it is counted.
    package func use(of tenant: TenantID) -> Use { lines[tenant]?.use ?? Use() }

    /// How many jobs of a tenant wait here.
    package func waiting(of tenant: TenantID) -> Int { lines[tenant]?.waiting.count ?? 0 }

    /// How many places a tenant's line holds, those of jobs that left before their turn included; for tests.
    package func places(of tenant: TenantID) -> Int { lines[tenant]?.heap.count ?? 0 }

    /// Charges a job, or puts it into its tenant's line.
    ///
    /// - Returns: Whether it may ask for its sandbox now.
    package mutating func admit(_ id: JobID, of tenant: TenantID, _ demand: ResourceDemand, priority: Int) -> Bool {
        if admitted[id] != nil { return true }
        let own = lines[tenant]?.limits ?? limits(tenant)
        guard !own.isNone else { return true }
        // Taken out while it changes, so that nothing of it is copied.
        var line = lines.removeValue(forKey: tenant) ?? Line(limits: own)
        defer { lines[tenant] = line }
        guard line.waiting[id] == nil else { return false }
        let isNext = line.first().map { $0.priority < priority } ?? true
        if isNext, Self.fits(demand, line.use, own) {
            line.use.add(demand, 1)
            admitted[id] = (tenant, demand)
            return true
        }
        sequence += 1
        line.heap.insert(Place(priority: priority, sequence: sequence, id: id))
        line.waiting[id] = demand
        return false
    }

    /// Charges a job that has its sandbox already, however little its tenant may have.
    ///
    /// `leave` gives back what it takes, as for any other job.
    package mutating func charge(_ id: JobID, of tenant: TenantID, _ demand: ResourceDemand) {
        let own = lines[tenant]?.limits ?? limits(tenant)
        guard admitted[id] == nil, !own.isNone else { return }
        var line = lines.removeValue(forKey: tenant) ?? Line(limits: own)
        line.use.add(demand, 1)
        lines[tenant] = line
        admitted[id] = (tenant, demand)
    }

    /// Takes a job off the books, whether it was charged or waits.
    ///
    /// - Returns: The jobs that are admitted by that, in their order.
    package mutating func leave(_ id: JobID, of tenant: TenantID) -> [JobID] {
        guard var line = lines.removeValue(forKey: tenant) else { return [] }
        defer { if line.use.jobs > 0 || !line.waiting.isEmpty { lines[tenant] = line } }
        if let charge = admitted.removeValue(forKey: id) {
            line.use.add(charge.demand, -1)
        } else if line.waiting.removeValue(forKey: id) == nil {
            return []
        }
        var next: [JobID] = []
        while let first = line.first(), let demand = line.waiting[first.id] {
            guard Self.fits(demand, line.use, line.limits) else { break }
            line.heap.removeFirst()
            line.waiting[first.id] = nil
            line.use.add(demand, 1)
            admitted[first.id] = (tenant, demand)
            next.append(first.id)
        }
        line.compact()
        return next
    }

    /// Why a tenant can never have this, however little else it runs; by the names that jobs use.
    package func refusals(
        of demand: ResourceDemand, tenant: TenantID
    ) -> [(resource: String, detail: String)] {
        let own = limits(tenant)
        guard !own.isNone else { return [] }
        var found: [(resource: String, detail: String)] = []
        if let most = own.cpus, demand.milliCPUs > ResourceDemand.milli(most) {
            found.append(
                ("cpus", "the tenant may have at most \(Capacity.cores(ResourceDemand.milli(most))) processors"))
        }
        if let most = own.memoryBytes, demand.memoryBytes > most {
            found.append(("memory", "the tenant may have at most \(most) bytes of memory"))
        }
        if let most = own.gpus, let count = demand.gpus?.count, count > most {
            found.append(("gpus", most == 0 ? "the tenant may use no GPU" : "the tenant may have at most \(most) GPUs"))
        }
        return found
    }

    private static func fits(_ demand: ResourceDemand, _ use: Use, _ limits: TenantLimits) -> Bool {
        use.jobs < limits.running ?? .max
            && use.milliCPUs + demand.milliCPUs <= limits.cpus.map(ResourceDemand.milli) ?? .max
            && use.memoryBytes + demand.memoryBytes <= limits.memoryBytes ?? .max
            && use.gpus + (demand.gpus?.count ?? 0) <= limits.gpus ?? .max
    }
}
