import SlipwayCore

/// An error that a gateway answered (RFC 9457).
struct GatewayProblem: Error, CustomStringConvertible {
    let status: Int
    let detail: String
    let faults: [EngineError.Fault]
    let retryAfter: String?
    /// What the gateway's log has the reason of a 500 under.
    let requestID: String?
    /// What a 404 means: the gateway does not tell what it is that is not there.
    private let missing: String
    private let key: KeySource

    /// - Parameters:
    ///   - missing: What is said for a 404; that there is no such job unless given.
    ///   - key: Where the key of the request is from, which is said for a 401.
    init(status: Int, body: [UInt8], retryAfter: String?, missing: String? = nil, key: KeySource) {
        self.status = status
        self.key = key
        self.retryAfter = retryAfter
        self.missing = missing ?? "there is no such job, or it is not yours"
        var detail = "the gateway answered \(status)"
        var faults: [EngineError.Fault] = []
        var requestID: String?
        do throws(JSONParseError) {
            let root = try JSONDocument(parsing: body).root
            detail = root["detail"]?.string ?? root["title"]?.string ?? detail
            requestID = root["request_id"]?.string
            for fault in root["errors"]?.elements.map({ $0 }) ?? [] {
                faults.append(
                    .init(
                        pointer: fault["pointer"]?.string ?? "", code: fault["code"]?.string ?? "",
                        detail: fault["detail"]?.string ?? ""))
            }
        } catch {
            detail += ", which does not look like a slipway gateway"
        }
        self.detail = detail
        self.faults = faults
        self.requestID = requestID
    }

    /// The code of a command that this ends: 2 for wrong requests, 1 for jobs that are not there or not in the right
    /// state, 3 for everything that may succeed at another time or with another key.
    var exitCode: Int32 {
        switch status {
        case 400, 405, 413, 414, 415, 422, 431: CommandExit.usage
        case 404, 409: CommandExit.failed
        default: CommandExit.unreachable
        }
    }

    var description: String {
        var text =
            switch status {
            case 401:
                "the gateway does not take the key from \(key.words): it is wrong, revoked or expired"
                    + (key.isDefaultFile
                        ? "\n  `slipway serve` prints where the key of its gateway is; --credentials FILE takes it"
                        : "")
            case 404: missing
            default: faults.contains { $0.detail == detail } ? "the gateway refuses the request" : detail
            }
        for fault in faults { text += "\n  \(fault.pointer.isEmpty ? "request" : fault.pointer): \(fault.detail)" }
        if status == 500, let requestID { text += "\n  request id: \(requestID)" }
        if let retryAfter { text += "\n  try again in \(retryAfter) s" }
        return text
    }
}
