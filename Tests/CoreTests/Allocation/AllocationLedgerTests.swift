import SlipwayCore
import TestSupport
import Testing

@Suite struct AllocationLedgerTests {
    private let ids = (0..<16).map { SandboxIDs.make($0) }
    private let ann = TenantIDs.ann
    private let bob = TenantIDs.bob

    private func ledger(_ gpus: [GPUDevice] = []) -> AllocationLedger {
        AllocationLedger(capacity: Capacity(milliCPUs: 4000, memoryBytes: 4 << 30, coresMilli: 2000, gpus: gpus))
    }

    private func gpu(_ number: Int, isInstance: Bool = false) -> GPUDevice {
        GPUDevice(
            id: "GPU-\(number)", index: isInstance ? nil : number, memoryBytes: 80 << 30, isInstance: isInstance)
    }

    private func need(_ tenant: TenantID, _ count: Int = 1, gib: Int? = nil, _ devices: [String] = []) -> ResourceDemand
    {
        ResourceDemand(
            milliCPUs: 10, memoryBytes: 1,
            gpus: GPUNeed(tenant: tenant, count: count, devices: devices, memoryBytes: gib.map { $0 << 30 }))
    }

    @Test func nothingIsAdmittedBeforeTheMachineIsKnown() {
        var ledger = AllocationLedger(capacity: nil)
        #expect(ledger.reserve(ids[0], ResourceDemand(cpus: 0.1, memoryBytes: 1)) == nil)
        #expect(ledger.shortage(for: ResourceDemand(cpus: 0.1, memoryBytes: 1)).isUnknown)
        #expect(ledger.isEmpty)
    }

    @Test func whatIsMissingIsNamed() {
        var ledger = ledger()
        #expect(ledger.reserve(ids[0], ResourceDemand(cpus: 3, memoryBytes: 3 << 30)) == [])
        let shortage = ledger.shortage(for: ResourceDemand(cpus: 1.5, memoryBytes: 2 << 30))
        #expect(shortage == Shortage(milliCPUs: 500, memoryBytes: 1 << 30))
        #expect(shortage.text == "processors (0.5 more) and memory (1073741824 more bytes)")
        #expect(ledger.reserve(ids[1], ResourceDemand(cpus: 1, memoryBytes: (1 << 30) + 1)) == nil)
        #expect(ledger.reserve(ids[1], ResourceDemand(cpus: 1, memoryBytes: 1 << 30)) == [])
        ledger.leave(ids[0])
        #expect(!ledger.shortage(for: ResourceDemand(cpus: 1, memoryBytes: 1)).isNone, "it is still there")
        #expect(ledger.shortage(for: ResourceDemand(cpus: 1, memoryBytes: 1), soon: true).isNone)
        ledger.release(ids[0])
        ledger.release(ids[0])
        #expect(ledger.milliCPUs == 1000 && ledger.memoryBytes == 1 << 30)
        #expect(ledger.audit() == nil)
    }

    @Test func whatCanNeverBeMetIsRefusedByName() throws {
        let capacity = try #require(ledger().capacity)
        let demand = ResourceDemand(
            cpus: 2.5, memoryBytes: 5 << 30, gpus: GPUNeed(tenant: ann, count: 1))
        #expect(capacity.refusals(of: demand).map(\.resource) == ["cpus", "memory", "gpus"])
        #expect(capacity.refusals(of: ResourceDemand(cpus: 2, memoryBytes: 4 << 30)).isEmpty)
        #expect(capacity.refusals(of: demand)[2].detail.contains("there is no GPU here"))
    }

    @Test func wholeDevicesBelongToOneSandbox() {
        var ledger = ledger([gpu(0), gpu(1)])
        #expect(ledger.reserve(ids[0], need(ann)) == ["GPU-0"])
        #expect(ledger.reserve(ids[1], need(ann, 2)) == nil)
        #expect(ledger.reserve(ids[1], need(bob)) == ["GPU-1"])
        #expect(ledger.reserve(ids[2], need(ann)) == nil)
        #expect(ledger.shortage(for: need(ann)).gpus)
        ledger.release(ids[0])
        #expect(ledger.reserve(ids[2], need(bob, 1, gib: 8, ["0"])) == ["GPU-0"])
        #expect(ledger.audit() == nil)
    }

    @Test func oneTenantSharesADeviceUpToItsMemory() {
        var ledger = ledger([gpu(0), gpu(1)])
        #expect(ledger.reserve(ids[0], need(ann, gib: 30)) == ["GPU-0"])
        #expect(ledger.reserve(ids[1], need(ann, gib: 40)) == ["GPU-0"])
        #expect(ledger.reserve(ids[2], need(ann, gib: 20)) == ["GPU-1"], "80 GiB are all there is")
        #expect(ledger.reserve(ids[3], need(ann, gib: 10)) == ["GPU-0"], "the fullest that has room")
        #expect(ledger.reserve(ids[4], need(bob, gib: 1)) == nil, "devices are never shared between tenants")
        #expect(ledger.reserve(ids[4], need(ann)) == nil, "without a limit a device cannot be shared")
        ledger.release(ids[2])
        #expect(ledger.reserve(ids[4], need(bob, gib: 1)) == ["GPU-1"])
    }

    @Test func instancesOfADeviceAreNotShared() {
        var ledger = ledger([gpu(0, isInstance: true)])
        #expect(ledger.reserve(ids[0], need(ann, gib: 10)) == ["GPU-0"])
        #expect(ledger.reserve(ids[1], need(ann, gib: 10)) == nil)
    }

    @Test func devicesOfUnknownSizeAreGivenWholeOnly() throws {
        var ledger = ledger([GPUDevice(id: "GPU-x")])
        let capacity = try #require(ledger.capacity)
        #expect(capacity.refusals(of: need(ann, gib: 1)).map(\.resource) == ["gpus"])
        #expect(ledger.reserve(ids[0], need(ann, gib: 1)) == nil)
        #expect(ledger.reserve(ids[0], need(ann)) == ["GPU-x"])
    }

    @Test func devicesThatAreNotThereAreNamed() throws {
        let capacity = try #require(ledger([gpu(0), gpu(1)]).capacity)
        #expect(capacity.refusals(of: need(ann, 1, ["7"])).first?.detail.contains("no device is called 7") == true)
        #expect(capacity.refusals(of: need(ann, 2, ["0", "GPU-0"])).first?.detail == "a device is named twice")
        #expect(capacity.refusals(of: need(ann, 3)).first?.detail.contains("3 devices are needed") == true)
        #expect(capacity.refusals(of: need(ann, 1, gib: 90)).isEmpty == false)
        #expect(capacity.refusals(of: need(ann, 2, gib: 80)).isEmpty)
    }
}

/// Identifiers that are the same in every run.
enum SandboxIDs {
    static func make(_ number: Int) -> SandboxID {
        var random = SimulationRandom(seed: UInt64(number))
        return SandboxID(using: &random)
    }
}
