import SlipwayCore
import TestSupport
import Testing

/// The daemons are scripts that record what they are told: no real one was at hand.
@Suite struct MPSServiceTests {
    private func settings(_ pipes: String, _ shm: String = "/run/mps/shm") -> Configuration.GPUs.MPS {
        var settings = Configuration.GPUs.MPS()
        settings.pipeDirectory = pipes
        settings.shmDirectory = shm
        return settings
    }

    private func need(_ granted: [String], _ memory: Int?) -> GPUNeed {
        var need = GPUNeed(tenant: .default, count: granted.count, memoryBytes: memory)
        need.granted = granted
        return need
    }

    @Test func onlyAPartOfOneWholeDeviceHasAPlace() throws {
        let service = try #require(MPSService(settings("/run/mps/pipes"), environment: [:]))
        let place = try #require(service.place(for: need(["GPU-a"], 8 << 30)))
        #expect(place.pipes == "/run/mps/pipes/GPU-a" && place.sharedMemory == "/run/mps/shm/GPU-a")
        #expect(service.place(for: nil) == nil)
        #expect(service.place(for: need(["GPU-a"], nil)) == nil, "a whole device needs no limit")
        #expect(service.place(for: need(["GPU-a", "GPU-b"], 8 << 30)) == nil, "a program has one daemon")
        #expect(service.place(for: need(["MIG-a"], 8 << 30)) == nil, "the hardware keeps it apart")
        #expect(service.place(for: need(["0"], 8 << 30)) == nil, "its daemon's folder is not known")
        #expect(MPSService(Configuration.GPUs.MPS(), environment: [:]) == nil)
    }

    @Test func programsAreToldTheirLimitInWholeMebibytes() {
        #expect(
            MPSService.environment(pipes: "/p", limitBytes: (8 << 30) + 5) == [
                "CUDA_MPS_PIPE_DIRECTORY": "/p", "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT": "0=8192M",
            ])
    }

    @Test func serversAreEndedOneByOneAtTheirOwnDaemon() throws {
        let folder = try TemporaryFolder()
        let control = try RecordedMPSControl(folder: folder, devices: ["GPU-a", "GPU-b"])
        let service = try #require(MPSService(settings(control.pipes), environment: ["PATH": folder.path]))
        let place = try #require(service.place(of: "GPU-b"))
        #expect(try service.servers(at: place).isEmpty)
        try control.show(servers: "4711\n4712\n", of: "GPU-b")
        #expect(try service.servers(at: place) == [4711, 4712])
        try service.endServers(at: place)
        #expect(
            control.told == [
                "GPU-b get_server_list", "GPU-b get_server_list", "GPU-b get_server_list",
                "GPU-b shutdown_server 4711 -f", "GPU-b shutdown_server 4712 -f",
            ])
    }

    @Test func aDaemonThatIsNotThereIsSaidWithWhatToDo() throws {
        let folder = try TemporaryFolder()
        let control = try RecordedMPSControl(folder: folder, devices: [])
        let service = try #require(MPSService(settings(control.pipes), environment: ["PATH": folder.path]))
        let place = try #require(service.place(of: "GPU-a"))
        let error = #expect(throws: EngineError.self) { try service.servers(at: place) }
        #expect(error?.code == .startFailed)
        #expect(error?.message.contains("start it with CUDA_MPS_PIPE_DIRECTORY=\(control.pipes)/GPU-a") == true)
        let bare = try #require(MPSService(settings(control.pipes), environment: ["PATH": "/nowhere"]))
        let missing = #expect(throws: EngineError.self) { try bare.servers(at: place) }
        #expect(missing?.message.contains("no nvidia-cuda-mps-control in PATH") == true)
    }

    @Test func bothFoldersAreDeclaredOrNone() {
        for (text, key) in [("pipe_directory: /a", "shm_directory"), ("shm_directory: /a", "pipe_directory")] {
            let error = #expect(throws: ConfigurationError.self) {
                try Configuration.load(yaml: "gpus:\n  mps:\n    \(text)\n", environment: [:])
            }
            #expect(error?.faults.map(\.path) == ["gpus.mps.\(key)"])
        }
    }
}
