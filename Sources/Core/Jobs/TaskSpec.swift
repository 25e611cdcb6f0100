/// What a job runs, with its input.
///
/// The input is opaque to the host: it travels to the runner as it came.
public struct TaskSpec: Sendable {
    /// How the runner takes the input.
    public enum Kind: String, Sendable, CaseIterable, Codable {
        /// The cloudpickle of `(function, args, kwargs)`.
        case callable
        /// JSON: `code`, `entrypoint`, `args`, `kwargs`.
        case source
        /// JSON: `argv`, `stdin`, `files`, `protocol`.
        case command
        /// JSON input for a handler that is registered in Swift.
        case handler
    }

    /// The bytes of an input.
    package enum Input: Sendable {
        /// The bytes themselves.
        case plain([UInt8])
        /// Base64 of zlib of the bytes, as callers of the REST interface send it and as it rests on disk.
        case packed([UInt8])
    }

    /// How the runner takes the input.
    public let kind: Kind
    /// The Python version (`3.11`) that pickled a callable, if it is known.
    public let python: String?
    /// The name of the Swift handler, for tasks of kind `handler`.
    public let handlerName: String?
    /// The input.
    package let input: Input

    package init(kind: Kind, python: String? = nil, handlerName: String? = nil, input: Input) {
        self.kind = kind
        self.python = python
        self.handlerName = handlerName
        self.input = input
    }

    /// A pickled callable: the cloudpickle of `(function, args, kwargs)`.
    ///
    /// - Parameters:
    ///   - pickle: The bytes of the pickle.
    ///   - python: The version of the Python that made it, such as `3.11`.
    public static func callable(pickle: [UInt8], python: String? = nil) -> TaskSpec {
        TaskSpec(kind: .callable, python: python, input: .plain(pickle))
    }

    /// Python source whose `entrypoint` is called with `args` and `kwargs`.
    public static func source(
        _ code: String, entrypoint: String = "main", args: [JSONValue] = [], kwargs: [String: JSONValue] = [:]
    ) -> TaskSpec {
        let value = JSONValue.object([
            "code": .string(code), "entrypoint": .string(entrypoint), "args": .array(args),
            "kwargs": .object(kwargs),
        ])
        return TaskSpec(kind: .source, input: .plain(value.serialized()))
    }

    /// A command, run as it is, without a shell.
    ///
    /// - Parameters:
    ///   - argv: The program and its arguments.
    ///   - stdin: Text for its standard input.
    ///   - files: Files that are placed in its working folder, by relative name.
    ///   - jsonLines: Whether each line of its output that is a JSON object becomes an event.
    public static func command(
        _ argv: [String], stdin: String? = nil, files: [String: String] = [:], jsonLines: Bool = false
    ) -> TaskSpec {
        var object: [String: JSONValue] = [
            "argv": .array(argv.map(JSONValue.string)),
            "protocol": .string(jsonLines ? "jsonl" : "none"),
        ]
        if let stdin { object["stdin"] = .string(stdin) }
        if !files.isEmpty { object["files"] = .object(files.mapValues(JSONValue.string)) }
        return TaskSpec(kind: .command, input: .plain(JSONValue.object(object).serialized()))
    }

    /// A handler that the embedding service registered in Swift.
    public static func handler(_ name: String, input: JSONValue = .null) -> TaskSpec {
        TaskSpec(kind: .handler, handlerName: name, input: .plain(input.serialized()))
    }
}
