import Foundation
import Logging
import ServiceLifecycle
import SlipwayCore
import SlipwayGateway

/// A service with an engine of its own, which serves the gateway to a tenant that it has made.
///
/// It runs a few jobs in Swift and goes on until SIGTERM, or ends by itself with `--once`.
@main
enum Embedding {
    static func main() async throws {
        var logger = Logger(label: "embedding") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .notice
        // The address is any free one here; everything else as in config.yaml.
        var environment = ProcessInfo.processInfo.environment
        environment["SLIPWAY_GATEWAY_PORT"] = environment["SLIPWAY_GATEWAY_PORT"] ?? "0"
        let engine = try await Engine(
            configuration: .load(environment: environment), handlers: [Greeter()], logger: logger)
        let gateway = GatewayService(engine: engine, logger: logger) { host, port in
            print("http://\(host):\(port)")
        }
        let isOnce = CommandLine.arguments.contains("--once")
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: engine, failureTerminationBehavior: .gracefullyShutdownGroup),
                    .init(service: gateway, failureTerminationBehavior: .gracefullyShutdownGroup),
                    .init(
                        service: Work(engine: engine, isOnce: isOnce),
                        successTerminationBehavior: .gracefullyShutdownGroup),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
    }
}

/// A handler in Swift: tasks of type `handler` with the name `greet` come here.
struct Greeter: TaskHandler {
    let name = "greet"

    func execute(_ context: TaskContext) async throws -> TaskOutput {
        .json(.string("hello, \(context.input["name"]?.text ?? "world")"))
    }
}

/// What the service does with its engine.
struct Work: Service {
    let engine: Engine
    let isOnce: Bool

    func run() async throws {
        let job = try await engine.submit(JobRequest(task: .source("def main(x): return x * 2", args: [21])))
        for await event in try await engine.events(of: job.id) { print("event:", event.type) }
        let outcome = try await engine.wait(for: job.id, upTo: .seconds(60))
        print("result:", outcome.result.map { String(decoding: $0.bytes, as: UTF8.self) } ?? "\(outcome.job.state)")

        let greeting = try await engine.submit(
            JobRequest(task: .handler("greet", input: ["name": "Ada"])), waitingUpTo: .seconds(5))
        print("greeting:", greeting.result.map { String(decoding: $0.bytes, as: UTF8.self) } ?? "\(greeting.job.state)")

        let tenants = TenantDirectory(engine: engine)
        guard let name = TenantID("acme") else { return }
        if try await !tenants.tenants().contains(where: { $0.id == name }) { try await tenants.add(name) }
        let key = try await tenants.addKey(to: name, scopes: [.read, .submit], expiresAt: Date() + 3600)
        print("key:", key.key.id, key.key.scopes.map(\.rawValue).sorted())
        guard !isOnce else { return }
        print(key.text)
        try? await gracefulShutdown()
    }
}
