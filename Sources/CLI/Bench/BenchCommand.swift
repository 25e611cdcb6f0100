import ArgumentParser
import Foundation
import Logging
import NIOCore
import SlipwayCore
import SlipwayGateway

/// Measures the engine beside the floor, in one run.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure latency and throughput beside the floor: one fork for each task, without an engine.",
        discussion: "Starts an engine of its own in a temporary folder. The parts take turns in short rounds, so that "
            + "a noisy machine disturbs all of them alike: trust the ratios.")

    @OptionGroup var common: CommonOptions

    @Option(name: .long, help: "Calls of each kind and pace.")
    var count = 400

    @Option(name: .long, help: "Jobs of each measurement of throughput.")
    var jobs = 3000

    @Option(name: .long, help: "Concurrent REST callers.")
    var callers = 8

    @Option(name: .long, help: "Cold starts.")
    var cold = 5

    @Flag(name: .long, help: "Only what arguments and results of 16 MiB cost, each kind --payload-count times.")
    var payloads = false

    @Option(name: .long, help: "Calls of each kind of payload.")
    var payloadCount = 10

    func run() async throws {
        let folder = URL(fileURLWithPath: NSTemporaryDirectory()).appendingPathComponent("slipway-bench-\(UUID())")
        var configuration = try common.configuration()
        configuration.data.directory = folder.path
        // That of a gateway beside it is the gateway's alone.
        configuration.data.artifacts = nil
        configuration.data.socketDirectory = nil
        configuration.runtime.default = .docker
        configuration.pools.defaults.minIdle = 0
        configuration.pools.defaults.max = 2
        // Each cold start is of a class of its own, whose sandbox stays: none is to wait for the removal of another one.
        configuration.allocation.cpus = 4096
        configuration.allocation.memoryBytes = 4 << 40
        configuration.gateway.port = 0
        // From here on a signal is no reason to leave containers behind.
        let interrupts = Interrupts()
        defer {
            // A temporary folder that stays behind is the system's to clean.
            try? FileManager.default.removeItem(at: folder)
        }
        let bench = try await BenchRun(
            configuration: configuration, logger: common.logger(configuration, level: .warning), note: note)
        let measuring = Task { try await measure(bench) }
        let listening = Task { () -> Int32? in
            for await number in interrupts.signals {
                note("ended by a signal, cleaning up")
                measuring.cancel()
                return number
            }
            return nil
        }
        let measured = await measuring.result
        listening.cancel()
        let interrupted = await listening.value
        await bench.stop()
        if let interrupted { throw CommandExit(128 + interrupted) }
        print(try measured.get())
    }

    /// Measures what is asked for; gives the report as it is printed.
    private func measure(_ bench: BenchRun) async throws -> String {
        if payloads {
            let report = try await PayloadBench(engine: bench.engine, sizeBytes: 16 << 20).report(
                count: max(1, payloadCount))
            return common.json ? String(decoding: report.json.serialized(), as: UTF8.self) : report.text
        }
        let report = try await bench.report(count: count, jobs: jobs, callers: callers, cold: cold)
        return common.json ? String(decoding: report.json.serialized(), as: UTF8.self) : report.text
    }

    @Sendable private func note(_ text: String) { FileHandle.standardError.write(Data("bench: \(text)\n".utf8)) }
}
