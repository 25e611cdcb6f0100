extension DockerClient {
    /// Which events are wanted; empty lists mean all.
    package struct EventFilter: Sendable {
        /// `container`, `image`, `network`, `volume`.
        package var types: [String] = []
        /// `die`, `oom`, `start`, `pause`, `destroy` and so on.
        package var actions: [String] = []
        /// Labels that the object carries, all of them.
        package var labels: [String: String] = [:]
        /// Also what happened since then, in seconds since 1970; covers the gap of a reconnection.
        package var sinceSeconds: Double?

        package init() {}
    }

    /// `GET /events`: what happens in the engine, until the stream is dropped or the engine goes.
    ///
    /// The stream is open when this returns. It does not reconnect: its owner does, with `sinceSeconds`.
    package func events(_ filter: EventFilter = EventFilter()) async throws -> DockerEventStream {
        var filters: [String: [String]] = [:]
        if !filter.types.isEmpty { filters["type"] = filter.types }
        if !filter.actions.isEmpty { filters["event"] = filter.actions }
        if !filter.labels.isEmpty { filters["label"] = filter.labels.map { "\($0.key)=\($0.value)" }.sorted() }
        var query = [(name: "filters", value: try DockerJSON.filters(filters))]
        if let since = filter.sinceSeconds { query.append(("since", DockerTime.text(seconds: since))) }
        let call = DockerCall(
            action: "stream events", path: "/events", query: query, timeouts: lastingTimeouts, lane: .lasting)
        let (_, body) = try await open(call)
        return DockerEventStream(body: body, errors: errors)
    }
}

/// Times as query values.
enum DockerTime {
    /// Seconds with nanoseconds, as the engine reads them: `1700000000.123456789`.
    static func text(seconds: Double) -> String {
        let whole = seconds.rounded(.down)
        let nanoseconds = Int(((seconds - whole) * 1_000_000_000).rounded(.down))
        let digits = String(nanoseconds)
        return "\(Int(whole))." + String(repeating: "0", count: max(0, 9 - digits.count)) + digits
    }
}

/// One event of the engine.
package struct DockerEvent: Sendable, Decodable {
    /// What it happened to: `container`, `image` and so on.
    package let type: String
    /// What happened, such as `start` or `oom`; some carry a detail after a colon.
    package let action: String
    /// The object's id.
    package let id: String
    /// Labels, `name`, `exitCode` and the like.
    package let attributes: [String: String]
    package let timeNanoseconds: Int64

    private enum Key: String, CodingKey {
        case type = "Type"
        case action = "Action"
        case actor = "Actor"
        case timeNanoseconds = "timeNano"
    }

    private struct Actor: Decodable {
        let id: String?
        let attributes: [String: String]?

        enum CodingKeys: String, CodingKey {
            case id = "ID"
            case attributes = "Attributes"
        }
    }

    package init(from decoder: any Decoder) throws {
        let object = try decoder.container(keyedBy: Key.self)
        type = try object.decode(String.self, forKey: .type)
        action = try object.decodeIfPresent(String.self, forKey: .action) ?? ""
        let actor = try object.decodeIfPresent(Actor.self, forKey: .actor)
        id = actor?.id ?? ""
        attributes = actor?.attributes ?? [:]
        timeNanoseconds = try object.decodeIfPresent(Int64.self, forKey: .timeNanoseconds) ?? 0
    }
}

/// Events as they come, for one reader; ends when the engine ends the stream, throws when it breaks.
package struct DockerEventStream: AsyncSequence, Sendable {
    package typealias Element = DockerEvent

    fileprivate let body: CurlBody
    fileprivate let errors: DockerErrorMapper

    init(body: CurlBody, errors: DockerErrorMapper) {
        self.body = body
        self.errors = errors
    }

    package func makeAsyncIterator() -> Iterator {
        Iterator(stream: self)
    }

    /// Ends the stream from this side.
    package func cancel() {
        body.cancel()
    }

    /// Reads event by event.
    package struct Iterator: AsyncIteratorProtocol {
        private let stream: DockerEventStream
        private var splitter = DockerLineSplitter()
        private var lines: ArraySlice<[UInt8]> = []

        fileprivate init(stream: DockerEventStream) {
            self.stream = stream
        }

        package mutating func next() async throws -> DockerEvent? {
            do {
                while true {
                    if let line = lines.popFirst() { return try DockerJSON.decode(DockerEvent.self, from: line) }
                    guard let chunk = try await stream.body.next() else {
                        guard splitter.finish() == nil else {
                            throw DockerMalformedAnswer(description: "the event stream ended inside an event")
                        }
                        return nil
                    }
                    lines = try splitter.feed(chunk)[...]
                }
            } catch {
                throw stream.errors.failed("stream events", error)
            }
        }
    }
}
