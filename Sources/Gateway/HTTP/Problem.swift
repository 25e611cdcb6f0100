import HTTPTypes
import Hummingbird
import SlipwayCore

/// An error answer: RFC 9457 problem details and the headers that belong to it.
struct Problem: Error {
    let status: HTTPResponse.Status
    /// The last part of the problem's `type`.
    let slug: String
    let detail: String
    var errors: [EngineError.Fault] = []
    var headers = HTTPFields()
    /// Whether the connection is closed after the answer, because the rest of the request is not read.
    var closesConnection = false
    /// The state of the job that it is about, where that is the reason.
    var jobState: JobState?
    /// What really happened, for the log only.
    var cause: (any Error)?

    init(_ status: HTTPResponse.Status, _ slug: String, _ detail: String, errors: [EngineError.Fault] = []) {
        self.status = status
        self.slug = slug
        self.detail = detail
        self.errors = errors
    }

    /// 400 for a request whose meaning is not clear.
    static func badRequest(_ detail: String) -> Problem { Problem(.badRequest, "bad-request", detail) }

    /// The one 404 for everything that is not there or not the caller's.
    static var notFound: Problem {
        Problem(.notFound, "not-found", "There is nothing at this address, or nothing that is yours.")
    }

    /// 413 for a body above its cap.
    static func bodyTooLarge(_ limitBytes: Int) -> Problem {
        var problem = Problem(
            .contentTooLarge, "body-too-large", "The body has more than \(limitBytes) bytes, which is the limit.")
        problem.closesConnection = true
        return problem
    }

    /// 408 for a body that did not go on.
    static var bodyStalled: Problem {
        var problem = Problem(.requestTimeout, "request-timeout", "The rest of the body did not come in time.")
        problem.closesConnection = true
        return problem
    }

    /// 503 for a request whose bytes have no room beside those of others.
    static func noRoom(_ what: String, setting: String) -> Problem {
        var problem = Problem(
            .serviceUnavailable, "no-room", "The gateway holds as many bytes of \(what) as it may (\(setting)).")
        problem.headers[.retryAfter] = "2"
        return problem
    }

    /// 400 with the offset of a fault in JSON.
    init(_ error: JSONParseError) {
        let status: HTTPResponse.Status = error.reason == .tooManyValues ? .contentTooLarge : .badRequest
        self.init(
            status, error.reason.rawValue, "\(error.description).",
            errors: [.init(pointer: "", code: error.reason.rawValue, detail: error.description)])
        offset = error.offset
    }

    /// Where in the body the fault lies, for bodies that are not JSON.
    private(set) var offset: Int?

    /// The answer's body.
    func body(instance: String, requestID: String) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("type")
            writer.value("/problems/\(slug)")
            writer.name("title")
            writer.value(status.reasonPhrase)
            writer.name("status")
            writer.value(status.code)
            writer.name("detail")
            writer.value(detail)
            writer.name("instance")
            writer.value(instance)
            writer.name("request_id")
            writer.value(requestID)
            if let jobState {
                writer.name("state")
                writer.value(jobState.rawValue)
            }
            if let offset {
                writer.name("offset")
                writer.value(offset)
            }
            guard !errors.isEmpty else { return }
            writer.name("errors")
            writer.array { writer in
                for fault in errors {
                    writer.object { writer in
                        writer.name("pointer")
                        writer.value(fault.pointer)
                        writer.name("code")
                        writer.value(fault.code)
                        writer.name("detail")
                        writer.value(fault.detail)
                    }
                }
            }
        }
        return writer.bytes
    }

    /// The answer.
    func response(instance: String, requestID: String) -> Response {
        let body = body(instance: instance, requestID: requestID)
        var headers = headers
        headers[.contentType] = "application/problem+json"
        if closesConnection { headers[.connection] = "close" }
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }
}
