import Foundation
import SlipwayCore
import TestSupport
import Testing

/// What `nvidia-smi` prints, as recorded from its documentation and from machines with devices.
@Suite struct GPUListingTests {
    @Test func wholeDevices() throws {
        let csv = """
            0, GPU-6d2bd5a1-ab38-9d22-4d8f-4a2c2b3d9d5e, NVIDIA H200, 143771, Disabled
            1, GPU-0f3a1c27-0000-1111-2222-333344445555, Tesla T4, 15360, [N/A]
            2, GPU-9f3a1c27-0000-1111-2222-333344445555, NVIDIA GB10, [N/A], [N/A]

            """
        let found = try GPUListing.devices(csv: csv)
        #expect(found.map(\.device.label) == ["0", "1", "2"])
        #expect(found.map(\.device.name) == ["NVIDIA H200", "Tesla T4", "NVIDIA GB10"])
        #expect(found.map(\.device.memoryBytes) == [143_771 << 20, 15_360 << 20, nil])
        #expect(found.allSatisfy { !$0.isDivided })
        #expect(try GPUListing.devices(csv: "\n").isEmpty)
    }

    @Test(arguments: ["No devices were found", "0, NVIDIA H200, 143771", "x, GPU-1, n, 1, Disabled"])
    func aLineThatIsNoDeviceIsAFault(_ line: String) {
        #expect(throws: EngineError.self) { try GPUListing.devices(csv: line) }
    }

    @Test func instances() {
        let listing = """
            GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)
              MIG 1g.5gb      Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)
              MIG 3g.20gb+me  Device  1: (UUID: MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb)
            GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-1d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)
              MIG 1c.3g.20gb  Device  0: (UUID: MIG-GPU-1d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77/2/0)

            """
        let found = GPUListing.instances(listing: listing)
        #expect(found.map(\.parent).map { $0.prefix(7) } == ["GPU-5d5", "GPU-5d5", "GPU-1d5"])
        #expect(found.map(\.device.memoryBytes) == [5_000_000_000, 20_000_000_000, 20_000_000_000])
        #expect(found[0].device.name == "NVIDIA A100-SXM4-40GB 1g.5gb")
        #expect(found[0].device.isInstance && found[0].device.label.hasPrefix("MIG-"))
        #expect(found[2].device.id == "MIG-GPU-1d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77/2/0")
    }

    @Test func processes() {
        let csv = "GPU-1, 4711\nGPU-2, 17\nNo running processes found\n"
        #expect(
            GPUListing.processes(csv: csv) == [
                .init(device: "GPU-1", pid: 4711), .init(device: "GPU-2", pid: 17),
            ])
        #expect(GPUListing.processes(csv: "").isEmpty)
    }
}

@Suite struct GPUInventoryTests {
    private let found = [0, 1].map { (number: Int) in
        GPUDevice(id: "GPU-\(number)", index: number, name: "X", memoryBytes: 80 << 30)
    }

    @Test func noneUnlessListed() { #expect(GPUInventory(configured: [], found: found).devices.isEmpty) }

    @Test func allOrThoseThatAreListed() {
        #expect(GPUInventory(configured: ["all"], found: found).devices == found)
        #expect(GPUInventory(configured: ["GPU-1", "0"], found: found).devices == [found[1], found[0]])
        #expect(GPUInventory(configured: ["1", "GPU-1"], found: found).devices == [found[1]])
    }

    @Test func whatIsNotThereIsSaid() {
        let inventory = GPUInventory(configured: ["0", "7"], found: found)
        #expect(inventory.devices == [found[0]])
        #expect(inventory.warnings == ["gpus.devices lists 7, which this machine does not have; it has 0, 1"])
    }

    @Test func whereNobodyCanBeAskedTheListIsTaken() {
        let inventory = GPUInventory(configured: ["0", "GPU-abc"], found: nil)
        #expect(inventory.devices == [GPUDevice(id: "0", index: 0), GPUDevice(id: "GPU-abc")])
        #expect(GPUInventory(configured: ["all"], found: nil).devices.isEmpty)
        #expect(GPUInventory(configured: ["all"], found: nil).warnings.count == 1)
    }
}

/// The program is run for real; where the machine has no driver, a script in its place prints what was recorded.
@Suite struct NvidiaSMITests {
    @Test func dividedDevicesAreReplacedByTheirInstances() throws {
        let folder = try TemporaryFolder()
        let tool = try RecordedNvidiaSMI(folder: folder)
        try tool.write(
            devices: "0, GPU-a, NVIDIA A100, 40960, Enabled\n1, GPU-b, NVIDIA A100, 40960, Disabled\n",
            listing: """
                GPU 0: NVIDIA A100 (UUID: GPU-a)
                  MIG 1g.5gb      Device  0: (UUID: MIG-1)
                  MIG 1g.5gb      Device  1: (UUID: MIG-2)
                GPU 1: NVIDIA A100 (UUID: GPU-b)
                """, processes: "")
        let found = try #require(NvidiaSMI(environment: ["PATH": "/nowhere:\(folder.path)"]))
        #expect(try found.devices().map(\.label) == ["MIG-1", "MIG-2", "1"])
        #expect(try found.computeProcesses().isEmpty)
    }

    @Test func aDriverThatFailsIsAnErrorWithItsWords() throws {
        let folder = try TemporaryFolder()
        let tool = try RecordedNvidiaSMI(folder: folder)
        try tool.writeScript("echo 'NVIDIA-SMI has failed because it could not talk to the driver.'; exit 9")
        let error = #expect(throws: EngineError.self) { try NvidiaSMI(tool: tool.path).devices() }
        #expect(error?.message.contains("status 9: NVIDIA-SMI has failed") == true)
    }

    @Test func withoutTheProgramThereIsNoTool() { #expect(NvidiaSMI(environment: ["PATH": "/nowhere"]) == nil) }
}
