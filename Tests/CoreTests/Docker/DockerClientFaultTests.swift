import Foundation
import SlipwayCore
import Synchronization
import Testing

@Suite("Docker client against a faulty engine")
struct DockerClientFaultTests {
    @Test("reads are retried after a 500, garbage, a cut and a truncated chunk, then succeed")
    func readsAreRetried() async throws {
        let faults = [
            "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno", "garbage\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{",
        ]
        for fault in faults {
            let engine = try StubEngine { connection, _, number in
                if number < 3 {
                    connection.write(fault)
                    return false
                }
                connection.respond("[]")
                return true
            }
            let client = engine.client { $0.circuit = CircuitBreaker(failureThreshold: 100) }
            #expect(try await client.listContainers(labels: [:]).isEmpty, "after \(fault.prefix(40))")
            #expect(engine.requests.count == 3)
        }
    }

    @Test("whatever is asked of an engine that is away, its address is named")
    func addressIsNamed() async throws {
        let path = "/nonexistent/\(UUID().uuidString)/docker.sock"
        let calls: [@Sendable (DockerClient) async throws -> Void] = [
            { _ = try await $0.createContainer(name: "box", ContainerSpec(image: "i")) },
            { _ = try await $0.podman() }, { _ = try await $0.apiVersion() }, { _ = try await $0.version() },
            { _ = try await $0.attach("box") }, { try await $0.ping() },
        ]
        for call in calls {
            var options = DockerClient.Options()
            options.retry = .never
            let client = DockerClient(endpoint: DockerEndpoint(address: .unix(path: path)), options: options)
            let error = await #expect(throws: EngineError.self) { try await call(client) }
            #expect(error?.code == .containerEngineUnavailable)
            #expect(error?.message.contains(path) == true, "\(error?.message ?? "")")
            #expect(error?.message.contains("localhost") == false, "\(error?.message ?? "")")
            await client.shutdown()
        }
    }

