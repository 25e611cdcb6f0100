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
    /// - Throws: ``CommandExit`` when a file cannot be read.
    init(_ options: JobOptions) throws {
        self.options = options
        let words = options.words
        let input = try options.stdin.map { LocalFile.content(try LocalFile.readInput($0)) }
        if let code = options.code {
            // What is on its way to a pipe shows up line by line only when Python does not hold it back.
            (task, kind) = (Self.command(["python3", "-u", "-c", code] + words, stdin: input), .command)
            name = options.name ?? "python3 -c"
            return
        }
        guard let first = words.first else { throw ValidationError(JobOptions.nothingToRun) }
        if options.isCommand {
            if input == nil, Console.isInputGiven {
                Console.note("standard input is not passed on to the command; --stdin - does that")
            }
            (task, kind) = (Self.command(words, stdin: input), .command)
            name = options.name ?? String((first as NSString).lastPathComponent.prefix(255))
            return
        }
        let file = (first as NSString).lastPathComponent
        name = options.name ?? file
        if let entrypoint = options.pythonEntrypoint {
            // Its encoding goes with the file, which the task does not get.
            let code = try LocalFile.readText(first)
            let arguments = words.dropFirst().map(JSONValue.string)
            task = [
                "type": "source", "code": .string(code), "entrypoint": .string(entrypoint), "args": .array(arguments),
            ]
            kind = .source
        } else {
            let bytes = try LocalFile.read(first)
            let script = file.hasPrefix("-") ? "./" + file : file
            task = Self.command(
                ["python3", "-u", script] + words.dropFirst(), files: [file: LocalFile.content(bytes)], stdin: input)
            kind = .command
        }
    }

    private static func command(
        _ argv: [String], files: [String: JSONValue] = [:], stdin: JSONValue?
    ) -> JSONValue {
        var members: [String: JSONValue] = [
            "type": "command", "argv": .array(argv.map(JSONValue.string)), "protocol": "jsonl",
        ]
        if !files.isEmpty { members["files"] = .object(files) }
        members["stdin"] = stdin
        return .object(members)
    }

    /// The job for an embedded engine.
    func request() throws -> JobRequest {
        var request = JobRequest(task: TaskSpec(kind: kind, input: .plain(task.serialized())))
        request.name = name
        request.image = options.image
        request.requirements = try options.installs.lines
        request.project = options.installs.projectPath
        request.indexURL = options.installs.indexUrl
        request.env = try options.environment
        request.secrets = options.secret
        request.labels = try options.labels
        request.network = options.network
        request.resources.cpus = options.cpus
        request.resources.memoryBytes = options.memory.flatMap(Quantity.bytes)
        request.resources.gpus = options.gpus.map {
            .init(count: $0, memoryBytes: options.gpuMemory.flatMap(Quantity.bytes))
        }
        request.timeout = options.timeout.flatMap(Quantity.duration)
        return request
    }

    /// The job as the body of `POST /v1/jobs`; what is not said is left to the gateway.
    func body() throws -> [UInt8] {
        var members = try options.installs.members()
        members["task"] = task
        members["name"] = name.map(JSONValue.string)
        members["image"] = options.image.map(JSONValue.string)
        members["network"] = options.network.map(JSONValue.string)
        members["timeout"] = options.timeout.map(JSONValue.string)
        var resources: [String: JSONValue] = [:]
        resources["cpus"] = options.cpus.map(JSONValue.number)
        resources["memory"] = options.memory.map(JSONValue.string)
        if let gpus = options.gpus {
            var wanted: [String: JSONValue] = ["count": .integer(Int64(gpus))]
            wanted["memory"] = options.gpuMemory.map(JSONValue.string)
            resources["gpus"] = .object(wanted)
        }
        if !resources.isEmpty { members["resources"] = .object(resources) }
        if !options.secret.isEmpty { members["secrets"] = .array(options.secret.map(JSONValue.string)) }
        let maps = [("env", try options.environment), ("labels", try options.labels)]
        for (key, pairs) in maps where !pairs.isEmpty { members[key] = .object(pairs.mapValues(JSONValue.string)) }
        return JSONValue.object(members).serialized()
    }
}
