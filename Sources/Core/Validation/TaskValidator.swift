/// Checks what a job runs.
struct TaskValidator {
    let limits: RequestLimits
    let faults: FaultList

    /// The most bytes of one argument, the NUL at its end included (`MAX_ARG_STRLEN` of Linux).
    private static let argumentBytes = 131_072

    func check(_ task: TaskSpec) {
        switch task.kind {
        case .callable: checkCallable(task)
        case .handler: checkHandler(task)
        case .source:
            parse(task) { node in
                for member in node.members { checkSourceMember(member.name, member.value) }
                if node["code"] == nil { missing("code") }
            }
        case .command:
            parse(task) { node in
                for member in node.members { checkCommandMember(member.name, member.value) }
                if node["argv"] == nil { missing("argv") }
            }
        }
    }

    private func checkCallable(_ task: TaskSpec) {
        if let python = task.python, !isPythonVersion(python) {
            faults.add("/task/python", "invalid", "The Python version must look like 3.11")
        }
        let isEmpty =
            switch task.input {
            case .plain(let bytes), .packed(let bytes): bytes.isEmpty
            }
        if isEmpty { faults.add("/task/data", "invalid", "The pickle must not be empty") }
    }

    private func checkHandler(_ task: TaskSpec) {
        guard let name = task.handlerName, Characters.isWord(name, extra: ".-", limit: 255) else {
            faults.add("/task/name", "invalid-name", "A handler's name has 1 to 255 of A-Z a-z 0-9 . _ -")
            return
        }
        if let known = limits.taskHandlers, !known.contains(name) {
            faults.add("/task/name", "unknown-handler", "No handler of this name is registered")
        }
    }

    private func parse(_ task: TaskSpec, _ check: (JSONNode) -> Void) {
        guard case .plain(let bytes) = task.input else {
            faults.add("/task", "invalid", "Only the input of a callable is compressed")
            return
        }
        do throws(JSONParseError) {
            let root = try JSONDocument(parsing: bytes, limits: .init(depth: 512)).root
            guard root.kind == .object else {
                faults.add("/task", "wrong-type", "The task must be an object")
                return
            }
            check(root)
        } catch {
            faults.add("/task", error.reason.rawValue, error.description)
        }
    }

    private func checkSourceMember(_ name: String, _ value: JSONNode) {
        switch name {
        case "type": break
        case "code":
            guard let code = text(value, "/task/code") else { return }
            if code.isEmpty { faults.add("/task/code", "invalid", "The code must not be empty") }
        case "entrypoint":
            guard !value.isNull, let entrypoint = text(value, "/task/entrypoint") else { return }
            if !Characters.isPythonIdentifier(entrypoint) {
                faults.add("/task/entrypoint", "invalid-name", "The entrypoint must be the name of a Python function")
            }
        case "args": expect(value, .array, "/task/args")
        case "kwargs": expect(value, .object, "/task/kwargs")
        default: unknown(name)
        }
    }

    private func checkCommandMember(_ name: String, _ value: JSONNode) {
        switch name {
        case "type": break
        case "argv": checkArguments(value)
        case "stdin": checkContent(value, "/task/stdin")
        case "files":
            expect(value, .object, "/task/files")
            for member in value.members {
                let pointer = FaultList.pointer("/task/files", member.name)
                if let fault = FileName.fault(in: member.name) { faults.add(pointer, "invalid-name", fault) }
                checkContent(member.value, pointer)
            }
        case "protocol":
            guard !value.isNull, let word = text(value, "/task/protocol") else { return }
            if word != "none", word != "jsonl" {
                faults.add("/task/protocol", "invalid", "The protocol must be none or jsonl")
            }
        default: unknown(name)
        }
    }

    private func checkArguments(_ value: JSONNode) {
        guard value.kind == .array else { return expect(value, .array, "/task/argv") }
        var count = 0
        for (place, element) in value.elements.enumerated() {
            count += 1
            guard let argument = text(element, "/task/argv/\(place)") else { continue }
            if place == 0, argument.isEmpty {
                faults.add("/task/argv/0", "invalid", "The program's name must not be empty")
            }
            if argument.utf8.contains(0) {
                faults.add("/task/argv/\(place)", "invalid", "An argument must not contain NUL")
            }
            if argument.utf8.count >= Self.argumentBytes {
                faults.add(
                    "/task/argv/\(place)", "out-of-range", "An argument has less than 128 KiB; use stdin or files")
            }
        }
        if !(1...10_000).contains(count) {
            faults.add("/task/argv", "out-of-range", "A command has 1 to 10000 arguments, its program included")
        }
    }

    /// Text, or `{"encoding": "base64", "data": ...}`.
    private func checkContent(_ value: JSONNode, _ pointer: String) {
        switch value.kind {
        case .string, .null: return
        case .object:
            for member in value.members where member.name != "encoding" && member.name != "data" {
                faults.add(FaultList.pointer(pointer, member.name), "unknown-field", "There is no such field")
            }
            if value["encoding"]?.string != "base64" {
                faults.add(pointer + "/encoding", "invalid", "The only encoding is base64")
            }
            guard let data = value["data"], data.kind == .string else {
                faults.add(pointer + "/data", "missing", "The bytes in base64 are needed here")
                return
            }
            if let bytes = data.stringBytes, !Base64Syntax.isValid(bytes) {
                faults.add(
                    pointer + "/data", "bad-base64", "The data is not base64 with padding and without line breaks")
            }
        case .true, .false, .number, .array:
            faults.add(pointer, "wrong-type", "Expected text or an object with base64 data, not \(value.kind.name)")
        }
    }

    private func text(_ value: JSONNode, _ pointer: String) -> String? {
        guard let text = value.string else {
            faults.add(pointer, "wrong-type", "Expected a string, not \(value.kind.name)")
            return nil
        }
        return text
    }

    private func expect(_ value: JSONNode, _ kind: JSONNode.Kind, _ pointer: String) {
        guard value.kind != kind, !value.isNull else { return }
        faults.add(pointer, "wrong-type", "Expected \(kind.name), not \(value.kind.name)")
    }

    private func missing(_ name: String) { faults.add("/task/\(name)", "missing", "The field is needed") }

    private func unknown(_ name: String) {
        faults.add(FaultList.pointer("/task", name), "unknown-field", "A task of this type has no such field")
    }

    private func isPythonVersion(_ text: String) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 2 && parts[0] == "3" && (1...2).contains(parts[1].count)
            && parts[1].utf8.allSatisfy(Characters.isDigit)
    }
}
