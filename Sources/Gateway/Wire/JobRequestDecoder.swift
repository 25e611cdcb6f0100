import SlipwayCore

/// Turns the JSON of a submission into a request.
///
/// It checks shapes only: fields and their types. What values mean is checked by `JobRequestValidator`. A field that
/// is `null` counts as left out.
struct JobRequestDecoder {
    private let faults: FaultList

    private init(faults: FaultList) { self.faults = faults }

    /// Takes the request out of its JSON and adds what is wrong to `faults`; nil when it is no object.
    ///
    /// What has a fault is left out, and a task that cannot be used is replaced by one without faults: what was taken
    /// can be checked for faults of its own.
    static func decode(_ node: JSONNode, faults: FaultList) -> JobRequest? {
        JobRequestDecoder(faults: faults).decode(node)
    }

    private func decode(_ node: JSONNode) -> JobRequest? {
        guard node.kind == .object else {
            faults.add("", "wrong-type", "A job must be an object, not \(node.kind.name)")
            return nil
        }
        var request = JobRequest(task: task(of: node) ?? .source("def main(): pass"))
        for member in node.members where !member.value.isNull {
            decode(member.name, member.value, into: &request)
        }
        return request
    }

    private func task(of node: JSONNode) -> TaskSpec? {
        guard let task = node["task"], !task.isNull else {
            faults.add("/task", "missing", "A job needs a task")
            return nil
        }
        return TaskDecoder(faults: faults).decode(task)
    }

    private func decode(_ name: String, _ value: JSONNode, into request: inout JobRequest) {
        switch name {
        case "task": break
        case "name": request.name = value.text("/name", faults)
        case "handler": request.handler = value.text("/handler", faults)
        case "image": request.image = value.text("/image", faults)
        case "requirements": request.requirements = value.texts("/requirements", faults)
        case "index_url": request.indexURL = value.text("/index_url", faults)
        case "project": request.project = value.text("/project", faults)
        case "env": request.env = value.textMap("/env", faults)
        case "secrets": request.secrets = value.texts("/secrets", faults)
        case "resources": request.resources = ResourceDecoder(faults: faults).decode(value)
        case "network": request.network = value.text("/network", faults)
        case "mounts": request.mounts = mounts(value)
        case "timeout": request.timeout = value.duration("/timeout", faults)
        case "queue_timeout": request.queueTimeout = value.duration("/queue_timeout", faults)
        case "retry": request.retry = retry(value)
        case "priority": request.priority = value.whole("/priority", faults) ?? 0
        case "labels": request.labels = value.textMap("/labels", faults)
        case "preload": request.preload = value.texts("/preload", faults)
        case "ports", "replicas", "webhook":
            faults.add("/\(name)", EngineError.Code.notSupported.rawValue, "The field is reserved and does nothing yet")
        default: unknown("", name)
        }
    }

    private func mounts(_ node: JSONNode) -> [JobRequest.Mount] {
        guard node.kind == .array else {
            faults.add("/mounts", "wrong-type", "Expected an array, not \(node.kind.name)")
            return []
        }
        return node.taken("/mounts", faults, mount)
    }

    private func mount(_ node: JSONNode, _ pointer: String) -> JobRequest.Mount? {
        guard node.kind == .object else {
            faults.add(pointer, "wrong-type", "Expected an object, not \(node.kind.name)")
            return nil
        }
        var source: String?
        var target: String?
        var writable = false
        for member in node.members where !member.value.isNull {
            let place = FaultList.pointer(pointer, member.name)
            switch member.name {
            case "source": source = member.value.text(place, faults)
            case "target": target = member.value.text(place, faults)
            case "mode":
                guard let mode = member.value.text(place, faults) else { continue }
                writable = mode == "rw"
                if mode != "rw", mode != "ro" { faults.add(place, "invalid", "The mode must be ro or rw") }
            default: unknown(pointer, member.name)
            }
        }
        for name in ["source", "target"] where node[name].map(\.isNull) ?? true {
            faults.add("\(pointer)/\(name)", "missing", "A mount needs a source and a target")
        }
        guard let source, let target else { return nil }
        return .init(source: source, target: target, writable: writable)
    }

    private func retry(_ node: JSONNode) -> JobRequest.Retry {
        var retry = JobRequest.Retry()
        guard node.kind == .object else {
            faults.add("/retry", "wrong-type", "Expected an object, not \(node.kind.name)")
            return retry
        }
        for member in node.members where !member.value.isNull {
            switch member.name {
            case "max_attempts":
                retry.maxAttempts = member.value.whole("/retry/max_attempts", faults) ?? retry.maxAttempts
            case "backoff": retry.backoff = member.value.duration("/retry/backoff", faults) ?? retry.backoff
            default: unknown("/retry", member.name)
            }
        }
        return retry
    }

    private func unknown(_ pointer: String, _ name: String) {
        faults.add(FaultList.pointer(pointer, name), "unknown-field", "There is no such field")
    }
}
