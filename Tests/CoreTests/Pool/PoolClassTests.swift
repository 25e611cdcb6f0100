import SlipwayCore
import Testing

/// Classes that come with their first request: how many one tenant may have, and what they cost the others.
@Suite struct PoolClassTests {
    private static func size(_ number: Int) -> SandboxClass {
        var size = PoolBench.sandboxClass
        size.tmpBytes += 4096 * number
        return size
    }

    @Test func oneTenantMayUseOnlySoManySizes() throws {
        var bench = PoolBench(PoolBench.rules(startingMax: 1))
        bench.machine.undeclaredMax = 3
        var requests: [RequestID] = []
        for number in 0..<3 { requests.append(bench.ask("ann", of: Self.size(number))) }
        #expect(bench.machine.refusal(ofClass: Self.size(2), by: try #require(TenantID("ann"))) == nil)
        let refused = bench.ask("ann", of: Self.size(3))
        guard case .reject(refused, .limitExceeded, let message)? = bench.actions.first else {
            Issue.record("not refused: \(bench.actions)")
            return
        }
        #expect(message.contains("pools.undeclared_max") && message.contains("pools.classes"))
        #expect(bench.status != nil && bench.machine.status(now: 0).count == 3, "a refused size leaves nothing behind")
        func isRefused() -> Bool { bench.actions.contains { if case .reject = $0 { true } else { false } } }
        bench.ask("ann", of: Self.size(1))
        #expect(!isRefused(), "a size that is there is no new one")
        var declared = Self.size(4)
        declared.pool = "declared"
        bench.ask("ann", of: declared)
        #expect(!isRefused(), "declared classes do not count")
        bench.ask("bob", of: Self.size(5))
        #expect(!isRefused(), "another tenant's do not count")
        bench.send(.cancelRequest(requests[0]))
        bench.ask("ann", of: Self.size(6))
        #expect(!isRefused(), "a size that is not used any more does not count")
        #expect(bench.machine.audit() == nil)
    }

    @Test func sizesThatComeAndGoAreForgotten() throws {
        // Nothing starts before the machine is known, so nothing is left of a request that is cancelled.
        var bench = PoolBench(PoolBench.rules(), capacity: nil)
        bench.machine.undeclaredMax = 3
        for number in 0..<50 {
            let request = bench.ask("ann", of: Self.size(number))
            bench.send(.cancelRequest(request))
        }
        #expect(bench.machine.status(now: 0).count == 4)
        #expect(bench.machine.audit() == nil)
        bench.now = 700
        bench.send(.tick)
        #expect(bench.machine.status(now: 0).isEmpty && bench.machine.audit() == nil)
    }

    @Test func everythingThatAJobMayChooseTellsHashesApart() throws {
        let plain = PoolBench.sandboxClass
        let changes: [(inout SandboxClass) -> Void] = [
            { $0.imageID = "sha256:2" }, { $0.cpus += 0.001 }, { $0.memoryBytes += 1 }, { $0.pids += 1 },
            { $0.tmpBytes += 1 }, { $0.shmBytes += 1 }, { $0.openFiles += 1 }, { $0.network = "egress" },
            { $0.mounts = [.init(source: "/a", target: "/b", writable: false)] }, { $0.slots = 2 },
            { $0.gpus = GPUNeed(tenant: .default, count: 1) }, { $0.tenant = "ann" }, { $0.preload = ["numpy"] },
            { $0.pool = "a" },
        ]
        let all =
            [plain]
            + changes.map { change in
                var copy = plain
                change(&copy)
                return copy
            }
        #expect(Set(all.map(\.hashValue)).count == all.count)
    }
}
