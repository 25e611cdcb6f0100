import HTTPTypes
import Hummingbird
import SlipwayCore

extension GatewayRoutes {
    /// Streams the events of all jobs of the caller's tenant: `GET /v1/events`.
    ///
    /// The answer begins at once; every event after its first bytes is in it.
    @Sendable func tenantEvents(_ call: Call) async throws -> Response {
        try call.allowQuery("label", "type", "results")
        var query = TenantEventQuery()
        query.labels = try call.labels()
        query.types = Set((call.target.query["type"] ?? "").split(separator: ",").map(String.init))
        query.includesResults = try call.flag("results")
        let last = call.headers[values: .lastEventID]
        guard last.count <= 1, last.first.map({ $0.utf8.count <= 64 }) ?? true else {
            throw Problem.badRequest("Last-Event-ID must be the stream_id of an event.")
        }
        query.after = last.first.flatMap { $0.isEmpty ? nil : $0 }
        let events = await service.events(query, tenant: call.principal.tenant)
        if Preferences.accepts("application/x-ndjson", call.headers) {
            let feed = EventFeed(
                events: events, heartbeat: options.heartbeat, heartbeatText: "\n", start: "\n",
                departure: call.departure
            ) {
                NDJSON.line(TenantEventEncoder.json($0))
            }
            return Response(status: .ok, headers: [.contentType: "application/x-ndjson"], body: feed.body)
        }
        let feed = EventFeed(
            events: events, heartbeat: options.heartbeat, heartbeatText: ": alive\n\n", start: "retry: 2000\n\n",
            departure: call.departure
        ) { ServerSentEvent.text(id: $0.streamID, json: TenantEventEncoder.json($0)) }
        return Response(status: .ok, headers: [.contentType: "text/event-stream"], body: feed.body)
    }
}

/// Writes events of a tenant as JSON.
enum TenantEventEncoder {
    /// The event with its place in the stream, and with the job and its result where they are there.
    static func json(_ told: TenantEvent) -> [UInt8] {
        var writer = JSONWriter(capacity: 256)
        guard let event = told.event, event.json.last == UInt8(ascii: "}") else {
            writer.object { writer in
                writer.name("type")
                writer.value("gap")
                writer.name("stream_id")
                writer.value(told.streamID)
            }
            return writer.bytes
        }
        writer.object { writer in
            writer.name("stream_id")
            writer.value(told.streamID)
            guard let outcome = told.outcome else { return }
            writer.name("job")
            JobEncoder.write(outcome.job, to: &writer)
            guard let result = outcome.result else { return }
            writer.name("result")
            writer.object { ResultEncoder.writeMembers(result, packedText: outcome.packedText, to: &$0) }
        }
        // Both are objects with members: the first without its end, a comma, the second without its beginning.
        return Array(event.json.dropLast()) + [UInt8(ascii: ",")] + writer.bytes.dropFirst()
    }
}
