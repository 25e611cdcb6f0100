import Logging
import SlipwayCore

/// Starts one sandbox as jobs get them, and asks it what it has.
struct SandboxCheck {
    let configuration: Configuration
    let logger: Logger

    func finding() async -> Finding {
        let name = "sandbox"
        do {
            let embedded = try await EmbeddedEngine.open(configuration, logger: logger)
            let result: Finding
            do {
                result = try await probe(embedded.engine)
            } catch {
                result = .fail(name, CommandExit(error)?.message ?? "\(error)", "see the findings above")
            }
            await embedded.close()
            return result
        } catch {
            return .fail(name, CommandExit(error)?.message ?? "\(error)", "see the findings above")
        }
    }

    private func probe(_ engine: Engine) async throws -> Finding {
        var request = JobRequest(task: .source("def main():\n    return 1"))
        request.name = "doctor"
        request.timeout = .seconds(20)
        let job = try await engine.submit(request, waitingUpTo: .seconds(120)).job
        guard job.state == .completed else {
            return .fail(
                "sandbox", job.error?.message ?? "a small job did not end within two minutes",
                "see the findings above, and `slipway run -v -c 'print(1)'`")
        }
        guard let report = await engine.sandboxReports().first else {
            return .warn("sandbox", "a job ran, but its sandbox is gone", "run `slipway doctor --deep` again")
        }
        let text =
            "\(job.handler), Python \(report.python), \(report.libc), "
            + (report.cloudpickle.map { "cloudpickle \($0)" } ?? "no cloudpickle")
            + (job.timings.total.map { ", first job after \(JobReport.duration($0))" } ?? "")
        if !report.degraded.isEmpty {
            return .warn(
                "sandbox", text + "; without: \(report.degraded.joined(separator: ", "))",
                "tasks run, with less protection between one and the next: see docs/threat-model.md")
        }
        if report.cloudpickle == nil {
            return .warn(
                "sandbox", text,
                "callables get cloudpickle from an environment that is installed once; an image with it is faster")
        }
        return .ok("sandbox", text)
    }
}
