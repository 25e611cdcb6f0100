import Foundation
import SlipwayCore
import Testing

/// A job as callers read it, member by member.
@Suite("The JSON of a job")
struct JobEncodingTests {
    private static let created = Date(timeIntervalSince1970: 1_740_830_400)

    /// Asks a gateway for a job, with what it is about in place of `ID`.
    private func check(_ outcome: JobOutcome, at path: String, is expected: String) async throws {
        try await withGateway { gateway in
            await gateway.service.add(outcome)
            let id = outcome.job.id.description
            let response = try await gateway.send("GET", path.replacingOccurrences(of: "ID", with: id))
            #expect(response.status == 200)
            let wanted = try JSONValue(parsing: Array(expected.replacingOccurrences(of: "ID", with: id).utf8))
            #expect(try response.json() == wanted, "\(response.text)")
        }
    }

    @Test("a job that has ended has all of its members")
    func ended() async throws {
        var job = Job(
            id: JobID(), tenant: .default, name: "train \"a\"", kind: .source, handler: "docker", state: .error,
            attempt: 2, createdAt: Self.created, startedAt: Self.created + 0.25, finishedAt: Self.created + 2,
            timings: .init(queued: 0.0001126, start: 0.25, run: 1.5, total: 2), start: .stem, sandbox: "sbx_1",
            exitCode: 3, usage: .init(cpuSeconds: 1.25, maxRSSBytes: 20_480, sandboxMemoryPeakBytes: 65_536),
            error: JobError(kind: .exit, type: "SystemExit", message: "3", traceback: "Traceback"),
            cancelRequested: true, labels: ["team": "a", "run": "7"])
        job.gpus = .init(devices: ["0", "GPU-b"], memoryLimitBytes: 8 << 30, enforcement: .mps)
        job.message = "it waits"
        try await check(
            JobOutcome(job: job), at: "/v1/jobs/ID",
            is: """
                {
                  "id": "ID", "tenant": "default", "name": "train \\"a\\"", "kind": "source", "handler": "docker",
                  "state": "error", "attempt": 2, "message": "it waits",
                  "created_at": "2025-03-01T12:00:00.000Z", "started_at": "2025-03-01T12:00:00.250Z",
                  "finished_at": "2025-03-01T12:00:02.000Z",
                  "timings": {"queued": 0.000113, "start": 0.25, "run": 1.5, "total": 2.0},
                  "start": "stem", "sandbox": "sbx_1", "exit_code": 3,
                  "usage": {"cpu_seconds": 1.25, "max_rss": 20480, "sandbox_memory_peak": 65536},
                  "gpu": {"devices": ["0", "GPU-b"], "memory_limit": 8589934592, "enforcement": "mps"},
                  "error": {"kind": "exit", "type": "SystemExit", "message": "3", "traceback": "Traceback"},
                  "cancel_requested": true, "labels": {"team": "a", "run": "7"},
                  "result_url": "/v1/jobs/ID/result"
                }
                """)
    }

    @Test("a job that waits has the same members, null where there is nothing yet")
    func waiting() async throws {
        try await check(
            JobOutcome(job: .sample()), at: "/v1/jobs/ID",
            is: """
                {
                  "id": "ID", "tenant": "default", "name": null, "kind": "source", "handler": "docker",
                  "state": "queued", "attempt": 0, "message": null,
                  "created_at": "2025-03-01T12:00:00.000Z", "started_at": null, "finished_at": null,
                  "timings": {"queued": null, "start": null, "run": null, "total": null},
                  "start": null, "sandbox": null, "exit_code": null, "usage": null, "gpu": null, "error": null,
                  "cancel_requested": false, "labels": {}, "result_url": "/v1/jobs/ID/result"
                }
                """)
    }

    @Test("what is not known of usage, devices and errors is null; a result that was waited for comes inline")
    func gaps() async throws {
        var job = Job.sample(kind: .command, state: .completed)
        job.start = .cold
        job.exitCode = 0
        job.usage = .init(cpuSeconds: 0, maxRSSBytes: 0)
        job.gpus = .init(devices: [])
        job.error = JobError(kind: .expired, message: "late")
        let result = JobResult(media: .json, bytes: Array("[1]".utf8))
        try await check(
            JobOutcome(job: job, result: result), at: "/v1/jobs/ID?wait=1",
            is: """
                {
                  "id": "ID", "tenant": "default", "name": null, "kind": "command", "handler": "docker",
                  "state": "completed", "attempt": 0, "message": null,
                  "created_at": "2025-03-01T12:00:00.000Z", "started_at": null, "finished_at": null,
                  "timings": {"queued": null, "start": null, "run": null, "total": null},
                  "start": "cold", "sandbox": null, "exit_code": 0,
                  "usage": {"cpu_seconds": 0.0, "max_rss": 0, "sandbox_memory_peak": null},
                  "gpu": {"devices": [], "memory_limit": null, "enforcement": null},
                  "error": {"kind": "expired", "type": null, "message": "late", "traceback": null},
                  "cancel_requested": false, "labels": {}, "result_url": "/v1/jobs/ID/result",
                  "result": {"media_type": "application/json", "value": [1]}
                }
                """)
    }
}
