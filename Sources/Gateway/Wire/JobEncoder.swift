import Foundation
import SlipwayCore

/// Writes jobs as JSON.
package enum JobEncoder {
    /// One job, with its result when it is at hand.
    package static func bytes(_ job: Job, result: JobOutcome? = nil) -> [UInt8] {
        let payload = (result?.result?.bytes.count ?? 0) + (result?.packedText?.count ?? 0)
        var writer = JSONWriter(capacity: 768 + payload)
        write(job, result: result, to: &writer)
        return writer.bytes
    }

    /// Writes one job.
    static func write(_ job: Job, result outcome: JobOutcome? = nil, to writer: inout JSONWriter) {
        writer.object { writer in
            let id = job.id.description
            writer.name("id")
            writer.value(id)
            writer.name("tenant")
            writer.value(job.tenant.description)
            writer.name("name")
            writer.value(job.name)
            writer.name("kind")
            writer.value(job.kind.rawValue)
            writer.name("handler")
            writer.value(job.handler)
            writer.name("state")
            writer.value(job.state.rawValue)
            writer.name("attempt")
            writer.value(job.attempt)
            writer.name("message")
            writer.value(job.message)
            writeTimes(job, to: &writer)
            writer.name("start")
            writer.value(job.start?.rawValue)
            writer.name("sandbox")
            writer.value(job.sandbox)
            writer.name("exit_code")
            if let code = job.exitCode { writer.value(code) } else { writer.null() }
            writeUsage(job.usage, to: &writer)
            writeGPUs(job.gpus, to: &writer)
            writer.name("error")
            write(job.error, to: &writer)
            writer.name("cancel_requested")
            writer.value(job.cancelRequested)
            writer.name("labels")
            write(job.labels, to: &writer)
            writer.name("result_url")
            writer.value("/v1/jobs/\(id)/result")
            if let outcome, let result = outcome.result {
                writer.name("result")
                writer.object { ResultEncoder.writeMembers(result, packedText: outcome.packedText, to: &$0) }
            }
        }
    }

    /// Writes an error of a job, or `null`.
    static func write(_ error: JobError?, to writer: inout JSONWriter) {
        guard let error else { return writer.null() }
        writer.object { writer in
            writer.name("kind")
            writer.value(error.kind.rawValue)
            writer.name("type")
            writer.value(error.type)
            writer.name("message")
            writer.value(error.message)
            writer.name("traceback")
            writer.value(error.traceback)
        }
    }

    private static func writeTimes(_ job: Job, to writer: inout JSONWriter) {
        writer.name("created_at")
        writer.value(job.createdAt)
        writer.name("started_at")
        if let date = job.startedAt { writer.value(date) } else { writer.null() }
        writer.name("finished_at")
        if let date = job.finishedAt { writer.value(date) } else { writer.null() }
        writer.name("timings")
        writer.object { writer in
            writer.name("queued")
            writer.value(seconds: job.timings.queued)
            writer.name("start")
            writer.value(seconds: job.timings.start)
            writer.name("run")
            writer.value(seconds: job.timings.run)
            writer.name("total")
            writer.value(seconds: job.timings.total)
        }
    }

    private static func writeUsage(_ usage: Job.Usage?, to writer: inout JSONWriter) {
        writer.name("usage")
        if let usage {
            writer.object { writer in
                writer.name("cpu_seconds")
                writer.value(seconds: usage.cpuSeconds)
                writer.name("max_rss")
                writer.value(usage.maxRSSBytes)
                writer.name("sandbox_memory_peak")
                if let peak = usage.sandboxMemoryPeakBytes { writer.value(peak) } else { writer.null() }
            }
        } else {
            writer.null()
        }
    }

    private static func writeGPUs(_ gpus: Job.GPUs?, to writer: inout JSONWriter) {
        writer.name("gpu")
        guard let gpus else { return writer.null() }
        writer.object { writer in
            writer.name("devices")
            writer.array { writer in for device in gpus.devices { writer.value(device) } }
            writer.name("memory_limit")
            if let limit = gpus.memoryLimitBytes { writer.value(limit) } else { writer.null() }
            writer.name("enforcement")
            writer.value(gpus.enforcement?.rawValue)
        }
    }

    private static func write(_ labels: [String: String], to writer: inout JSONWriter) {
        writer.object { writer in
            guard !labels.isEmpty else { return }
            for (key, value) in labels.sorted(by: { $0.key < $1.key }) {
                writer.name(escaping: key)
                writer.value(value)
            }
        }
    }
}

extension JSONWriter {
    /// Writes a string or `null`.
    mutating func value(_ text: String?) {
        if let text { value(text) } else { null() }
    }

    /// Writes seconds, rounded to microseconds, or `null`.
    mutating func value(seconds: Double?) {
        if let seconds { value((seconds * 1_000_000).rounded() / 1_000_000) } else { null() }
    }
}
