import NIOCore
import Synchronization

/// Says when a transfer that holds room is slower on average than it may be; from when it is made until it is ended.
///
/// Whoever makes one ends it. Only transfers that take room have one: small bodies and answers do without.
final class RateWatch: Sendable {
    private struct State {
        var movedBytes = 0
        var hasEnded = false
        var timer: Scheduled<Void>?
    }

    private let rate: LeastRate
    private let loop: any EventLoop
    private let startedAt = NIODeadline.now()
    private let tooSlow: @Sendable () -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - loop: Where the time is told.
    ///   - tooSlow: Called on the loop, every second for as long as the transfer is too slow and has not ended.
    init(_ rate: LeastRate, on loop: any EventLoop, tooSlow: @escaping @Sendable () -> Void) {
        self.rate = rate
        self.loop = loop
        self.tooSlow = tooSlow
        look(in: rate.grace)
    }

    /// So many bytes more have been moved.
    func moved(_ bytes: Int) { state.withLock { $0.movedBytes += bytes } }

    /// The transfer has ended, or nobody waits for it any longer.
    func end() {
        let timer = state.withLock { state in
            state.hasEnded = true
            defer { state.timer = nil }
            return state.timer
        }
        timer?.cancel()
    }

    private func look(in time: Duration) {
        let timer = loop.scheduleTask(in: TimeAmount(time)) { [weak self] () -> Void in self?.look() }
        let isLate = state.withLock { state in
            if !state.hasEnded { state.timer = timer }
            return state.hasEnded
        }
        if isLate { timer.cancel() }
    }

    private func look() {
        guard let bytes = state.withLock({ $0.hasEnded ? nil : $0.movedBytes }) else { return }
        let left = rate.timeLeft(after: Duration(NIODeadline.now() - startedAt), bytes: bytes)
        if left <= .zero { tooSlow() }
        look(in: max(left, .seconds(1)))
    }
}
