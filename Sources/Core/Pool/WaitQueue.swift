/// Who waits for a sandbox of one class, in which order, and how many sandboxes each tenant holds.
///
/// Among tenants the one that holds the fewest for its weight goes next, then the one that was served longest ago.
/// Within a tenant higher priorities go first, then lower turns, then earlier requests.
struct WaitQueue: Sendable {
    /// A tenant's place among the tenants; outdated when the tenant's version is another.
    private struct Turn: Comparable, Sendable {
        let load: Double
        let turn: UInt64
        let version: UInt64
        let tenant: TenantID

        static func < (left: Turn, right: Turn) -> Bool {
            left.load != right.load ? left.load < right.load : left.turn < right.turn
        }
    }

    private static let weightMax = 1_000_000

    private var requests: [RequestID: WaitingRequest] = [:]
    private var lines: [TenantID: WaitQueueLine] = [:]
    private var order = WaitQueueHeap<Turn>()
    private var totalWeight = 0
    private var clock: UInt64 = 0

    /// How many requests wait.
    var count: Int { requests.count }

    /// All waiting requests, earliest first.
    var all: [WaitingRequest] { requests.values.sorted { $0.sequence < $1.sequence } }

    /// The weights of all tenants that wait or hold something.
    var weights: [TenantID: Int] { lines.mapValues(\.weight) }

    func waiting(_ tenant: TenantID) -> Int { lines[tenant]?.waiting ?? 0 }

    func waiting(_ specialisation: Specialisation) -> Int {
        lines[specialisation.tenant]?.waiting(specialisation) ?? 0
    }

    /// Sandboxes of so many slots that the requests need beyond the slots that come by themselves.
    func sandboxesWanted(slots: Int, coming: [Specialisation: Int]) -> Int {
        lines.values.reduce(0) { $0 + $1.sandboxesWanted(slots: slots, coming: coming) }
    }

    func held(by tenant: TenantID) -> Int { lines[tenant]?.held ?? 0 }

    /// Since when the tenant has waited without being served.
    func needySince(_ tenant: TenantID) -> Double? { lines[tenant]?.needySince }

    /// How many of `max` sandboxes the tenant may hold while others wait; at least 1.
    func share(of tenant: TenantID, max: Int) -> Int {
        guard let line = lines[tenant], totalWeight > 0 else { return Swift.max(1, max) }
        return Swift.max(1, max * line.weight / totalWeight)
    }

    /// The tenant whose turn it is.
    mutating func nextTenant() -> TenantID? {
        while let top = order.first {
            if lines[top.tenant]?.version == top.version { return top.tenant }
            order.removeFirst()
        }
        return nil
    }

    /// The waiting tenant whose turn comes first, by whether it is the busiest and when it had its last turn.
    ///
    /// Among equals it is the one that was served longest ago here.
    func next(
        by turn: (TenantID) -> (isBusiest: Bool, lastTurn: UInt64)
    ) -> (tenant: TenantID, isBusiest: Bool, lastTurn: UInt64)? {
        var best: (tenant: TenantID, isBusiest: Bool, lastTurn: UInt64, served: UInt64)?
        for (tenant, line) in lines where line.waiting > 0 {
            let (isBusiest, lastTurn) = turn(tenant)
            if let best {
                let isLater = (best.lastTurn, best.served) < (lastTurn, line.turn)
                if best.isBusiest == isBusiest ? isLater : isBusiest { continue }
            }
            best = (tenant, isBusiest, lastTurn, line.turn)
        }
        return best.map { ($0.tenant, $0.isBusiest, $0.lastTurn) }
    }

    mutating func add(_ request: WaitingRequest, now: Double) {
        open(request.tenant, weight: request.weight, now: now)
        requests[request.id] = request
        lines[request.tenant]?.insert(request, now: now)
        reorder(request.tenant)
    }

    /// Takes a request out that will not be served; nil when it does not wait.
    mutating func remove(_ id: RequestID) -> WaitingRequest? {
        guard let request = requests.removeValue(forKey: id) else { return nil }
        lines[request.tenant]?.forget(request.specialisation, live: requests)
        reorder(request.tenant)
        return request
    }

