/// For whom an engine waits or reads: when that one has gone, and how much it may be handed.
package struct Caller: Sendable {
    /// Makes room for a result, or for logs or events, of so many bytes before they are read; throws when there is none
    /// in time.
    package typealias Room = @Sendable (_ bytes: Int) async throws -> Void

    /// Ends waits when it happens.
    package var departure: Departure?
    /// Asked before something is read that may be large.
    package var room: Room?

    package init(departure: Departure? = nil, room: Room? = nil) {
        self.departure = departure
        self.room = room
    }
}
