import NIOCore

/// A frame from a supervisor, decoded and checked for shape.
package enum RunnerMessage: Sendable {
    /// The first frame of every connection.
    package struct Hello: Sendable {
        package var protocolVersion: Int
        package var sandbox: String
        package var python: String
        package var abi: String
        package var libc: String
        package var degraded: [String]
        package var cgroup: String
        package var configured: String?
        package var running: [TaskReference]
        package var results: [TaskReference]
        package var queued: [TaskReference]
        /// Slots that run a task or are not verified clean yet.
        package var busySlots: Set<Int>
        /// The slots of the attempts that have not been swept yet.
        package var places: [TaskReference: Int]
        /// The processors that the sandbox may use; nil where the supervisor does not say.
        package var processors: ProcessorList?
        /// Those of them that it is kept to; nil for none.
        package var kept: ProcessorList?

        /// The interpreter's version as major and minor, such as `3.11`.
        package var pythonMinor: String {
            python.split(separator: ".").prefix(2).joined(separator: ".")
        }
    }

    /// The answer to CONFIGURE: the zygote is warm.
    package struct Ready: Sendable {
        package var key: String
        package var cloudpickle: String?
        package var preloadErrors: [PreloadError]
    }

    /// A module that could not be imported ahead, and why.
    package struct PreloadError: Sendable, Equatable {
        package var module: String
        package var message: String
    }

    /// How a task ended.
    package struct Result: Sendable {
        package enum Outcome: String, Sendable, CaseIterable {
            case ok
            case exception
            case exit
            case signal
            case timeout
            case cancelled
            case oom
            case `protocol`
            case pythonMismatch = "python_mismatch"
            case dependency
            case resultTooLarge = "result_too_large"
            case unpicklable
        }

        package var outcome: Outcome
        package var media: String?
        package var isZlib: Bool
        package var sizeBytes: Int
        package var inflatedBytes: Int
        package var errorType: String?
        package var errorMessage: String?
        package var traceback: String?
        package var exitCode: Int?
        package var signal: Int?
        package var runSeconds: Double?
        package var cpuSeconds: Double?
        package var maxRSSBytes: Int?
        /// The most memory that the sandbox ever held; nil of short tasks, and where no control group knows it.
        package var sandboxMemoryPeakBytes: Int?
        package var eventsDropped: Int
    }

    /// What the supervisor measured of a task, after everything of it is gone.
    package struct Clean: Sendable {
        package var slot: Int
        package var cpuSeconds: Double
        package var maxRSSBytes: Int
        package var swept: Int
    }

    /// The last words of a supervisor that gives up.
    package struct Fault: Sendable {
        package var code: String
        package var message: String
        /// The attempts that it knows and has not begun.
        package var unstarted: [TaskReference]
        /// All that it has begun, or may have; nil from a runner that does not tell.
        package var begun: [TaskReference]?

        /// Whether something of an attempt may have run.
        ///
        /// What the supervisor has never seen was still on its way when it gave up.
        package func mayHaveBegun(_ attempt: TaskReference) -> Bool {
            begun?.contains(attempt) ?? !unstarted.contains(attempt)
        }
    }

    case hello(Hello)
    case ready(Ready)
    case log(TaskReference, stream: LogStream, offset: Int, skipped: Int, ByteBuffer)
    case event(TaskReference, sequence: Int, ByteBuffer)
    /// `size`, of the whole result, is not told by older runners.
    case resultPart(TaskReference, offset: Int, size: Int?, ByteBuffer)
    case result(TaskReference, Result, ByteBuffer)
    case output(TaskReference, OutputPart, ByteBuffer)
    case outputs(TaskReference, OutputSummary)
    case clean(TaskReference, Clean)
    /// `load` is the number of processors that were in use, while a task runs for long.
    case heartbeat(load: Double?)
    case fault(Fault)

    private static let sizes = 0...Int(1 << 40)

    /// Decodes a frame from a supervisor.
    package init(_ frame: Frame) throws(Frame.Violation) {
        guard frame.kind.isFromSupervisor else { throw .kind(frame.kind.rawValue) }
        let fields = try HeaderFields(Array(frame.header.readableBytesView))
        switch frame.kind {
        case .hello: self = .hello(try Self.hello(fields))
        case .ready: self = .ready(try Self.ready(fields))
        case .log:
            let name = try fields.string("stream")
            guard let stream = LogStream(rawValue: name), stream == .stdout || stream == .stderr else {
                throw .header("stream is unknown")
            }
            self = .log(
                try fields.reference(), stream: stream, offset: try fields.integer("offset", in: Self.sizes),
                skipped: try fields.optionalInteger("skipped", in: Self.sizes) ?? 0, frame.body)
        case .event:
            self = .event(
                try fields.reference(), sequence: try fields.integer("seq", in: 1...1_000_000_000), frame.body)
        case .resultPart:
            self = .resultPart(
                try fields.reference(), offset: try fields.integer("offset", in: Self.sizes),
                size: try fields.optionalInteger("size", in: Self.sizes), frame.body)
        case .result: self = .result(try fields.reference(), try Self.result(fields), frame.body)
        case .output: self = .output(try fields.reference(), try OutputPart(fields), frame.body)
        case .outputs: self = .outputs(try fields.reference(), try OutputSummary(fields))
        case .clean:
            let usage = try fields.object("usage")
            self = .clean(
                try fields.reference(),
                Clean(
                    slot: try fields.integer("slot", in: 0...1023),
                    cpuSeconds: try usage?.seconds("cpu_seconds") ?? 0,
                    maxRSSBytes: try usage?.optionalInteger("max_rss", in: Self.sizes) ?? 0,
                    swept: try fields.optionalInteger("swept", in: Self.sizes) ?? 0))
        case .fault:
            self = .fault(
                Fault(
                    code: try fields.string("code"), message: try fields.string("message"),
                    unstarted: try fields.references("unstarted"), begun: try fields.optionalReferences("begun")))
        case .heartbeat:
            _ = (try fields.seconds("uptime"), try fields.optionalInteger("busy", in: 0...1024))
            self = .heartbeat(load: try fields.seconds("load"))
        case .welcome, .configure, .start, .input, .cancel, .acknowledge, .shutdown, .call:
            throw .kind(frame.kind.rawValue)
        }
    }

    private static func hello(_ fields: HeaderFields) throws(Frame.Violation) -> Hello {
        Hello(
            protocolVersion: try fields.integer("protocol", in: 0...255), sandbox: try fields.string("sandbox"),
            python: try fields.string("python"), abi: try fields.optionalString("abi") ?? "",
            libc: try fields.optionalString("libc") ?? "", degraded: try fields.strings("degraded"),
            cgroup: try fields.optionalString("cgroup") ?? "none",
            configured: try fields.optionalString("configured"), running: try fields.references("running"),
            results: try fields.references("results"), queued: try fields.references("queued"),
            busySlots: try busySlots(fields), places: try places(fields),
            processors: try fields.optionalString("processors").flatMap { ProcessorList($0) },
            kept: try fields.optionalString("kept").flatMap { ProcessorList($0) })
    }

    private static func busySlots(_ fields: HeaderFields) throws(Frame.Violation) -> Set<Int> {
        var busy: Set<Int> = []
        for slot in try fields.objects("slots") where try slot.string("state") != "idle" {
            busy.insert(try slot.integer("slot", in: 0...1023))
        }
        return busy
    }

    private static func places(_ fields: HeaderFields) throws(Frame.Violation) -> [TaskReference: Int] {
        var places: [TaskReference: Int] = [:]
        for slot in try fields.objects("slots") {
            guard let task = try slot.object("task") else { continue }
            places[try task.reference()] = try slot.integer("slot", in: 0...1023)
        }
        return places
    }

    private static func ready(_ fields: HeaderFields) throws(Frame.Violation) -> Ready {
        var errors: [PreloadError] = []
        if let preload = try fields.object("preload") {
            for failure in try preload.objects("errors") {
                errors.append(
                    PreloadError(module: try failure.string("module"), message: try failure.string("message")))
            }
        }
        return Ready(
            key: try fields.string("key"), cloudpickle: try fields.optionalString("cloudpickle"),
            preloadErrors: errors)
    }

    private static func result(_ fields: HeaderFields) throws(Frame.Violation) -> Result {
        guard let outcome = Result.Outcome(rawValue: try fields.string("outcome")) else {
            throw .header("outcome is unknown")
        }
        let encoding = try fields.optionalString("encoding") ?? "identity"
        guard encoding == "identity" || encoding == "zlib" else { throw .header("encoding is unknown") }
        let error = try fields.object("error")
        let usage = try fields.object("usage")
        return Result(
            outcome: outcome, media: try fields.optionalString("media"), isZlib: encoding == "zlib",
            sizeBytes: try fields.integer("size", in: sizes),
            inflatedBytes: try fields.optionalInteger("inflated", in: sizes) ?? 0,
            errorType: try error?.optionalString("type"), errorMessage: try error?.optionalString("message"),
            traceback: try error?.optionalString("traceback"),
            exitCode: try fields.optionalInteger("exit_code", in: -255...255),
            signal: try fields.optionalInteger("signal", in: 0...255), runSeconds: try fields.seconds("run"),
            cpuSeconds: try usage?.seconds("cpu_seconds"),
            maxRSSBytes: try usage?.optionalInteger("max_rss", in: sizes),
            sandboxMemoryPeakBytes: try usage?.optionalInteger("sandbox_memory_peak", in: sizes),
            eventsDropped: try fields.optionalInteger("events_dropped", in: sizes) ?? 0)
    }
}
