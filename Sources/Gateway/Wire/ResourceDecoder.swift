import SlipwayCore

/// Turns the member `resources` of a submission into a request for resources.
struct ResourceDecoder {
    let faults: FaultList

    func decode(_ node: JSONNode) -> ResourceRequest {
        var resources = ResourceRequest()
        guard isObject(node, "/resources") else { return resources }
        for member in node.members where !member.value.isNull {
            let pointer = FaultList.pointer("/resources", member.name)
            switch member.name {
            case "cpus": resources.cpus = member.value.decimal(pointer, faults)
            case "memory": resources.memoryBytes = member.value.size(pointer, faults)
            case "pids": resources.pids = member.value.whole(pointer, faults)
            case "tmp": resources.tmpBytes = member.value.size(pointer, faults)
            case "shm": resources.shmBytes = member.value.size(pointer, faults)
            case "open_files": resources.openFiles = member.value.whole(pointer, faults)
            case "gpus": resources.gpus = gpus(member.value)
            default: faults.add(pointer, "unknown-field", "There is no such field")
            }
        }
        return resources
    }

    /// `{"count": 1, "devices": ["0"], "memory": "8g"}`; a request without any of them asks for one device.
    private func gpus(_ node: JSONNode) -> ResourceRequest.GPUs? {
        let path = "/resources/gpus"
        guard isObject(node, path) else { return nil }
        var gpus = ResourceRequest.GPUs()
        for member in node.members where !member.value.isNull {
            let pointer = FaultList.pointer(path, member.name)
            switch member.name {
            case "count": gpus.count = member.value.whole(pointer, faults)
            case "devices": gpus.devices = member.value.texts(pointer, faults)
            case "memory": gpus.memoryBytes = member.value.size(pointer, faults)
            default: faults.add(pointer, "unknown-field", "There is no such field")
            }
        }
        if gpus.count == nil, gpus.devices.isEmpty { gpus.count = 1 }
        return gpus
    }

    private func isObject(_ node: JSONNode, _ pointer: String) -> Bool {
        if node.kind == .object { return true }
        faults.add(pointer, "wrong-type", "Expected an object, not \(node.kind.name)")
        return false
    }
}
