import NIOCore

/// What the host says to a supervisor; each case becomes one frame.
package enum RunnerCommand {
    /// What a sandbox's zygote is prepared for.
    package struct Configuration: Sendable, Equatable {
        /// Names this preparation; READY repeats it.
        package var key: String
        /// The group of the tenant, or nil where the runtime has no groups.
        package var groupID: Int?
        /// Folders of environments, in the order of the module search.
        package var path: [String]
        /// Modules to import ahead.
        package var preload: [String]
        /// Environment variables of every task.
        package var env: [String: String]
        /// Whether it is only to be warmed: a tenant, and another CONFIGURE, come later.
        package var isAhead: Bool
        /// What tasks may leave behind; nil where nothing is kept.
        package var outputs: OutputLimits?

        package init(
            key: String, groupID: Int?, path: [String] = [], preload: [String] = [], env: [String: String] = [:],
            isAhead: Bool = false, outputs: OutputLimits? = nil
        ) {
            self.isAhead = isAhead
            self.key = key
            self.groupID = groupID
            self.path = path
            self.preload = preload
            self.env = env
            self.outputs = outputs
        }
    }

    /// One task to start; its input travels in the body.
    package struct Start: Sendable {
        package var reference: TaskReference
        /// The place in the sandbox that the task takes.
        package var slot: Int
        package var kind: TaskSpec.Kind
        package var name: String?
        package var timeoutSeconds: Double?
        package var env: [String: String]
        package var isZlib: Bool
        package var inflatedLimitBytes: Int
        package var resultLimitBytes: Int
        package var logLimitBytes: Int
        package var python: String?
        package var openFiles: Int

        package init(
            reference: TaskReference, slot: Int = 0, kind: TaskSpec.Kind, name: String?, timeoutSeconds: Double?,
            env: [String: String], isZlib: Bool, inflatedLimitBytes: Int, resultLimitBytes: Int, logLimitBytes: Int,
            python: String?, openFiles: Int
        ) {
            self.reference = reference
            self.slot = slot
            self.kind = kind
            self.name = name
            self.timeoutSeconds = timeoutSeconds
            self.env = env
            self.isZlib = isZlib
            self.inflatedLimitBytes = inflatedLimitBytes
            self.resultLimitBytes = resultLimitBytes
            self.logLimitBytes = logLimitBytes
            self.python = python
            self.openFiles = openFiles
        }
    }

    case welcome(resume: [TaskReference])
    case configure(Configuration)
    case start(Start, input: [UInt8])
    case cancel(TaskReference, reason: String)
    case acknowledge(TaskReference)
    case shutdown

    /// Appends the command's frames to `buffer`.
    ///
    /// - Returns: False when its header is longer than the supervisor takes; then nothing is written.
    @discardableResult
    package func write(into buffer: inout ByteBuffer) -> Bool {
        switch self {
        case .welcome(let resume):
            var writer = JSONWriter()
            writer.object { writer in
                writer.name("resume")
                writer.array { writer in
                    for reference in resume { writer.object { Self.write(reference, to: &$0) } }
                }
            }
            return Frame.write(.welcome, header: writer.bytes, into: &buffer)
        case .configure(let configuration):
            return Frame.write(.configure, header: Self.header(of: configuration), into: &buffer)
        case .start(let start, let input):
            let header = Self.header(of: start, inputBytes: input.count)
            guard Frame.write(.start, header: header, body: input.prefix(Frame.inputPieceBytes), into: &buffer) else {
                return false
            }
            Self.writeRest(of: input, reference: start.reference, into: &buffer)
            return true
        case .cancel(let reference, let reason):
            var writer = JSONWriter()
            writer.object { writer in
                Self.write(reference, to: &writer)
                writer.name("reason")
                writer.value(reason)
            }
            return Frame.write(.cancel, header: writer.bytes, into: &buffer)
        case .acknowledge(let reference):
            return Frame.write(.acknowledge, header: Self.header(of: reference), into: &buffer)
        case .shutdown:
            return Frame.write(.shutdown, header: Array("{}".utf8), into: &buffer)
        }
    }

    private static func writeRest(of input: [UInt8], reference: TaskReference, into buffer: inout ByteBuffer) {
        var offset = min(input.count, Frame.inputPieceBytes)
        guard offset < input.count else { return }
        let header = header(of: reference)
        while offset < input.count {
            let end = min(input.count, offset + Frame.inputPieceBytes)
            Frame.write(.input, header: header, body: input[offset..<end], into: &buffer)
            offset = end
        }
    }

    private static func write(_ reference: TaskReference, to writer: inout JSONWriter) {
        writer.name("job")
        writer.value(reference.job)
        writer.name("attempt")
        writer.value(reference.attempt)
        writer.name("nonce")
        writer.value(reference.nonce)
    }

    private static func header(of reference: TaskReference) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { write(reference, to: &$0) }
        return writer.bytes
    }

    private static func header(of configuration: Configuration) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("key")
            writer.value(configuration.key)
            if let group = configuration.groupID {
                writer.name("gid")
                writer.value(group)
            }
            writer.name("path")
            writer.array { for folder in configuration.path { $0.value(folder) } }
            writer.name("preload")
            writer.array { for module in configuration.preload { $0.value(module) } }
            write(configuration.env, to: &writer)
            if configuration.isAhead {
                writer.name("ahead")
                writer.value(true)
            }
            configuration.outputs?.write(to: &writer)
        }
        return writer.bytes
    }

    private static func header(of start: Start, inputBytes: Int) -> [UInt8] {
        var writer = JSONWriter(capacity: 512)
        writer.object { writer in
            write(start.reference, to: &writer)
            writer.name("slot")
            writer.value(start.slot)
            writer.name("kind")
            writer.value(start.kind.rawValue)
            if let name = start.name {
                writer.name("name")
                writer.value(name)
            }
            if let timeout = start.timeoutSeconds {
                writer.name("timeout")
                writer.value(timeout)
            }
            write(start.env, to: &writer)
            writer.name("encoding")
            writer.value(start.isZlib ? "zlib" : "identity")
            writer.name("size")
            writer.value(inputBytes)
            writer.name("inflated")
            writer.value(start.inflatedLimitBytes)
            writer.name("result_limit")
            writer.value(start.resultLimitBytes)
            writer.name("log_limit")
            writer.value(start.logLimitBytes)
            if let python = start.python {
                writer.name("python")
                writer.value(python)
            }
            writer.name("rlimits")
            writer.object { writer in
                writer.name("nofile")
                writer.value(start.openFiles)
                writer.name("core")
                writer.value(0)
            }
        }
        return writer.bytes
    }

    private static func write(_ env: [String: String], to writer: inout JSONWriter) {
        writer.name("env")
        writer.object { writer in
            for (name, value) in env {
                writer.name(escaping: name)
                writer.value(value)
            }
        }
    }
}
