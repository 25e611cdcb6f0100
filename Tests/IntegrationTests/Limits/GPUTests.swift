import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    /// Who gets which device, with local processes and a recorded `nvidia-smi` in front of the machine's: everything
    /// but the devices themselves.
    @Suite("GPUs", .serialized)
    struct GPUTests {
        private static let devices = """
            0, GPU-aaaa, NVIDIA H200, 1000, Disabled
            1, GPU-bbbb, NVIDIA H200, 1000, Disabled

            """
        private static let report = """
            import os
            def main():
                names = ("CUDA_VISIBLE_DEVICES", "SLIPWAY_GPU_MEMORY_LIMIT", "XLA_PYTHON_CLIENT_MEM_FRACTION")
                return [os.environ.get(name) for name in names]
            """
        private static let slow = "import time\ndef main(): time.sleep(2)"

        private func withEngine(
            on devices: [String] = ["all"], in folder: TemporaryFolder? = nil,
            mps: RecordedMPSControl? = nil, _ body: (TestEngine, RecordedNvidiaSMI) async throws -> Void
        ) async throws {
            let folder = try folder ?? TemporaryFolder()
            let tool = try RecordedNvidiaSMI(folder: folder)
            try tool.write(devices: Self.devices, processes: "")
            var environment = ProcessInfo.processInfo.environment
            environment["PATH"] = folder.path + ":" + (environment["PATH"] ?? "/usr/bin:/bin")
            let test = try await TestEngine.start("process", environment: environment) {
                $0.pools.defaults.max = 4
                $0.pools.defaults.minIdle = 0
                $0.gpus.devices = devices
                $0.pools.defaults.startBackoff = .milliseconds(50)
                $0.gpus.mps.pipeDirectory = mps?.pipes
                $0.gpus.mps.shmDirectory = mps.map { $0.pipes + "/shm" }
            }
            do {
                try await body(test, tool)
            } catch {
                _ = try await test.shutdown()
                throw error
            }
            try await test.shutdownLeavingNothing()
        }

        private func request(
            _ code: String, count: Int? = 1, devices: [String] = [], mebibytes: Int? = nil
        ) -> JobRequest {
            var request = JobRequest(task: .source(code))
            request.resources.gpus = .init(
                count: devices.isEmpty ? count : nil, devices: devices, memoryBytes: mebibytes.map { $0 << 20 })
            return request
        }

        @Test("a task sees exactly the devices of its job, and one without a grant sees none")
        func visibleDevices() async throws {
            try await withEngine { test, _ in
                let none = try await test.run(source: Self.report)
                #expect(none.value == ["", nil, nil], "\(none.summary)")
                #expect(none.job.gpus == nil)
                let one = try await test.run(request(Self.report))
                #expect(one.value == ["GPU-aaaa", nil, nil], "\(one.summary)")
                #expect(one.job.gpus == Job.GPUs(devices: ["0"]))
                let named = try await test.run(request(Self.report, devices: ["1"], mebibytes: 250))
                #expect(named.value == ["GPU-bbbb", .string(String(250 << 20)), "0.2500"], "\(named.summary)")
                let granted = Job.GPUs(devices: ["1"], memoryLimitBytes: 250 << 20, enforcement: .ledger)
                #expect(named.job.gpus == granted)
                let both = try await test.run(request(Self.report, count: 2))
                #expect(both.value?.elements.first == "GPU-aaaa,GPU-bbbb", "\(both.summary)")
                #expect(try await test.engine.job(named.job.id).gpus == granted, "it is kept with the job")
            }
        }

        @Test("a whole device is one job's at a time; the other one is taken meanwhile")
        func exclusive() async throws {
            try await withEngine { test, _ in
                var ids: [JobID] = []
                for _ in 0..<3 { ids.append(try await test.engine.submit(request(Self.slow)).id) }
                try await waitUntil("two jobs run") {
                    var running = 0
                    for id in ids where try await test.engine.job(id).state == .running { running += 1 }
                    return running == 2
                }
                #expect(try await test.engine.job(ids[2]).message == "waiting for GPUs")
                #expect(await test.engine.usage().gpus == 2)
                var devices: [String] = []
                for id in ids { devices += try await test.end(of: id).job.gpus?.devices ?? [] }
                #expect(devices.prefix(2).sorted() == ["0", "1"] && devices.count == 3)
            }
        }

        @Test("jobs with limits share a device up to its memory")
        func shared() async throws {
            try await withEngine(on: ["1"]) { test, _ in
                let ids = [
                    try await test.engine.submit(request(Self.slow, mebibytes: 400)).id,
                    try await test.engine.submit(request(Self.slow, mebibytes: 500)).id,
                ]
                try await waitUntil("both run") {
                    for id in ids where try await test.engine.job(id).state != .running { return false }
                    return true
                }
                let third = try await test.engine.submit(request(Self.report, mebibytes: 200))
                #expect(try await test.engine.job(third.id).message == "waiting for GPUs")
                for id in ids { #expect(try await test.end(of: id).job.gpus?.devices == ["1"]) }
                #expect(try await test.end(of: third.id).job.state == .completed)
            }
        }

        @Test("a device on which something still computes is not given out")
        func contexts() async throws {
            try await withEngine(on: ["0"]) { test, tool in
                let first = try await test.run(request(Self.report))
                #expect(first.job.state == .completed, "\(first.summary)")
                try tool.write(processes: "GPU-aaaa, 4711\n")
                // Another size, so that the first job's sandbox has to go and give its device back.
                let second = try await test.engine.submit(request(Self.report, mebibytes: 100))
                try await Task.sleep(for: .seconds(7))
                #expect(try await test.engine.job(second.id).state == .queued)
                let pools = await test.engine.pools()
                #expect(pools.reduce(0) { $0 + $1.destroying } == 1, "the sandbox counts as not removed")
                try tool.write(processes: "")
                let end = try await test.end(of: second.id)
                #expect(end.job.state == .completed && end.job.sandbox != first.job.sandbox, "\(end.summary)")
            }
        }

        @Test("with MPS a part of a device is the client of its daemon, whose servers no other tenant meets")
        func service() async throws {
            let folder = try TemporaryFolder()
            let control = try RecordedMPSControl(folder: folder, devices: ["GPU-aaaa"])
            let report = """
                import os
                def main():
                    names = ("CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT", "CUDA_VISIBLE_DEVICES")
                    return [os.environ.get(name) for name in names]
                """
            try await withEngine(in: folder, mps: control) { test, _ in
                // What an earlier tenant left.
                try control.show(servers: "4711\n", of: "GPU-aaaa")
                let part = try await test.run(request(report, devices: ["0"], mebibytes: 250))
                let pipes = JSONValue.string(control.pipes + "/GPU-aaaa")
                #expect(part.value == [pipes, "0=250M", "GPU-aaaa"], "\(part.summary)")
                #expect(part.job.gpus == Job.GPUs(devices: ["0"], memoryLimitBytes: 250 << 20, enforcement: .mps))
                #expect(try await test.engine.job(part.job.id).gpus == part.job.gpus, "it is kept with the job")
                #expect(
                    control.told == [
                        "GPU-aaaa get_server_list", "GPU-aaaa shutdown_server 4711 -f", "GPU-aaaa get_server_list",
                    ])
                // A second sandbox of the tenant shares the device, and its neighbour's server is left alone.
                try control.show(servers: "4712\n", of: "GPU-aaaa")
                let second = try await test.run(request(report, devices: ["0"], mebibytes: 300))
                #expect(second.value?.elements[1] == "0=300M", "\(second.summary)")
                #expect(control.told.count == 4 && control.told.last == "GPU-aaaa get_server_list")
                // A sandbox with all of the device needs it for itself: both others go, and the server with the last.
                let whole = try await test.run(request(report, devices: ["0"]))
                #expect(whole.value == [nil, nil, "GPU-aaaa"] && whole.job.gpus == Job.GPUs(devices: ["0"]))
                #expect(control.told.contains("GPU-aaaa shutdown_server 4712 -f"))
                // Both devices: a program is the client of one daemon only.
                let both = try await test.run(request(report, count: 2, mebibytes: 100))
                #expect(both.value?.elements.first == .null && both.job.gpus?.enforcement == .ledger)
            }
        }

        @Test("without the daemon a part of a device is not given out, and the job says what to do")
        func serviceIsDown() async throws {
            let folder = try TemporaryFolder()
            let control = try RecordedMPSControl(folder: folder, devices: [])
            try await withEngine(in: folder, mps: control) { test, _ in
                let outcome = try await test.run(request(Self.report, devices: ["0"], mebibytes: 250))
                #expect(outcome.job.error?.kind == .startFailed, "\(outcome.summary)")
                #expect(outcome.job.error?.message.contains("the MPS control daemon of the GPU GPU-aaaa") == true)
                let whole = try await test.run(request(Self.report, devices: ["0"]))
                #expect(whole.job.state == .completed, "\(whole.summary)")
            }
        }

        @Test("what cannot be had is refused with what there is")
        func refusals() async throws {
            try await withEngine(on: ["1"]) { test, _ in
                let impossible: [(ResourceRequest.GPUs, String)] = [
                    (.init(count: 2), "2 devices are needed; there are: 1 (NVIDIA H200)"),
                    (.init(devices: ["0"]), "No device is called 0; there are: 1"),
                    (.init(count: 1, memoryBytes: 2000 << 20), "1 devices with 2097152000 bytes of memory are needed"),
                ]
                for (gpus, text) in impossible {
                    var request = JobRequest(task: .source(Self.report))
                    request.resources.gpus = gpus
                    let error = await #expect(throws: EngineError.self) { try await test.engine.submit(request) }
                    #expect(error?.code == .limitExceeded)
                    #expect(error?.faults.first?.pointer == "/resources/gpus")
                    #expect(error?.message.contains(text) == true, "\(error?.message ?? "")")
                }
                var sneaky = JobRequest(task: .source(Self.report))
                sneaky.env = ["CUDA_VISIBLE_DEVICES": "0"]
                let error = await #expect(throws: EngineError.self) { try await test.engine.submit(sneaky) }
                #expect(error?.faults.first?.pointer == "/env/CUDA_VISIBLE_DEVICES")
            }
        }
    }
}
