import ArgumentParser
import Foundation
import SlipwayCore

/// Runs one job on an embedded engine.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run one Python file, code or command in a sandbox, without a gateway.")

    @OptionGroup var common: CommonOptions

    @Option(name: .customShort("c"), help: "Run this Python code.")
    var code: String?

    @Argument(parsing: .captureForPassthrough, help: "A Python file with arguments, or a command.")
    var arguments: [String] = []

    func run() async throws {
        let configuration = try common.configuration()
        let engine = try await Engine(configuration: configuration, logger: common.logger(configuration, level: .debug))
        try await engine.start()
        var request = JobRequest(task: .source(code ?? "def main(): return 1"))
        request.name = "run"
        for _ in 0..<20 {
            let outcome = try await engine.submit(request, waitingUpTo: .seconds(60))
            print(outcome.job.state, outcome.job.timings, outcome.job.error as Any, outcome.result.map { String(decoding: $0.bytes, as: UTF8.self) } as Any)
        }
        await engine.shutdown()
    }
}
