import HTTPTypes
import Hummingbird
import NIOCore
import SlipwayCore

/// One request on its way to its handler.
struct Call: Sendable {
    let request: Request
    let target: RequestTarget
    /// What stood where the route has `{id}` and other names in braces, in this order.
    let identifiers: [String]
    /// Who asks; the tenant `default` without any scope on routes that need no key.
    let principal: Principal
    /// The connection that the request came on.
    let channel: any Channel
    let connections: Connections

    /// When the client goes.
    var departure: Departure { connections.departure(of: channel) }

    var headers: HTTPFields { request.headers }

    /// The job id of the path.
    ///
    /// - Throws: ``Problem`` 404 when it has not the shape of one, as if there were no such job.
    func jobID() throws(Problem) -> JobID {
        guard let text = identifiers.first, let id = JobID(text) else { throw .notFound }
        return id
    }

    /// What stood where the route has `{name}`, which is its last part: with its slashes.
    ///
    /// - Throws: ``Problem`` 422 when it can be no artifact's name.
    func artifactName() throws -> String {
        let name = target.segments.dropFirst(4).joined(separator: "/")
        guard let fault = OutputName.fault(in: name) else { return name }
        throw EngineError.invalid([.init(pointer: "", code: "bad-name", detail: fault)])
    }

    /// Refuses query parameters that the route does not know: a typing error must not pass for a wide filter.
    func allowQuery(_ names: String...) throws(Problem) {
        guard let unknown = target.query.keys.filter({ !names.contains($0) }).min() else { return }
        let known = names.isEmpty ? "none" : names.joined(separator: ", ")
        throw Problem.badRequest("There is no query parameter '\(unknown)' here. Known: \(known).")
    }

    /// The labels of the query: `label=key:value,key:value`.
    func labels() throws(Problem) -> [String: String] {
        var labels: [String: String] = [:]
        for label in (target.query["label"] ?? "").split(separator: ",") {
            let parts = label.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw Problem.badRequest("The query parameter 'label' must look like key:value.")
            }
            labels[parts[0]] = parts[1]
        }
        return labels
    }

    /// A whole number of the query.
    func integer(_ name: String, in range: ClosedRange<Int>) throws(Problem) -> Int? {
        guard let text = target.query[name] else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw Problem.badRequest(
                "The query parameter '\(name)' must be a whole number from \(range.lowerBound) to \(range.upperBound).")
        }
        return value
    }

    /// A flag of the query; one without a value is set.
    func flag(_ name: String) throws(Problem) -> Bool {
        switch target.query[name] {
        case nil, "false"?, "0"?: false
        case ""?, "true"?, "1"?: true
        default: throw Problem.badRequest("The query parameter '\(name)' must be true or false.")
        }
    }
}

extension Response {
    /// An answer of JSON, header and body in one write.
    static func json(
        _ bytes: [UInt8], status: HTTPResponse.Status = .ok, headers: HTTPFields = HTTPFields(),
        room: ResultRoom? = nil
    ) -> Response {
        var headers = headers
        headers[.contentType] = "application/json"
        return .paced(bytes, status: status, headers: headers, room: room)
    }
}
