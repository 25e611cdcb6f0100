// Classes that nobody declared: they come with the first request for them, and one tenant has only so many.
extension PoolMachine {
    /// Why a tenant may not have one more class; nil where it may, or where the class is there already.
    ///
    /// - Parameter others: How many more new classes the tenant is about to have.
    package func refusal(
        ofClass sandboxClass: SandboxClass, by tenant: TenantID, beside others: Int = 0
    ) -> String? {
        guard sandboxClass.pool == nil, slot(called: sandboxClass) == nil else { return nil }
        let used = made[tenant, default: []].count { pools[$0].isUsed(by: tenant) }
        guard used + others >= undeclaredMax else { return nil }
        return
            "No more than \(undeclaredMax) kinds of sandboxes that no class of pools.classes covers may be in use by one "
            + "tenant at a time (pools.undeclared_max): give jobs the same image, resources, network and mounts, wait "
            + "until some of the others have ended, or have the operator declare a class in pools.classes."
    }

    /// Makes a class for a tenant's request, and forgets what the tenant has long stopped using.
    mutating func makeClass(_ sandboxClass: SandboxClass, for tenant: TenantID) -> Int {
        let slot = slot(of: sandboxClass)
        pools[slot].maker = tenant
        let unused = made[tenant, default: []].filter { !line.contains($0) && pools[$0].isUnused }
        for slot in unused.prefix(max(0, unused.count - undeclaredMax)) {
            pools[slot].isRetired = true
            forget(slot)
        }
        made[tenant, default: []].append(slot)
        return slot
    }

    /// Notes that a class is gone that a tenant's request had made.
    mutating func unmake(_ slot: Int) {
        guard let tenant = pools[slot].maker else { return }
        made[tenant]?.removeAll { $0 == slot }
        if made[tenant]?.isEmpty == true { made[tenant] = nil }
    }

    /// What does not add up about the classes that tenants made; nil when all does.
    func auditClasses() -> String? {
        var actual: [TenantID: Set<Int>] = [:]
        for pool in pools where !pool.isRetired {
            if let maker = pool.maker { actual[maker, default: []].insert(pool.slot) }
        }
        guard actual == made.mapValues({ Set($0) }) else { return "the classes of the tenants are miscounted" }
        return nil
    }
}

extension ClassPool {
    /// Whether the tenant waits for a sandbox of the class or has one, and nobody declared the class.
    func isUsed(by tenant: TenantID) -> Bool {
        !isDeclared && sandboxClass.pool == nil && (waiting.waiting(tenant) > 0 || waiting.held(by: tenant) > 0)
    }

    /// Whether nothing is left of the class but what it counted.
    var isUnused: Bool { !isRetired && !isDeclared && total == 0 && waiting.count == 0 }
}
