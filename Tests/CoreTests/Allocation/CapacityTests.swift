import SlipwayCore
import Testing

@Suite struct CapacityTests {
    private let host = HostSize(cpus: 8, memoryBytes: 32 << 30)

    @Test func theMachineIsTakenWhereNothingIsSet() throws {
        let capacity = try #require(Capacity(Configuration.Allocation(), host: host, gpus: []))
        #expect(capacity.milliCPUs == 32_000, "four times its processors")
        #expect(capacity.memoryBytes == 32 << 30)
        #expect(capacity.coresMilli == 8000)
    }

    @Test func whatIsSetGoesBeforeTheMachine() throws {
        var allocation = Configuration.Allocation()
        #expect(Capacity(allocation, host: nil, gpus: []) == nil)
        allocation.cpus = 2
        #expect(Capacity(allocation, host: nil, gpus: []) == nil)
        allocation.memoryBytes = 4 << 30
        allocation.cpuFactor = 1.5
        allocation.memoryFactor = 0.5
        let capacity = try #require(Capacity(allocation, host: nil, gpus: []))
        #expect(capacity.milliCPUs == 3000 && capacity.memoryBytes == 2 << 30 && capacity.coresMilli == nil)
    }

    @Test func oneSandboxNeverHasMoreThanTheMachinesCores() throws {
        let capacity = try #require(Capacity(Configuration.Allocation(), host: host, gpus: []))
        #expect(capacity.refusals(of: ResourceDemand(cpus: 8, memoryBytes: 1)).isEmpty)
        #expect(capacity.refusals(of: ResourceDemand(cpus: 8.01, memoryBytes: 1)).map(\.resource) == ["cpus"])
    }
}

/// Tenants of tests.
enum TenantIDs {
    static let ann = tenant("ann")
    static let bob = tenant("bob")

    private static func tenant(_ name: String) -> TenantID { TenantID(name) ?? .default }
}
