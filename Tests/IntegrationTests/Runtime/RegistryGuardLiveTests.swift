import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    /// The container engine is sent to no address that a caller makes up.
    @Suite(
        "Registries that callers name", .serialized,
        .enabled("no container engine answers", hasContainers))
    struct RegistryGuardLiveTests {
        private static let one = "def main(): return 1"

        @Test("an address, a port or this machine as registry is refused, and nobody connects to it")
        func refused() async throws {
            let listener = try SocketAddress.listen(port: 0)
            defer { close(listener.descriptor) }
            #expect(fcntl(listener.descriptor, F_SETFL, O_NONBLOCK) == 0)
            let engine = try await TestEngine.start("docker")
            let ann = try #require(TenantID("ann"))
            for registry in ["127.0.0.1:\(listener.port)", "localhost:\(listener.port)", "127.0.0.1", "localhost"] {
                var request = JobRequest(task: .source(Self.one))
                request.image = "\(registry)/x:1"
                let submits: [@Sendable () async throws -> Void] = [
                    { [request] in _ = try await engine.engine.submit(request, tenant: ann) },
                    { [request] in _ = try await engine.engine.submit(batch: [request], tenant: ann) },
                    { [request] in _ = try await engine.engine.buildEnvironment(for: request, tenant: ann) },
                ]
                for submit in submits {
                    let error = await #expect(throws: EngineError.self) { try await submit() }
                    #expect(error?.code == .notAllowed, "\(registry): \(error?.message ?? "")")
                    #expect(error?.faults.first?.pointer.hasSuffix("/image") == true)
                }
            }
            #expect(accept(listener.descriptor, nil, nil) == -1 && errno == EAGAIN, "somebody connected")
            try await engine.shutdownLeavingNothing()
        }

        @Test("a registry that the operator named is asked, and how it fails is for the operator")
        func named() async throws {
            let engine = try await TestEngine.start("docker") {
                $0.sandbox.imageAllow = ["*", "127.0.0.1:1/*"]
                $0.pools.defaults.minIdle = 0
            }
            var request = JobRequest(task: .source(Self.one))
            request.image = "127.0.0.1:1/x:1"
            let ann = try #require(TenantID("ann"))
            let told = try await engine.engine.submit(request, tenant: ann, waitingUpTo: .seconds(30))
            let message = try #require(told.job.error?.message)
            #expect(message.contains("cannot reach the registry 127.0.0.1:1"), "\(message)")
            for word in ["refused", "dial", "lookup", "http"] { #expect(!message.contains(word), "\(message)") }
            let own = try await engine.run(request)
            #expect(own.job.error?.message.contains("connection refused") == true, "\(own.summary)")
            for (tenant, job) in [(ann, told.job), (TenantID.default, own.job)] {
                let error = await #expect(throws: EngineError.self) {
                    try await engine.engine.buildEnvironment(for: request, tenant: tenant)
                }
                #expect(error?.code == .imageNotFound)
                #expect(error?.message == job.error?.message)
                #expect(error?.faults.map(\.pointer) == ["/image"])
            }
            try await engine.shutdownLeavingNothing()
        }

        @Test("an image that the engine has is used, whatever registry its name has")
        func present() async throws {
            let (repository, tag) = ("127.0.0.1:1/present-\(UInt32.random(in: 0 ... .max))", "1")
            try await ContainerEngine.withClient {
                try await $0.tagImage("slipway/python:3.11", repository: repository, tag: tag)
            }
            let engine = try await TestEngine.start("docker") { $0.pools.defaults.minIdle = 0 }
            let outcome = try await engine.run(source: Self.one) { $0.image = "\(repository):\(tag)" }
            #expect(outcome.value == 1, "\(outcome.summary)")
            try await engine.shutdownLeavingNothing()
            try await ContainerEngine.withClient { _ = try await $0.removeImage("\(repository):\(tag)") }
        }
    }
}
