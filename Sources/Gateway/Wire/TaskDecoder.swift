import SlipwayCore

/// Turns the member `task` of a submission into what the engine runs.
///
/// Inputs stay the bytes that came: the object of a source or command task, the base64 of a callable.
struct TaskDecoder {
    let faults: FaultList

    func decode(_ node: JSONNode) -> TaskSpec? {
        guard node.kind == .object else {
            faults.add("/task", "wrong-type", "Expected an object, not \(node.kind.name)")
            return nil
        }
        guard let type = node["type"] else {
            faults.add("/task/type", "missing", "A task needs a type: \(kinds)")
            return nil
        }
        guard let word = type.text("/task/type", faults) else { return nil }
        guard let kind = TaskSpec.Kind(rawValue: word) else {
            faults.add("/task/type", "invalid", "The type of a task must be one of \(kinds)")
            return nil
        }
        switch kind {
        case .source, .command: return TaskSpec(kind: kind, input: .plain(Array(node.raw)))
        case .callable: return callable(node)
        case .handler: return handler(node)
        }
    }

    private var kinds: String { TaskSpec.Kind.allCases.map(\.rawValue).joined(separator: ", ") }

    private func callable(_ node: JSONNode) -> TaskSpec? {
        var data: [UInt8]?
        var python: String?
        for member in node.members {
            switch member.name {
            case "type": break
            case "data":
                // Some writers of JSON escape the slashes of base64.
                data = member.value.unescapedBytes.map(Array.init) ?? member.value.stringBytes
                if data == nil { _ = member.value.text("/task/data", faults) }
            case "python":
                if !member.value.isNull { python = member.value.text("/task/python", faults).map(minorVersion) }
            default: unknown(member.name)
            }
        }
        if node["data"] == nil { faults.add("/task/data", "missing", "The pickled callable is needed") }
        return TaskSpec(kind: .callable, python: python, input: .packed(data ?? []))
    }

    private func handler(_ node: JSONNode) -> TaskSpec? {
        var name: String?
        var input = Array("null".utf8)
        for member in node.members {
            switch member.name {
            case "type": break
            case "name": name = member.value.text("/task/name", faults)
            case "input": input = Array(member.value.raw)
            default: unknown(member.name)
            }
        }
        if node["name"] == nil { faults.add("/task/name", "missing", "The name of the handler is needed") }
        return TaskSpec(kind: .handler, handlerName: name, input: .plain(input))
    }

    /// `3.11` of `3.11.4`: pickles fit all releases of a minor version.
    private func minorVersion(_ text: String) -> String {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 3 ? parts[..<2].joined(separator: ".") : text
    }

    private func unknown(_ name: String) {
        faults.add(FaultList.pointer("/task", name), "unknown-field", "A task of this type has no such field")
    }
}
