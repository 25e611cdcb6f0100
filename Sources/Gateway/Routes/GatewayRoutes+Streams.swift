import HTTPTypes
import Hummingbird
import NIOCore
import SlipwayCore

extension GatewayRoutes {
    /// Hands out the output of a task: `GET /v1/jobs/{id}/logs`.
    @Sendable func logs(_ call: Call) async throws -> Response {
        try call.allowQuery("stream", "follow", "tail")
        let id = try call.jobID()
        guard let stream = LogStream(rawValue: call.target.query["stream"] ?? LogStream.all.rawValue) else {
            throw Problem.badRequest("The query parameter 'stream' must be stdout, stderr, all or build.")
        }
        let tail = try call.integer("tail", in: 0...1_000_000)
        let headers: HTTPFields = [.contentType: "text/plain; charset=utf-8"]
        let room = ResultRoom(self, call)
        guard try call.flag("follow") else {
            let text = try await service.logs(
                of: id, tenant: call.principal.tenant, stream: stream, tail: tail, for: room.caller)
            return .paced(text, headers: headers, room: room)
        }
        guard tail == nil else {
            throw Problem.badRequest("The query parameters 'follow' and 'tail' cannot be combined.")
        }
        let events = try await service.events(of: id, tenant: call.principal.tenant, after: 0, for: room.caller)
        let feed = EventFeed(events: events, heartbeat: nil, departure: call.departure, room: room) {
            LogLine.text(of: $0, stream: stream)
        }
        return Response(status: .ok, headers: headers, body: feed.body)
    }

    /// Streams the events of a job: `GET /v1/jobs/{id}/events`.
    @Sendable func events(_ call: Call) async throws -> Response {
        try call.allowQuery()
        let id = try call.jobID()
        let tenant = call.principal.tenant
        let after = try lastEventID(call)
        let room = ResultRoom(self, call)
        let events = try await service.events(of: id, tenant: tenant, after: after, for: room.caller)
        if Preferences.accepts("application/x-ndjson", call.headers) {
            let feed = EventFeed(
                events: events, heartbeat: options.heartbeat, heartbeatText: "\n", departure: call.departure, room: room
            ) {
                NDJSON.line($0.json)
            }
            return Response(status: .ok, headers: [.contentType: "application/x-ndjson"], body: feed.body)
        }
        var first: JobEvent?
        if after > 0, try await service.job(id, tenant: tenant).state.isTerminal {
            var iterator = events.makeAsyncIterator()
            first = await iterator.next()
            // Browsers connect again when a stream ends, until they are told that there is nothing more.
            guard first != nil else { return Response(status: .noContent) }
        }
        let feed = EventFeed(
            events: events, heartbeat: options.heartbeat, heartbeatText: ": alive\n\n", start: "retry: 2000\n\n",
            first: first, departure: call.departure, room: room
        ) { ServerSentEvent.text(of: $0) }
        return Response(status: .ok, headers: [.contentType: "text/event-stream"], body: feed.body)
    }

    private func lastEventID(_ call: Call) throws(Problem) -> Int {
        let values = call.headers[values: .lastEventID]
        guard let value = values.first, !value.isEmpty else { return 0 }
        guard values.count == 1, let seq = Int(value), seq >= 0 else {
            throw Problem.badRequest("Last-Event-ID must be the id of an event of this job.")
        }
        return seq
    }
}

/// Events in the format of server-sent events (WHATWG HTML, section 9.2).
enum ServerSentEvent {
    /// `id:` and `data:` lines and an empty line; the type stands in the data, so that every listener gets all.
    static func text(of event: JobEvent) -> [UInt8] { text(id: "\(event.seq)", json: event.json) }

    /// The same for an event with an id of another kind.
    static func text(id: String, json: [UInt8]) -> [UInt8] {
        var text = Array("id: \(id)\n".utf8)
        text.reserveCapacity(json.count + 64)
        // White space between the values of a task's own JSON may hold line breaks, which would end the field.
        for line in json.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
            text.append(contentsOf: "data: ".utf8)
            text.append(contentsOf: line)
            text.append(0x0A)
        }
        text.append(0x0A)
        return text
    }
}

/// JSON texts one on a line.
enum NDJSON {
    /// The text without line breaks, which only stand between its values, and one at its end.
    static func line(_ json: [UInt8]) -> [UInt8] {
        var line = json
        for index in line.indices where line[index] == 0x0A || line[index] == 0x0D { line[index] = 0x20 }
        line.append(0x0A)
        return line
    }
}

/// The text of log events.
enum LogLine {
    /// What a log event says on a stream; nil for other events and other streams.
    static func text(of event: JobEvent, stream: LogStream) -> [UInt8]? {
        guard event.type == "log" else { return nil }
        do throws(JSONParseError) {
            let root = try JSONDocument(parsing: event.json, limits: .init(depth: 512)).root
            guard let source = (root["stream"]?.string).flatMap(LogStream.init(rawValue:)), stream.includes(source)
            else {
                return nil
            }
            return root["data"]?.stringBytes
        } catch {
            return nil
        }
    }
}
