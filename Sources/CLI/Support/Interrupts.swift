import Dispatch
import Foundation
import Synchronization

/// The wishes of a user or a supervisor that the process ends: SIGINT, SIGTERM and SIGHUP, one by one.
final class Interrupts: Sendable {
    /// So many signals end the process at once, whatever it waits for.
    private static let patience = 4

    /// The numbers of the signals as they come.
    let signals: AsyncStream<Int32>
    // Dispatch sources may be used from any thread; they are made here and cancelled at the end.
    private nonisolated(unsafe) let sources: [any DispatchSourceSignal]

    /// Takes the signals over from their default, which ends the process at once.
    init() {
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self, bufferingPolicy: .bufferingOldest(8))
        let queue = DispatchQueue(label: "slipway.signals")
        let count = SignalCount()
        signals = stream
        sources = [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                continuation.yield(number)
                if count.next() >= Self.patience { exit(128 + number) }
            }
            source.resume()
            return source
        }
    }

    deinit {
        for source in sources { source.cancel() }
    }
}

/// How many signals have come.
private final class SignalCount: Sendable {
    private let value = Atomic<Int>(0)

    func next() -> Int { value.add(1, ordering: .relaxed).newValue }
}
