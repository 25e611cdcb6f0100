import NIOCore
import SlipwayCore
import Synchronization

/// The clients that are connected, so that whoever works for one learns when it has gone.
final class Connections: Sendable {
    private let departures = Mutex<[ObjectIdentifier: Departure]>([:])

    /// Notes a connection; the departure happens when its client closes it, or its sending half.
    func add(_ channel: any Channel) -> Departure {
        let departure = Departure()
        departures.withLock { $0[ObjectIdentifier(channel)] = departure }
        return departure
    }

    /// Forgets a connection that is closed.
    func remove(_ channel: any Channel) {
        departures.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(channel)) }
    }

    /// The departure of the client on a connection; one that has happened for a connection that is closed.
    func departure(of channel: any Channel) -> Departure {
        if let departure = departures.withLock({ $0[ObjectIdentifier(channel)] }) { return departure }
        let gone = Departure()
        gone.happen()
        return gone
    }
}
