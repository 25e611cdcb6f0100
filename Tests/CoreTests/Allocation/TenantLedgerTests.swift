import SlipwayCore
import TestSupport
import Testing

@Suite struct TenantLedgerTests {
    private let ann = TenantIDs.ann
    private let bob = TenantIDs.bob

    private func ledger(_ change: (inout TenantLimits) -> Void) -> TenantLedger {
        var limits = TenantLimits()
        change(&limits)
        return TenantLedger { [limits, ann] in $0 == ann ? limits : TenantLimits() }
    }

    private func demand(_ cpus: Double = 1, _ memory: Int = 1 << 20, gpus: Int = 0) -> ResourceDemand {
        ResourceDemand(
            cpus: cpus, memoryBytes: memory, gpus: gpus > 0 ? GPUNeed(tenant: ann, count: gpus) : nil)
    }

    @Test func tenantsWithoutLimitsAreNotCounted() {
        var ledger = ledger { $0.running = 1 }
        for _ in 0..<10 { #expect(ledger.admit(JobID(), of: bob, demand(), priority: 0) == true) }
        #expect(ledger.isEmpty)
    }

    @Test func furtherJobsWaitAndGoOnInOrder() {
        var ledger = ledger { $0.running = 1 }
        let jobs = (0..<4).map { _ in JobID() }
        #expect(ledger.admit(jobs[0], of: ann, demand(), priority: 0) == true)
        #expect(ledger.admit(jobs[0], of: ann, demand(), priority: 0) == true, "asking again changes nothing")
        #expect(ledger.admit(jobs[1], of: ann, demand(), priority: 0) == false)
        #expect(ledger.admit(jobs[2], of: ann, demand(), priority: 0) == false)
        #expect(ledger.admit(jobs[3], of: ann, demand(), priority: 5) == false)
        #expect(ledger.waiting(of: ann) == 3 && ledger.use(of: ann).jobs == 1)
        #expect(ledger.leave(jobs[1], of: ann) == [], "one that waits may go")
        #expect(ledger.leave(jobs[0], of: ann) == [jobs[3]], "higher priority first")
        #expect(ledger.leave(jobs[3], of: ann) == [jobs[2]])
        #expect(ledger.leave(jobs[2], of: ann) == [])
        #expect(ledger.isEmpty)
    }

    @Test func aJobOfHigherPriorityThatFitsPassesALargeOne() {
        var ledger = ledger { $0.memoryBytes = 512 }
        let (running, large) = (JobID(), JobID())
        #expect(ledger.admit(running, of: ann, demand(1, 256), priority: 0) == true)
        #expect(ledger.admit(large, of: ann, demand(1, 512), priority: 0) == false)
        #expect(ledger.admit(JobID(), of: ann, demand(1, 64), priority: 5) == true)
        #expect(ledger.admit(JobID(), of: ann, demand(1, 64), priority: 0) == false, "as the large one, and later")
        #expect(ledger.leave(large, of: ann).count == 1, "the large one waits no longer")
    }

    @Test func jobsThatLeaveTheLineLeaveNothingInIt() {
        var ledger = ledger { $0.running = 1 }
        let (running, first) = (JobID(), JobID())
        #expect(ledger.admit(running, of: ann, demand(), priority: 0) == true)
        #expect(ledger.admit(first, of: ann, demand(), priority: 1) == false)
        for _ in 0..<1000 {
            let job = JobID()
            #expect(ledger.admit(job, of: ann, demand(), priority: 0) == false)
            #expect(ledger.leave(job, of: ann) == [])
        }
        #expect(ledger.places(of: ann) < 100)
        #expect(ledger.leave(running, of: ann) == [first] && ledger.leave(first, of: ann) == [])
        #expect(ledger.isEmpty)
    }

    @Test func eachResourceIsAddedUp() {
        var ledger = ledger {
            $0.cpus = 2
            $0.memoryBytes = 8 << 20
            $0.gpus = 1
        }
        let jobs = (0..<5).map { _ in JobID() }
        #expect(ledger.admit(jobs[0], of: ann, demand(1.5, 6 << 20, gpus: 1), priority: 0) == true)
        #expect(ledger.admit(jobs[1], of: ann, demand(0.6), priority: 0) == false, "processors")
        #expect(ledger.leave(jobs[1], of: ann) == [])
        #expect(ledger.admit(jobs[2], of: ann, demand(0.1, 3 << 20), priority: 0) == false, "memory")
        #expect(ledger.admit(jobs[3], of: ann, demand(0.1, 1), priority: 0) == false, "none passes another")
        #expect(ledger.leave(jobs[2], of: ann) == [jobs[3]])
        #expect(ledger.admit(jobs[4], of: ann, demand(0.1, 1, gpus: 1), priority: 0) == false, "devices")
        #expect(ledger.leave(jobs[0], of: ann) == [jobs[4]])
    }

    @Test func whatATenantMayNeverHaveIsRefused() {
        let ledger = ledger {
            $0.cpus = 2
            $0.memoryBytes = 1 << 30
            $0.gpus = 0
        }
        let refused = ledger.refusals(of: demand(2.5, 2 << 30, gpus: 1), tenant: ann)
        #expect(refused.map(\.resource) == ["cpus", "memory", "gpus"])
        #expect(refused.last?.detail == "the tenant may use no GPU")
        #expect(ledger.refusals(of: demand(2, 1 << 30), tenant: ann).isEmpty)
        #expect(ledger.refusals(of: demand(200, 2 << 40, gpus: 9), tenant: bob).isEmpty)
    }

    /// Random comings and goings, against sums made anew after each step.
    @Test func noTenantEverHasMoreThanItsLimits() {
        for seed in 1...UInt64(200) {
            var random = SimulationRandom(seed: seed)
            let most = (cpus: 2 + random.below(4), memory: (2 + random.below(6)) << 20, running: 1 + random.below(5))
            var ledger = ledger {
                $0.cpus = Double(most.cpus)
                $0.memoryBytes = most.memory
                $0.running = most.running
            }
            var admitted: [JobID: ResourceDemand] = [:]
            var waiting: [JobID: ResourceDemand] = [:]
            for _ in 0..<200 {
                if random.chance(55) {
                    let (id, wanted) = (JobID(), demand(Double(1 + random.below(4)) / 2, (1 + random.below(2)) << 20))
                    let isIn = ledger.admit(id, of: ann, wanted, priority: random.below(3))
                    if isIn { admitted[id] = wanted } else { waiting[id] = wanted }
                } else if let id = (Array(admitted.keys) + waiting.keys).randomElement(using: &random) {
                    admitted[id] = nil
                    waiting[id] = nil
                    for next in ledger.leave(id, of: ann) { admitted[next] = waiting.removeValue(forKey: next) }
                }
                let cpus = admitted.values.reduce(0) { $0 + $1.milliCPUs }
                let memory = admitted.values.reduce(0) { $0 + $1.memoryBytes }
                #expect(cpus <= most.cpus * 1000 && memory <= most.memory && admitted.count <= most.running)
                #expect(ledger.use(of: ann).milliCPUs == cpus && ledger.use(of: ann).jobs == admitted.count)
                #expect(ledger.waiting(of: ann) == waiting.count)
                #expect(!admitted.isEmpty || waiting.isEmpty, "somebody waits for nobody")
            }
            for id in Array(admitted.keys) + waiting.keys { _ = ledger.leave(id, of: ann) }
            #expect(ledger.isEmpty, "seed \(seed)")
        }
    }
}
