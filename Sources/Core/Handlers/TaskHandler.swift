/// Executes tasks that name it, inside the embedding service.
///
/// Tasks of kind `handler` go to the handler of their name. Callables, source and commands go to the handlers
/// `docker` and `process`, which the engine brings along and which run them in sandboxes.
///
/// ```swift
/// struct Shout: TaskHandler {
///     let name = "shout"
///     func execute(_ context: TaskContext) async throws -> TaskOutput {
///         .json(.string((context.input["text"]?.text ?? "").uppercased()))
///     }
/// }
/// ```
public protocol TaskHandler: Sendable {
    /// The name that tasks use.
    var name: String { get }

    /// Runs one attempt. The surrounding task is cancelled when the job is, or when its timeout passes.
    ///
    /// - Throws: Anything; the job then ends with an error of kind `exception`.
    func execute(_ context: TaskContext) async throws -> TaskOutput
}

/// What a handler is given.
public struct TaskContext: Sendable {
    /// The job.
    public let jobID: JobID
    /// The number of the attempt, from 1.
    public let attempt: Int
    /// The tenant that submitted the job.
    public let tenant: TenantID
    /// The task's input.
    public let input: JSONValue
    let emitter: @Sendable (String, [String: JSONValue]) async -> Void

    /// Emits an event of the job.
    ///
    /// - Parameters:
    ///   - type: The event's type, such as `progress`.
    ///   - members: Its members, besides `type`, `job_id`, `seq` and `time`. An event that is nested more than 510
    ///     levels deep, itself counted, is dropped.
    public func emit(_ type: String, _ members: [String: JSONValue] = [:]) async { await emitter(type, members) }
}

/// What a handler returns.
public enum TaskOutput: Sendable {
    /// A JSON value.
    case json(JSONValue)
    /// Any bytes.
    case bytes([UInt8])

    var encoded: (JobResult.Media, [UInt8]) {
        switch self {
        case .json(let value): (.json, value.serialized())
        case .bytes(let bytes): (.bytes, bytes)
        }
    }
}

/// A handler made of a closure.
public struct DirectHandler: TaskHandler {
    /// The name that tasks use.
    public let name: String
    private let body: @Sendable (TaskContext) async throws -> TaskOutput

    /// Makes a handler of a closure.
    public init(_ name: String, _ body: @escaping @Sendable (TaskContext) async throws -> TaskOutput) {
        self.name = name
        self.body = body
    }

    /// Runs the closure.
    public func execute(_ context: TaskContext) async throws -> TaskOutput { try await body(context) }
}