    /// Takes the tenant's next request; the tenant holds one sandbox more from then on.
    mutating func takeHead(of tenant: TenantID, now: Double) -> WaitingRequest? {
        guard let id = lines[tenant]?.head(live: requests) else { return nil }
        return take(id, passingOver: false, now: now)
    }

    /// Takes the tenant's next request with exactly this specialisation, as `takeHead`.
    mutating func takeMatch(_ specialisation: Specialisation, now: Double) -> WaitingRequest? {
        guard let id = lines[specialisation.tenant]?.match(specialisation, live: requests) else { return nil }
        let isHead = lines[specialisation.tenant]?.head(live: requests) == id
        return take(id, passingOver: !isHead, now: now)
    }

    /// Counts one more sandbox as held by the tenant.
    mutating func hold(_ tenant: TenantID, weight: Int, now: Double) {
        open(tenant, weight: weight, now: now)
        lines[tenant]?.held += 1
        serve(tenant, now: now)
    }

    /// Counts one sandbox less as held by the tenant.
    mutating func release(_ tenant: TenantID) {
        lines[tenant]?.held -= 1
        reorder(tenant)
    }

    /// What does not agree with the sandboxes that the tenants hold; nil when all does.
    func audit(held: [TenantID: Int]) -> String? {
        let waiting = Dictionary(grouping: requests.values, by: \.tenant).mapValues(\.count)
        guard Set(lines.keys) == Set(held.keys).union(waiting.keys) else { return "a tenant is missing or left over" }
        for (tenant, line) in lines {
            guard line.held == held[tenant, default: 0] else { return "\(tenant) holds \(line.held) by mistake" }
            guard line.waiting == waiting[tenant, default: 0] else { return "\(tenant)'s requests are miscounted" }
        }
        guard totalWeight == lines.values.reduce(0, { $0 + $1.weight }) else { return "the weights do not add up" }
        return nil
    }

    private mutating func take(_ id: RequestID, passingOver: Bool, now: Double) -> WaitingRequest? {
        guard let request = requests.removeValue(forKey: id) else { return nil }
        lines[request.tenant]?.forget(request.specialisation, live: requests)
        lines[request.tenant]?.served(passingOver: passingOver)
        lines[request.tenant]?.held += 1
        serve(request.tenant, now: now)
        return request
    }

    private mutating func serve(_ tenant: TenantID, now: Double) {
        clock += 1
        lines[tenant]?.turn = clock
        lines[tenant]?.needySince = now
        reorder(tenant)
    }

    private mutating func open(_ tenant: TenantID, weight: Int, now: Double) {
        let weight = min(max(1, weight), Self.weightMax)
        if let old = lines[tenant]?.weight {
            totalWeight += weight - old
            lines[tenant]?.weight = weight
        } else {
            clock += 1
            totalWeight += weight
            lines[tenant] = WaitQueueLine(weight: weight, turn: clock, now: now)
        }
    }

    /// Gives the tenant its new place, or forgets it when it neither waits nor holds.
    private mutating func reorder(_ tenant: TenantID) {
        guard let held = lines[tenant]?.held, let waiting = lines[tenant]?.waiting else { return }
        guard held > 0 || waiting > 0 else {
            totalWeight -= lines[tenant]?.weight ?? 0
            lines[tenant] = nil
            return
        }
        clock += 1
        lines[tenant]?.version = clock
        guard waiting > 0, let turn = turn(of: tenant) else { return }
        order.insert(turn)
        if order.count > 4 * lines.count + 64 {
            order = WaitQueueHeap(lines.filter { $0.value.waiting > 0 }.compactMap { self.turn(of: $0.key) })
        }
    }

    private func turn(of tenant: TenantID) -> Turn? {
        guard let line = lines[tenant] else { return nil }
        return Turn(
            load: Double(line.held) / Double(line.weight), turn: line.turn, version: line.version, tenant: tenant)
    }
}
