import ArgumentParser
import Foundation
import SlipwayCore

/// A job as the arguments describe it, before it goes to an embedded engine or to a gateway.
struct JobDraft {
    /// The member `task` of a submission.
    let task: JSONValue
    /// What kind of task it is.
    let kind: TaskSpec.Kind
    /// The job's name.
    let name: String?
    private let options: JobOptions

    /// Reads what is to be run; files are read here.
    ///
    /// - Throws: A validation error when it is not said, or said twice.
    init(_ options: JobOptions) throws {
        self.options = options
        var words = options.arguments
        let isCommand = words.first == "--"
        if isCommand { words.removeFirst() }
        if !isCommand, options.code == nil, let first = words.first, first.hasPrefix("-"), first.count > 1 {
            throw ValidationError("Unknown option '\(first)'.")
        }
        if let code = options.code {
            guard options.pythonEntrypoint == nil else {
                throw ValidationError("--python-entrypoint needs a FILE.py; write the call into the code of -c.")
            }
            // What is on its way to a pipe shows up line by line only when Python does not hold it back.
            (task, kind) = (Self.command(["python3", "-u", "-c", code] + words), .command)
            name = options.name ?? "python3 -c"
            return
        }
        guard let first = words.first else {
            throw ValidationError("Say what to run: FILE.py, -c CODE, or -- COMMAND.")
        }
        if isCommand {
            guard options.pythonEntrypoint == nil else {
                throw ValidationError("--python-entrypoint needs a FILE.py, not a command.")
            }
            (task, kind) = (Self.command(words), .command)
            name = options.name ?? String((first as NSString).lastPathComponent.prefix(255))
            return
        }
        let bytes = try LocalFile.read(first)
        let file = (first as NSString).lastPathComponent
        name = options.name ?? file
        if let entrypoint = options.pythonEntrypoint {
            let code = String(decoding: bytes, as: UTF8.self)
            let arguments = words.dropFirst().map(JSONValue.string)
            task = [
                "type": "source", "code": .string(code), "entrypoint": .string(entrypoint), "args": .array(arguments),
            ]
            kind = .source
        } else {
            let script = file.hasPrefix("-") ? "./" + file : file
            task = Self.command(["python3", "-u", script] + words.dropFirst(), files: [file: LocalFile.content(bytes)])
            kind = .command
        }
    }

    private static func command(_ argv: [String], files: [String: JSONValue] = [:]) -> JSONValue {
        var members: [String: JSONValue] = ["type": "command", "argv": .array(argv.map(JSONValue.string))]
        if !files.isEmpty { members["files"] = .object(files) }
        return .object(members)
    }

    /// The job for an embedded engine.
    func request() throws -> JobRequest {
        var request = JobRequest(task: TaskSpec(kind: kind, input: .plain(task.serialized())))
        request.name = name
        request.image = options.image
        request.requirements = try options.requirementLines
        request.env = try options.environment
        request.secrets = options.secret
        request.labels = try options.labels
        request.network = options.network
        request.resources.cpus = options.cpus
        request.resources.memoryBytes = options.memory.flatMap(Quantity.bytes)
        request.timeout = options.timeout.flatMap(Quantity.duration)
        return request
    }

    /// The job as the body of `POST /v1/jobs`; what is not said is left to the gateway.
    func body() throws -> [UInt8] {
        var members: [String: JSONValue] = ["task": task]
        members["name"] = name.map(JSONValue.string)
        members["image"] = options.image.map(JSONValue.string)
        members["network"] = options.network.map(JSONValue.string)
        members["timeout"] = options.timeout.map(JSONValue.string)
        var resources: [String: JSONValue] = [:]
        resources["cpus"] = options.cpus.map(JSONValue.number)
        resources["memory"] = options.memory.map(JSONValue.string)
        if !resources.isEmpty { members["resources"] = .object(resources) }
        let lists = [("requirements", try options.requirementLines), ("secrets", options.secret)]
        for (key, items) in lists where !items.isEmpty { members[key] = .array(items.map(JSONValue.string)) }
        let maps = [("env", try options.environment), ("labels", try options.labels)]
        for (key, pairs) in maps where !pairs.isEmpty { members[key] = .object(pairs.mapValues(JSONValue.string)) }
        return JSONValue.object(members).serialized()
    }
}
