import Foundation
import Logging
import SlipwayCore
import SlipwayGateway

/// One run of the benchmark: an engine with its gateway, and the floor beside it.
final class BenchRun: Sendable {
    private static let rounds = 10

    let engine: Engine
    private let engineID: String?
    private let gateway: Task<Void, any Error>
    private let port: Int
    private let key: String
    private let runtime: DockerRuntime
    private let sandboxClass: SandboxClass
    private let base: URL
    private let note: @Sendable (String) -> Void

    init(configuration: Configuration, logger: Logger, note: @escaping @Sendable (String) -> Void) async throws {
        self.note = note
        let engine = try await Engine(configuration: configuration, logger: logger)
        self.engine = engine
        engineID = try engine.store.metaBlocking("engine_id")
        try await engine.start()
        guard let runtime = engine.runtime("docker") as? DockerRuntime else {
            throw EngineError(.configuration, "the benchmark needs a container engine")
        }
        self.runtime = runtime
        let plan = JobPlan(BenchTasks.sourceRequest, runtime: "docker", configuration: configuration)
        sandboxClass = plan.sandboxClass(
            image: try await runtime.resolve(image: plan.image), ociRuntime: configuration.runtime.ociRuntime,
            of: .default)
        base = URL(fileURLWithPath: "/tmp/slipway-floor-\(ProcessInfo.processInfo.processIdentifier)")
        let keys = StoreKeyDirectory(store: engine.store)
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let service = GatewayService(
            service: engine, keys: keys, limits: engine.requestLimits, options: GatewayOptions(configuration),
            eventLoopGroup: engine.eventLoopGroup, taskExecutor: engine.taskExecutor, logger: logger
        ) { _, port in continuation.yield(port) }
        gateway = Task { try await service.run() }
        var bound = 0
        for await port in ports {
            bound = port
            break
        }
        port = bound
        let path = configuration.data.directoryPath() + "/credentials"
        _ = try await keys.prepareDefaultTenant(
            url: "http://127.0.0.1:\(bound)", credentialsPath: path, fallbackPath: path)
        key = try Credentials.load(from: path)?.key ?? ""
    }

    /// Stops the gateway and the engine, and removes what they have made outside of the data folder.
    func stop() async {
        gateway.cancel()
        // It is cancelled: however it ended, nothing is left to serve.
        _ = await gateway.result
        await engine.shutdown()
        if let engineID { await EngineRemains.remove(of: engineID, engine.configuration) }
        // The floor's folder is empty by now; one that stays in /tmp does no harm.
        try? FileManager.default.removeItem(at: base)
    }

    func report(count: Int, jobs: Int, callers: Int, cold: Int) async throws -> BenchReport {
        var report = BenchReport()
        let floor = try await FloorProgram.start(runtime, sandboxClass, below: base)
        do {
            let function = try await pickledFunction()
            try await warmUp(floor, function)
            note("latency, one call every 3 ms")
            report.paced = try await latencies(floor, function, count: count, pause: .milliseconds(3))
            note("latency, back to back")
            report.backToBack = try await latencies(floor, function, count: count, pause: .zero)
        } catch {
            await floor.stop()
            throw error
        }
        await floor.stop()
        note("throughput")
        report.throughput = [
            ("REST, \(callers) callers, 2 sandboxes", try await restThroughput(jobs, callers)),
            ("embedded, \(callers) callers, 2 sandboxes", try await embeddedThroughput(jobs, callers)),
        ]
        report.batchMilliseconds = try await batch()
        note("cold starts")
        (report.coldMilliseconds, report.rawColdMilliseconds) = try await coldStarts(cold)
        return report
    }

    /// A call of a function that is pickled by value, as callers send it.
    private func pickledFunction() async throws -> [UInt8] {
        let outcome = try await run(BenchTasks.picklingRequest)
        return try PayloadCodec.decodeBase64(try await engine.logs(of: outcome.job.id, stream: .stdout))
    }

    private func warmUp(_ floor: FloorProgram, _ function: [UInt8]) async throws {
        for _ in 0..<20 {
            _ = try floor.call("s", Array(BenchTasks.source.utf8))
            _ = try floor.call("c", BenchTasks.pickle)
            _ = try floor.call("c", function)
        }
        for request in [
            BenchTasks.sourceRequest, BenchTasks.callableRequest, JobRequest(task: .callable(pickle: function)),
        ] {
            for _ in 0..<20 { try await run(request) }
        }
    }

    @discardableResult
    private func run(_ request: JobRequest) async throws -> JobOutcome {
        let outcome = try await engine.submit(request, waitingUpTo: .seconds(120))
        guard outcome.job.state == .completed else {
            throw EngineError(
                .internalFault,
                "a task of the benchmark ended as \(outcome.job.state): "
                    + (outcome.job.error?.message ?? "no reason"))
        }
        return outcome
    }

