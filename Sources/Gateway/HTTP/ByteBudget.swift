import NIOCore
import SlipwayCore
import Synchronization

/// Bytes that all requests together may hold at a time; who needs more than is free waits, as ``FairShares`` decides.
final class ByteBudget: Sendable {
    /// Bytes that are taken; they are free again when nothing refers to this any more, or when it is told.
    final class Share: Sendable {
        private let budget: ByteBudget
        private let tenant: TenantID
        private let bytes: Mutex<Int>

        fileprivate init(_ budget: ByteBudget, _ bytes: Int, _ tenant: TenantID) {
            self.budget = budget
            self.tenant = tenant
            self.bytes = Mutex(bytes)
        }

        deinit { release() }

        /// Gives the bytes back; a second call changes nothing.
        func release() {
            let held = bytes.withLock { bytes in
                defer { bytes = 0 }
                return bytes
            }
            if held > 0 { budget.giveBack(held, tenant) }
        }
    }

    private typealias Continuation = CheckedContinuation<Bool, Never>

    private struct State {
        var shares: FairShares
        /// Those who wait, by their numbers.
        var waiters: [Int: Continuation] = [:]

        /// Those of the numbers, in their order, who wait no longer.
        mutating func remove(_ numbers: [Int]) -> [Continuation] {
            numbers.compactMap { waiters.removeValue(forKey: $0) }
        }
    }

    private let state: Mutex<State>

    init(limitBytes: Int) { state = Mutex(State(shares: FairShares(limitBytes: limitBytes))) }

    /// Takes bytes for a tenant if they are free and it is nobody else's turn.
    func takeAtOnce(_ bytes: Int, tenant: TenantID) -> Share? {
        state.withLock { $0.shares.take(bytes, of: tenant) } ? Share(self, bytes, tenant) : nil
    }

    /// Takes bytes for a tenant as soon as it may have them.
    ///
    /// - Parameters:
    ///   - limit: The longest wait.
    ///   - departure: Ends the wait when whoever asked has gone.
    /// - Returns: Nil when it was not in time.
    func take(
        _ bytes: Int, tenant: TenantID, upTo limit: Duration, on loop: any EventLoop, departure: Departure?
    ) async -> Share? {
        if let share = takeAtOnce(bytes, tenant: tenant) { return share }
        var timer: Scheduled<Void>?
        var notice: Int?
        let isTaken = await withCheckedContinuation { (continuation: Continuation) in
            guard let number = line(up: bytes, tenant, continuation) else { return }
            timer = loop.scheduleTask(in: TimeAmount(limit)) { self.giveUp(number, tenant) }
            notice = departure?.notify { self.giveUp(number, tenant) }
        }
        timer?.cancel()
        if let notice { departure?.forget(notice) }
        return isTaken ? Share(self, bytes, tenant) : nil
    }

    /// Goes to the end of the line; resumes at once, and gives nil, when the bytes have become free meanwhile.
    private func line(up bytes: Int, _ tenant: TenantID, _ continuation: Continuation) -> Int? {
        let number = state.withLock { state -> Int? in
            guard !state.shares.take(bytes, of: tenant) else { return nil }
            let number = state.shares.line(up: bytes, of: tenant)
            state.waiters[number] = continuation
            return number
        }
        if number == nil { continuation.resume(returning: true) }
        return number
    }

    private func giveUp(_ number: Int, _ tenant: TenantID) {
        let gone = state.withLock { state -> (Continuation?, [Continuation])? in
            guard let admitted = state.shares.leave(number, of: tenant) else { return nil }
            return (state.waiters.removeValue(forKey: number), state.remove(admitted))
        }
        guard let (waiter, admitted) = gone else { return }
        waiter?.resume(returning: false)
        for next in admitted { next.resume(returning: true) }
    }

    private func giveBack(_ bytes: Int, _ tenant: TenantID) {
        let admitted = state.withLock { $0.remove($0.shares.giveBack(bytes, of: tenant)) }
        for next in admitted { next.resume(returning: true) }
    }
}