    @Test("retries are bounded, and the engine's words are kept")
    func retriesAreBounded() async throws {
        let engine = try StubEngine { connection, _, _ in
            connection.respond(status: "500 Oops", #"{"message":"the disk is \#u{1F525}"}"#)
            return true
        }
        let client = engine.client()
        let error = await #expect(throws: EngineError.self) { try await client.version() }
        #expect(error?.code == .containerEngineError)
        #expect(error?.message == "the container engine could not tell its version: the disk is \u{1F525}")
        #expect(error?.cause as? DockerAPIError == DockerAPIError(status: 500, message: "the disk is \u{1F525}"))
        #expect(engine.requests.count == 3)
    }

    @Test("a start that is refused is not tried again; a create that got no answer is, and a 409 means inspect")
    func writesAreRetriedWithCare() async throws {
        let engine = try StubEngine { connection, line, number in
            if line.contains("/start") {
                connection.respond(status: "500 Oops", #"{"message":"OCI runtime create failed"}"#)
                return true
            }
            if number == 2 { return false }
            connection.respond(
                status: "409 Conflict", #"{"message":"Conflict. The container name \"/box\" is already in use"}"#)
            return true
        }
        let client = engine.client()
        let error = await #expect(throws: EngineError.self) { try await client.startContainer("box") }
        #expect(error?.code == .startFailed)
        #expect(engine.requests.count == 1)
        #expect(try await client.createContainer(name: "box", ContainerSpec(image: "i")) == .nameTaken)
        #expect(
            engine.requests.map(\.line).suffix(2) == [
                "POST /v1.41/containers/create?name=box HTTP/1.1", "POST /v1.41/containers/create?name=box HTTP/1.1",
            ])
    }

    @Test("a signal other than SIGKILL is never sent twice")
    func signalsAreSentOnce() async throws {
        let engine = try StubEngine { _, _, _ in false }
        let client = engine.client { $0.circuit = CircuitBreaker(failureThreshold: 100) }
        await #expect(throws: EngineError.self) { try await client.killContainer("box", signal: "SIGUSR1") }
        #expect(engine.requests.count == 1)
        let error = await #expect(throws: EngineError.self) { try await client.killContainer("box") }
        #expect(error?.code == .containerEngineUnavailable)
        // Each of the three tries may come twice, because libcurl repeats what dies on a kept-alive connection.
        #expect((4...7).contains(engine.requests.count))
    }

    @Test("an engine that hangs is a named time-out")
    func hang() async throws {
        let engine = try StubEngine { connection, _, _ in
            connection.hang()
            return false
        }
        let client = engine.client {
            $0.timeouts.total = .milliseconds(50)
            $0.retryBudget = .zero
        }
        let error = await #expect(throws: EngineError.self) { try await client.inspectContainer("box") }
        #expect(error?.code == .timeout)
        #expect(error?.message.contains("inspect container box") == true)
    }

    @Test("an answer that is HTTP but no JSON is named")
    func unreadable() async throws {
        let engine = try StubEngine { connection, _, _ in
            connection.respond("<html>hello</html>")
            return true
        }
        let error = await #expect(throws: EngineError.self) { try await engine.client().info() }
        #expect(error?.code == .containerEngineError)
        #expect(error?.message.contains("unreadable") == true)
    }

    @Test("an engine that is too old, and one that is none, are refused")
    func negotiation() async throws {
        let old = try StubEngine(version: "1.40") { _, _, _ in false }
        let error = await #expect(throws: EngineError.self) { try await old.client().version() }
        #expect(error?.message.contains("1.40") == true)
        let strange = try StubEngine(version: "banana") { _, _, _ in false }
        await #expect(throws: EngineError.self) { try await strange.client().ping() }
        let new = try StubEngine(version: "1.99") { connection, _, _ in
            connection.respond("[]")
            return true
        }
        _ = try await new.client().listContainers(labels: [:])
        #expect(new.requests.first?.line.hasPrefix("GET /v\(DockerAPIVersion.newest)/containers/json?") == true)
    }

    @Test("nobody at the socket: the message says where and why; the circuit opens, and a ping closes it")
    func circuit() async throws {
        let engine = try StubEngine { connection, _, _ in
            connection.respond("[]")
            return true
        }
        let cooldown = Duration.seconds(3600)
        let circuit = CircuitBreaker(failureThreshold: 2, initialCooldown: cooldown, maximumCooldown: cooldown)
        let gone = DockerEndpoint(address: .unix(path: "/tmp/slipway-no-such-socket"))
        var options = DockerClient.Options()
        options.circuit = circuit
        options.retry = .never
        let client = DockerClient(endpoint: gone, options: options)
        for _ in 0..<2 {
            let error = await #expect(throws: EngineError.self) { try await client.version() }
            #expect(error?.code == .containerEngineUnavailable)
            #expect(
                error?.message == """
                    cannot reach the container engine at \(gone): there is no such socket. Is the engine running?
                    """)
        }
        let error = await #expect(throws: EngineError.self) { try await client.version() }
        #expect(error?.code == .containerEngineUnavailable)
        #expect(error?.retryAfterSeconds == 3600)
        #expect(error?.message.contains("there is no such socket") == true)
        guard case .open = client.circuit else {
            Issue.record("the circuit is \(client.circuit)")
            return
        }

        let back = engine.client { $0.circuit = circuit }
        #expect(try await back.listContainers(labels: [:]).isEmpty)
        engine.server.stop()
        for _ in 0..<3 { await #expect(throws: EngineError.self) { try await back.listContainers(labels: [:]) } }
        guard case .open = back.circuit else {
            Issue.record("the circuit is \(back.circuit)")
            return
        }
        await #expect(throws: EngineError.self) { try await back.ping() }
    }

    @Test("a circuit that was open lets work resume by itself once the engine answers")
    func recovery() async throws {
        let isDown = Mutex(true)
        let engine = try StubEngine { connection, _, _ in
            if isDown.withLock({ $0 }) { return false }
            connection.respond("[]")
            return true
        }
        let client = engine.client {
            $0.circuit = CircuitBreaker(
                failureThreshold: 1, initialCooldown: .milliseconds(1), maximumCooldown: .milliseconds(1))
            $0.retry = .never
        }
        for _ in 0..<5 { await #expect(throws: EngineError.self) { try await client.listContainers(labels: [:]) } }
        isDown.withLock { $0 = false }
        var attempts = 0
        while attempts < 1000 {
            attempts += 1
            do {
                #expect(try await client.listContainers(labels: [:]).isEmpty)
                break
            } catch {
                try await Task.sleep(for: .milliseconds(2))
            }
        }
        #expect(attempts < 1000)
        #expect(client.circuit == .closed(consecutiveFailures: 0))
    }

    @Test("cancellation is an error of its own and leaves the circuit alone")
    func cancellation() async throws {
        let engine = try StubEngine { connection, _, _ in
            connection.hang()
            return false
        }
        let client = engine.client { $0.circuit = CircuitBreaker(failureThreshold: 1) }
        let task = Task { try await client.waitForContainer("box") }
        while engine.requests.isEmpty { await Task.yield() }
        task.cancel()
        let error = await #expect(throws: EngineError.self) { try await task.value }
        #expect(error?.code == .cancelled)
        #expect(client.circuit == .closed(consecutiveFailures: 0))
    }
}
