/// One request to the Engine API, before version prefix and endpoint are known.
struct DockerCall: Sendable {
    /// Which failures make another try sensible.
    enum Retry: Sendable {
        /// The call must not be repeated.
        case never
        /// Only if no answer came, because the call is idempotent by name.
        case whenUnanswered
        /// Also after a 5xx or an unreadable answer, because the call only reads or removes.
        case always
    }

    /// Reads like "create container x"; ends up in messages.
    let action: String
    var method = "GET"
    /// Begins with a slash; made by `DockerPath`.
    let path: String
    var query: [(name: String, value: String)] = []
    var body: CurlRequest.Body = .none
    var contentType: String?
    /// Further headers; they may hold credentials and stand in no message.
    var headers: [(name: String, value: String)] = []
    /// Error statuses that the caller handles itself.
    var accepts: Set<Int> = []
    var retry: Retry = .never
    /// The limit of one attempt; nil for the client's default.
    var timeouts: CurlTimeouts?
    var lane: CurlRequest.Lane = .brief
    /// Whether the path names an interface of another kind, with its version.
    var isVersioned = false
    /// The largest answer that is read.
    var limitBytes = 16 * 1024 * 1024

    /// A call whose body is JSON.
    func sending(json value: some Encodable) throws -> DockerCall {
        var call = self
        call.body = .bytes(try DockerJSON.encode(value))
        call.contentType = "application/json"
        return call
    }

    func request(origin: CurlOrigin, version: DockerAPIVersion?, defaults: CurlTimeouts) -> CurlRequest {
        var target = (isVersioned ? "" : version.map { "/v\($0)" } ?? "") + path
        for (index, item) in query.enumerated() {
            target += (index == 0 ? "?" : "&") + item.name + "=" + DockerPath.encode(item.value)
        }
        let headers = (contentType.map { [(name: "Content-Type", value: $0)] } ?? []) + headers
        var request = CurlRequest(
            method: method, origin: origin, target: target, headers: headers, body: body,
            timeouts: timeouts ?? defaults, lane: lane)
        request.reusesConnection = retry != .never
        return request
    }
}

/// Percent-encoding for paths and query values.
enum DockerPath {
    /// Encodes everything but RFC 3986's unreserved characters, and those in `keeping`.
    static func encode(_ text: String, keeping: String = "") -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var output: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: output.append(byte)
            case _ where keeping.utf8.contains(byte): output.append(byte)
            default: output += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    static func container(_ id: String, _ rest: String = "") -> String { "/containers/\(encode(id))\(rest)" }

    /// Image references hold slashes, which the engine's router wants as they are.
    static func image(_ reference: String, _ rest: String) -> String {
        "/images/\(encode(reference, keeping: "/:@"))\(rest)"
    }
}