    private func latencies(
        _ floor: FloorProgram, _ function: [UInt8], count: Int, pause: Duration
    ) async throws -> [BenchReport.Row] {
        var floorSource = Sample("floor, source")
        var floorFunction = Sample("floor, function by value")
        var floorCallable = Sample("floor, function by name")
        var source = Sample("engine, source")
        var byValue = Sample("engine, function by value")
        var callable = Sample("engine, function by name")
        var rest = Sample("REST with Prefer: wait, source")
        let request = RESTClient.request("/v1/jobs", key: key, wait: true, body: BenchTasks.body)
        let sourceBytes = Array(BenchTasks.source.utf8)
        let each = max(1, count / Self.rounds)
        for _ in 0..<Self.rounds {
            try await measure(&floorSource, each, pause) { _ = try floor.call("s", sourceBytes) }
            try await measure(&source, each, pause) { try await self.run(BenchTasks.sourceRequest) }
            try await measure(&floorFunction, each, pause) { _ = try floor.call("c", function) }
            try await measure(&byValue, each, pause) {
                try await self.run(JobRequest(task: .callable(pickle: function)))
            }
            try await measure(&floorCallable, each, pause) { _ = try floor.call("c", BenchTasks.pickle) }
            try await measure(&callable, each, pause) { try await self.run(BenchTasks.callableRequest) }
            // A new one for each round: one that rests while the others are measured may be closed meanwhile.
            let client = try RESTClient(port: port)
            try await measure(&rest, each, pause) {
                let answer = try client.send(request)
                guard answer.status == 200 else {
                    let said = String(decoding: answer.body, as: UTF8.self)
                    throw EngineError(.internalFault, "REST answered \(answer.status): \(said)")
                }
            }
        }
        return [
            .init(sample: floorSource), .init(sample: source, floor: floorSource),
            .init(sample: floorFunction), .init(sample: byValue, floor: floorFunction),
            .init(sample: floorCallable), .init(sample: callable, floor: floorCallable),
            .init(sample: rest, floor: floorSource),
        ]
    }

    private func measure(
        _ sample: inout Sample, _ count: Int, _ pause: Duration, _ body: () async throws -> Void
    ) async throws {
        let clock = ContinuousClock()
        for _ in 0..<count {
            try Task.checkCancellation()
            if pause > .zero { usleep(UInt32(pause.components.attoseconds / 1_000_000_000_000)) }
            let began = clock.now
            try await body()
            sample.add(clock.now - began)
        }
    }

    private func restThroughput(_ jobs: Int, _ callers: Int) async throws -> Double {
        let request = RESTClient.request("/v1/jobs", key: key, wait: true, body: BenchTasks.body)
        let each = max(1, jobs / callers)
        let port = port
        // On a thread of its own, for it blocks.
        let took = try await withCheckedThrowingContinuation { done in
            Thread.detachNewThread {
                done.resume(
                    with: Result {
                        var load = try RESTLoad(port: port, request: request, callers: callers, each: each)
                        return try ContinuousClock().measure { try load.run() }
                    })
            }
        }
        return Double(each * callers) / took.seconds
    }

    private func embeddedThroughput(_ jobs: Int, _ callers: Int) async throws -> Double {
        let clock = ContinuousClock()
        let each = max(1, jobs / callers)
        let began = clock.now
        try await withThrowingDiscardingTaskGroup { group in
            for _ in 0..<callers {
                group.addTask { for _ in 0..<each { try await self.run(BenchTasks.sourceRequest) } }
            }
        }
        return Double(each * callers) / (clock.now - began).seconds
    }

    private func batch() async throws -> Double {
        let one = String(decoding: BenchTasks.body, as: UTF8.self)
        let body = Array("{\"jobs\":[\(Array(repeating: one, count: 1000).joined(separator: ","))]}".utf8)
        let client = try RESTClient(port: port)
        let request = RESTClient.request("/v1/jobs/batch", key: key, wait: false, body: body)
        let clock = ContinuousClock()
        let began = clock.now
        let answer = try client.send(request)
        let took = (clock.now - began).seconds * 1000
        guard answer.status == 202 else {
            throw EngineError(.internalFault, "the batch was answered \(answer.status)")
        }
        note("waiting for the batch's jobs")
        while try await !engine.jobs(JobQuery(states: [.queued, .starting, .running], limit: 1)).jobs.isEmpty {
            try await Task.sleep(for: .milliseconds(50))
        }
        return took
    }

    private func coldStarts(_ count: Int) async throws -> (Sample, Sample) {
        var cold = Sample("cold")
        var raw = Sample("raw")
        let clock = ContinuousClock()
        for index in 0..<count {
            let floor = try await FloorProgram.start(runtime, sandboxClass, below: base)
            raw.add(floor.startDuration)
            await floor.stop()
            // Another size of /tmp is another class of sandboxes, of which none is warm.
            var request = BenchTasks.sourceRequest
            request.resources.tmpBytes = (32 << 20) + (index << 20)
            let began = clock.now
            try await run(request)
            cold.add(clock.now - began)
        }
        return (cold, raw)
    }
}
