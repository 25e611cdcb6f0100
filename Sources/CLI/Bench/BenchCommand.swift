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
        configuration.data.socketDirectory = nil
        configuration.runtime.default = .docker
        configuration.pools.defaults.minIdle = 0
        configuration.pools.defaults.max = 2
        // Each cold start is of a class of its own, whose sandbox stays: none is to wait for the removal of another one.
        configuration.allocation.cpus = 4096
        configuration.allocation.memoryBytes = 4 << 40
        configuration.gateway.port = 0
        let bench = try await BenchRun(
            configuration: configuration, logger: common.logger(configuration, level: .warning), note: note)
        defer {
            // A temporary folder that stays behind is the system's to clean.
            try? FileManager.default.removeItem(at: folder)
        }
        if payloads { return try await measurePayloads(bench) }
        let report: BenchReport
        do {
            report = try await bench.report(count: count, jobs: jobs, callers: callers, cold: cold)
        } catch {
            await bench.stop()
            throw error
        }
        await bench.stop()
        print(common.json ? String(decoding: report.json.serialized(), as: UTF8.self) : report.text)
    }

    private func measurePayloads(_ bench: BenchRun) async throws {
        let report: PayloadReport
        do {
            report = try await PayloadBench(engine: bench.engine, sizeBytes: 16 << 20).report(
                count: max(1, payloadCount))
        } catch {
            await bench.stop()
            throw error
        }
        await bench.stop()
        print(common.json ? String(decoding: report.json.serialized(), as: UTF8.self) : report.text)
    }

    @Sendable private func note(_ text: String) { FileHandle.standardError.write(Data("bench: \(text)\n".utf8)) }
}
