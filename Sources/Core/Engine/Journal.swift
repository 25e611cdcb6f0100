import Foundation

/// The events and logs of a job as they rest: one JSON object for each line.
enum Journal {
    /// Whether events have so much to say that they are packed or read on another thread.
    static func isLong(_ events: [EventRecord], bytes limit: Int) -> Bool {
        guard events.count <= 256 else { return true }
        return events.reduce(0) { $0 + $1.content.sizeBytes } > limit
    }

    /// Encodes events; the job's identifier is left out, since the file belongs to it.
    static func encode(_ events: [EventRecord]) -> [UInt8] {
        var bytes: [UInt8] = []
        for event in events {
            bytes.append(contentsOf: event.line())
            bytes.append(UInt8(ascii: "\n"))
        }
        return bytes
    }

    /// Decodes events; a line that is not one of ours is an error.
    static func decode(_ bytes: [UInt8]) throws -> [EventRecord] {
        var events: [EventRecord] = []
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            guard let record = EventRecord(line: Array(line)) else {
                throw EngineError(.artifactCorrupt, "the job's stored events cannot be read")
            }
            events.append(record)
        }
        return events
    }
}

extension EventRecord {
    /// The event as a line of the journal.
    fileprivate func line() -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("n")
            writer.value(sequence)
            writer.name("t")
            writer.value(time.timeIntervalSince1970)
            switch content {
            case .update(let state, let attempt, let message, let error):
                writer.name("state")
                writer.value(state.rawValue)
                writer.name("attempt")
                writer.value(attempt)
                if let message {
                    writer.name("message")
                    writer.value(message)
                }
                if let error {
                    writer.name("kind")
                    writer.value(error.kind.rawValue)
                    writer.name("error")
                    writer.value(error.message)
                    if let type = error.type {
                        writer.name("type")
                        writer.value(type)
                    }
                }
            case .log(let stream, let text):
                writer.name("stream")
                writer.value(stream.rawValue)
                writer.name("data")
                writer.value(text)
            case .emitted(let type, let members):
                writer.name("event")
                writer.value(type)
                writer.name("members")
                writer.object { writer in
                    for member in members {
                        writer.name(escaping: member.name)
                        writer.raw(member.value)
                    }
                }
            }
        }
        return writer.bytes
    }

    /// The most nested levels of a line: earlier versions took events of 512, which rest up to two levels deeper.
    private static let depthMax = 514

    /// Reads a line of the journal.
    fileprivate init?(line: [UInt8]) {
        guard case .object(let members)? = try? JSONValue(parsing: line, depth: Self.depthMax),
            case .integer(let number)? = members["n"]
        else { return nil }
        let seconds: Double
        switch members["t"] {
        case .number(let value)?: seconds = value
        case .integer(let value)?: seconds = Double(value)
        default: return nil
        }
        let content: EventContent
        if let name = members["state"]?.text, let state = JobState(rawValue: name) {
            var attempt = 0
            if case .integer(let value)? = members["attempt"] { attempt = Int(value) }
            let error = members["kind"]?.text.flatMap(JobError.Kind.init(rawValue:)).map {
                JobError(kind: $0, type: members["type"]?.text, message: members["error"]?.text ?? "")
            }
            content = .update(state, attempt: attempt, message: members["message"]?.text, error: error)
        } else if let name = members["stream"]?.text, let stream = LogStream(rawValue: name) {
            content = .log(stream, members["data"]?.text ?? "")
        } else if let type = members["event"]?.text, case .object(let rest)? = members["members"] {
            content = .emitted(
                type: type, members: rest.sorted { $0.key < $1.key }.map { ($0.key, $0.value.serialized()) })
        } else {
            return nil
        }
        self.init(sequence: Int(number), time: Date(timeIntervalSince1970: seconds), content: content)
    }
}
