import SlipwayCore

/// The shape of a JSON value, as `docs/runner.md` describes the headers of frames; independent of the code under test.
indirect enum FrameShape: Sendable {
    case text
    case word(Set<String>)
    case nonce
    case jobName
    case integer(ClosedRange<Int64>)
    case duration
    case flag
    case array(FrameShape)
    /// Members that must be there, and those that may be; others do not count.
    case object([String: FrameShape], optional: [String: FrameShape] = [:])

    /// Whether a value has this shape.
    func fits(_ value: JSONValue) -> Bool {
        switch (self, value) {
        case (.text, .string): true
        case (.word(let words), .string(let text)): words.contains(text)
        case (.nonce, .string(let text)):
            text.utf8.count == 32 && text.allSatisfy { "0123456789abcdef".contains($0) }
        case (.jobName, .string(let text)): (1...128).contains(text.utf8.count)
        case (.integer(let range), .integer(let number)): range.contains(number)
        case (.duration, .integer(let number)): number >= 0
        case (.duration, .number(let number)): number >= 0 && number < .infinity
        case (.flag, .bool): true
        case (.array(let shape), .array(let values)): values.allSatisfy(shape.fits)
        case (.object(let required, let optional), .object(let members)):
            required.allSatisfy { name, shape in members[name].map(shape.fits) ?? false }
                && optional.allSatisfy { name, shape in
                    switch members[name] {
                    case nil, .null?: true
                    case let value?: shape.fits(value)
                    }
                }
        default: false
        }
    }

    private static let size = integer(0...(1 << 40))
    private static let task: [String: FrameShape] = [
        "job": .jobName, "attempt": .integer(1...1_000_000), "nonce": .nonce,
    ]
    private static let tasks = array(object(task))
    private static let usage = object([:], optional: ["cpu_seconds": .duration, "max_rss": size])
    private static let resultUsage = object(
        [:], optional: ["cpu_seconds": .duration, "max_rss": size, "sandbox_memory_peak": size])
    private static let outcomes: Set<String> = [
        "ok", "exception", "exit", "signal", "timeout", "cancelled", "oom", "protocol", "python_mismatch",
        "dependency", "result_too_large", "unpicklable",
    ]

    /// The header of a frame from a supervisor; nil for a type that it must not send.
    static func header(of kind: UInt8) -> FrameShape? {
        switch kind {
        case 0x81:
            object(
                ["protocol": .integer(0...255), "sandbox": .text, "python": .text],
                optional: [
                    "abi": .text, "libc": .text, "cgroup": .text, "configured": .text, "degraded": .array(.text),
                    "running": tasks, "results": tasks, "queued": tasks,
                    "slots": .array(.object(["state": .text])), "processors": .text, "kept": .text,
                ])
        case 0x82:
            object(
                ["key": .text],
                optional: [
                    "cloudpickle": .text,
                    "preload": .object(
                        [:], optional: ["errors": .array(.object(["module": .text, "message": .text]))]),
                ])
        case 0x84:
            object(
                task.merging(["stream": .word(["stdout", "stderr"]), "offset": size]) { $1 },
                optional: ["skipped": size])
        case 0x85: object(task.merging(["seq": .integer(1...1_000_000_000)]) { $1 })
        case 0x86: object(task.merging(["offset": size]) { $1 }, optional: ["size": size])
        case 0x87:
            object(
                task.merging(["outcome": .word(outcomes), "size": size]) { $1 },
                optional: [
                    "media": .text, "encoding": .word(["identity", "zlib"]), "inflated": size,
                    "error": .object([:], optional: ["type": .text, "message": .text, "traceback": .text]),
                    "exit_code": .integer(-255...255), "signal": .integer(0...255), "run": .duration,
                    "usage": resultUsage, "events_dropped": size,
                ])
        case 0x88:
            object(
                task.merging(["slot": .integer(0...1023)]) { $1 }, optional: ["usage": usage, "swept": size])
        case 0x89: object([:], optional: ["uptime": .duration, "busy": .integer(0...1024), "load": .duration])
        case 0x8A: object(["code": .text, "message": .text], optional: ["unstarted": tasks, "begun": tasks])
        case 0x8B:
            object(
                task.merging(["index": .integer(1...1_000_000), "offset": size]) { $1 },
                optional: ["name": .text, "last": .flag])
        case 0x8C:
            object(
                task.merging(["files": .integer(0...1_000_000)]) { $1 },
                optional: [
                    "skipped": .array(.object(["name": .text, "reason": .text])), "skipped_count": size,
                    "cut": .flag,
                ])
        default: nil
        }
    }

    /// What a header has to obey beyond its shape: only the first part of a file names it.
    static func isCoherent(_ kind: UInt8, _ header: JSONValue) -> Bool {
        guard kind == 0x8B else { return true }
        return (header["offset"] == 0) == (header["name"]?.text != nil)
    }

    /// The most bytes of the body of a frame of any type that there is; nil for other types.
    static func bodyLimit(of kind: UInt8) -> Int? {
        switch kind {
        case 3, 4, 0x86, 0x87, 0x8B: 1 << 20
        case 0x84, 0x85: 1 << 16
        case 1, 2, 5, 6, 7, 8, 0x81, 0x82, 0x88, 0x89, 0x8A, 0x8C: 0
        default: nil
        }
    }
}
