import SlipwayCore

/// Turns the JSON of `POST /v1/environments` into a job of which only what it needs installed counts.
enum EnvironmentRequestDecoder {
    /// Takes the request out of its JSON and adds what is wrong to `faults`.
    static func decode(_ node: JSONNode, faults: FaultList) -> JobRequest {
        var request = JobRequest(task: .source("def main(): pass"))
        for member in node.members where !member.value.isNull {
            let pointer = FaultList.pointer("", member.name)
            switch member.name {
            case "handler": request.handler = member.value.text(pointer, faults)
            case "image": request.image = member.value.text(pointer, faults)
            case "requirements": request.requirements = member.value.texts(pointer, faults)
            case "index_url": request.indexURL = member.value.text(pointer, faults)
            case "project": request.project = member.value.text(pointer, faults)
            default: faults.add(pointer, "unknown-field", "There is no such field")
            }
        }
        return request
    }
}
