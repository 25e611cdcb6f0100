import Hummingbird
import NIOCore
import ServiceLifecycle
import SlipwayCore

/// Writes events to a client as they happen, and a sign of life when nothing happens.
///
/// An event is asked for when the one before it has been written: a slow reader holds up nobody but itself. The feed
/// ends with the job, with the client, or with the service.
struct EventFeed<Event: Sendable>: Sendable {
    private enum Signal: Sendable {
        case event(Event)
        case end
        case silence
    }

    /// Takes events one by one, from whichever task asks.
    private actor Source {
        private var iterator: AsyncStream<Event>.Iterator

        init(_ events: AsyncStream<Event>) { iterator = events.makeAsyncIterator() }

        func next() async -> Signal {
            var copy = iterator
            let event = await copy.next(isolation: self)
            iterator = copy
            return event.map(Signal.event) ?? .end
        }
    }

    let events: AsyncStream<Event>
    /// How long to be silent at most; nil for as long as nothing happens.
    let heartbeat: Duration?
    let heartbeatText: String
    let start: String
    /// An event that was taken out of the stream already.
    let first: Event?
    /// When the client goes.
    let departure: Departure
    /// What the stored events take; held until the feed has ended.
    let room: ResultRoom?
    /// The bytes of an event; nil for events that are left out.
    let encode: @Sendable (Event) -> [UInt8]?

    init(
        events: AsyncStream<Event>, heartbeat: Duration?, heartbeatText: String = "", start: String = "",
        first: Event? = nil, departure: Departure, room: ResultRoom? = nil,
        encode: @escaping @Sendable (Event) -> [UInt8]?
    ) {
        self.events = events
        self.heartbeat = heartbeat
        self.heartbeatText = heartbeatText
        self.start = start
        self.first = first
        self.departure = departure
        self.room = room
        self.encode = encode
    }

    /// The body of the answer.
    var body: ResponseBody {
        ResponseBody { writer in
            defer { room?.release() }
            if !start.isEmpty { try await writer.write(ByteBuffer(string: start)) }
            if let first, let bytes = encode(first) { try await writer.write(ByteBuffer(bytes: bytes)) }
            var output = writer
            try await write(to: &output)
            try await output.finish(nil)
        }
    }

    private func write(to writer: inout any ResponseBodyWriter) async throws {
        let source = Source(events)
        let (goings, going) = AsyncStream<Void>.makeStream()
        let notice = departure.notify { going.finish() }
        defer { if let notice { departure.forget(notice) } }
        try await withThrowingTaskGroup(of: Signal.self) { group in
            group.addTask { await cancelWhenGracefulShutdown { await source.next() } }
            addSilence(to: &group)
            group.addTask {
                for await _ in goings {}
                return .end
            }
            while let signal = try await group.next() {
                switch signal {
                case .event(let event):
                    if let bytes = encode(event), !bytes.isEmpty { try await writer.write(ByteBuffer(bytes: bytes)) }
                    group.addTask { await cancelWhenGracefulShutdown { await source.next() } }
                case .silence:
                    try await writer.write(ByteBuffer(string: heartbeatText))
                    addSilence(to: &group)
                case .end:
                    group.cancelAll()
                    return
                }
            }
        }
    }

    private func addSilence(to group: inout ThrowingTaskGroup<Signal, any Error>) {
        guard let heartbeat else { return }
        group.addTask {
            do {
                try await Task.sleep(for: heartbeat)
            } catch {
                // Cancelled, because the feed has ended.
                return .end
            }
            return .silence
        }
    }
}
