import SlipwayCore
import TestSupport
import Testing

/// Jobs that run already when the ledger hears of them.
@Suite struct TenantLedgerChargeTests {
    private let ann = TenantIDs.ann
    private let bob = TenantIDs.bob
    private let demand = ResourceDemand(cpus: 1, memoryBytes: 1 << 20, gpus: nil)

    private func ledger() -> TenantLedger {
        var limits = TenantLimits()
        limits.running = 1
        return TenantLedger { [limits, ann] in $0 == ann ? limits : TenantLimits() }
    }

    @Test func whatRunsAlreadyCountsAgainstTheLimits() {
        var ledger = ledger()
        let (running, next) = (JobID(), JobID())
        ledger.charge(running, of: ann, demand)
        #expect(ledger.use(of: ann).jobs == 1 && ledger.use(of: ann).milliCPUs == 1000)
        #expect(ledger.admit(next, of: ann, demand, priority: 0) == false)
        #expect(ledger.leave(running, of: ann) == [next])
        #expect(ledger.leave(next, of: ann) == [])
        #expect(ledger.isEmpty)
    }

    @Test func moreThanTheLimitsIsTakenOverAndThenMadeGood() {
        var ledger = ledger()
        let running = (0..<3).map { _ in JobID() }
        for id in running { ledger.charge(id, of: ann, demand) }
        #expect(ledger.use(of: ann).jobs == 3)
        let next = JobID()
        #expect(ledger.admit(next, of: ann, demand, priority: 0) == false)
        #expect(ledger.leave(running[0], of: ann) == [] && ledger.leave(running[1], of: ann) == [])
        #expect(ledger.leave(running[2], of: ann) == [next])
        #expect(ledger.leave(next, of: ann) == [] && ledger.isEmpty)
    }

    @Test func aJobIsChargedAndGivenBackOnce() {
        var ledger = ledger()
        let (running, other) = (JobID(), JobID())
        ledger.charge(running, of: ann, demand)
        ledger.charge(running, of: ann, demand)
        #expect(ledger.admit(running, of: ann, demand, priority: 0) == true, "a retry of it asks again")
        #expect(ledger.use(of: ann).jobs == 1)
        ledger.charge(other, of: ann, demand)
        #expect(ledger.leave(running, of: ann) == [] && ledger.leave(running, of: ann) == [])
        #expect(ledger.use(of: ann).jobs == 1)
        #expect(ledger.leave(other, of: ann) == [] && ledger.isEmpty)
    }

    @Test func tenantsWithoutLimitsAreNotCounted() {
        var ledger = ledger()
        ledger.charge(JobID(), of: bob, demand)
        #expect(ledger.isEmpty)
    }
}
