/// Where the output of an attempt that is over stands among the events of its job.
struct AttemptOutput {
    /// The attempt's number.
    var attempt: Int
    /// The indices of the events of its time.
    var events: Range<Int>
    /// Bytes of output in them.
    var bytes: Int
}

extension ActiveJob {
    /// Emits what is left of text that ended within a character.
    func flushText() {
        for stream in [LogStream.stdout, .stderr] {
            let rest = (gathered[stream] ?? "") + (assemblers[stream]?.finish() ?? "")
            assemblers[stream] = nil
            gathered[stream] = nil
            if !rest.isEmpty { emit(.log(stream, rest)) }
        }
    }

    /// Emits output; from `eventsMax` events on in large pieces, since a task may write byte by byte.
    func emitLog(_ stream: LogStream, _ text: String, eventsMax: Int) {
        guard !text.isEmpty else { return }
        guard events.count >= eventsMax else {
            emit(.log(stream, text))
            return
        }
        gathered[stream, default: ""] += text
        if let piece = gathered[stream], piece.utf8.count >= Self.inputKeptBytes {
            gathered[stream] = nil
            emit(.log(stream, piece))
        }
    }

    /// The most bytes of output of attempts that are over; the newest of them keeps its own in any case.
    static func earlierOutputLimitBytes(logLimitBytes: Int) -> Int { max(8 << 20, 2 * logLimitBytes) }

    /// Notes that the current attempt is over: where the attempts before have more output than may be kept, that of the
    /// oldest is left out.
    ///
    /// Its events stay, so that numbers mean what they did: the first of each stream says how much is left out, the
    /// others hold nothing.
    func closeOutput(of attempt: Int, limitBytes: Int) {
        let range = outputBegin..<events.count
        outputBegin = events.count
        let bytes = events[range].reduce(0) { sum, record in
            if case .log(_, let text) = record.content { sum + text.utf8.count } else { sum }
        }
        guard bytes > 0 else { return }
        earlierOutputs.append(AttemptOutput(attempt: attempt, events: range, bytes: bytes))
        var total = earlierOutputs.reduce(0) { $0 + $1.bytes }
        while total > limitBytes, earlierOutputs.count > 1 {
            let oldest = earlierOutputs.removeFirst()
            total -= oldest.bytes
            leaveOut(oldest)
        }
    }

    private func leaveOut(_ output: AttemptOutput) {
        var bytes: [LogStream: Int] = [:]
        for record in events[output.events] {
            if case .log(let stream, let text) = record.content { bytes[stream, default: 0] += text.utf8.count }
        }
        for index in output.events {
            guard case .log(let stream, let text) = events[index].content else { continue }
            let left = bytes.removeValue(forKey: stream).map {
                "[... \($0) bytes of attempt \(output.attempt) left out ...]\n"
            }
            events[index].content = .log(stream, left ?? "")
            keptBytes += (left?.utf8.count ?? 0) - text.utf8.count
        }
    }
}
