import Foundation

/// What an event holds before it is serialised for a reader.
package enum EventContent: Sendable {
    /// The job changed its state.
    case update(JobState, attempt: Int, message: String?, error: JobError?)
    /// Output of the task.
    case log(LogStream, String)
    /// A JSON object that the task emitted; its members follow the envelope's.
    case emitted(type: String, members: [(name: String, value: [UInt8])])

    /// The event's type.
    package var type: String {
        switch self {
        case .update: "job_update"
        case .log: "log"
        case .emitted(let type, _): type
        }
    }

    /// About the bytes that it takes in memory.
    package var sizeBytes: Int {
        switch self {
        case .update(_, _, let message, let error):
            128 + (message?.utf8.count ?? 0) + (error?.message.utf8.count ?? 0)
        case .log(_, let text): text.utf8.count
        case .emitted(_, let members): members.reduce(64) { $0 + $1.value.count }
        }
    }
}

/// One event of a job, not serialised yet.
package struct EventRecord: Sendable {
    package var sequence: Int
    package var time: Date
    package var content: EventContent

    package init(sequence: Int, time: Date, content: EventContent) {
        self.sequence = sequence
        self.time = time
        self.content = content
    }

    /// Whether it says that the job has ended.
    package var isEnd: Bool {
        guard case .update(let state, _, _, _) = content else { return false }
        return state.isTerminal
    }

    /// The event for a reader.
    package func event(of job: JobID) -> JobEvent {
        JobEvent(jobID: job, seq: sequence, time: time, type: content.type, json: json(of: job))
    }

    /// The event as one JSON object.
    package func json(of job: JobID) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("type")
            writer.value(content.type)
            writer.name("job_id")
            writer.value(job.description)
            writer.name("seq")
            writer.value(sequence)
            writer.name("time")
            writer.value(time)
            write(content, to: &writer)
        }
        return writer.bytes
    }

    private func write(_ content: EventContent, to writer: inout JSONWriter) {
        switch content {
        case .update(let state, let attempt, let message, let error):
            writer.name("status")
            writer.value(state.rawValue)
            writer.name("attempt")
            writer.value(attempt)
            if let message {
                writer.name("message")
                writer.value(message)
            }
            if let error {
                writer.name("error")
                writer.object { writer in
                    writer.name("kind")
                    writer.value(error.kind.rawValue)
                    if let type = error.type {
                        writer.name("type")
                        writer.value(type)
                    }
                    writer.name("message")
                    writer.value(error.message)
                }
            }
        case .log(let stream, let text):
            writer.name("stream")
            writer.value(stream.rawValue)
            writer.name("data")
            writer.value(text)
        case .emitted(_, let members):
            for member in members {
                writer.name(escaping: member.name)
                writer.raw(member.value)
            }
        }
    }
}
