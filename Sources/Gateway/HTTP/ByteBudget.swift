import NIOCore
import SlipwayCore
import Synchronization

/// Bytes that all requests together may hold at a time; who needs more than is free waits in line.
///
/// One that needs more than there is in all gets its turn when nobody else holds anything.
final class ByteBudget: Sendable {
    /// Bytes that are taken; they are free again when nothing refers to this any more, or when it is told.
    final class Share: Sendable {
        private let budget: ByteBudget
        private let bytes: Mutex<Int>

        fileprivate init(_ budget: ByteBudget, _ bytes: Int) {
            self.budget = budget
            self.bytes = Mutex(bytes)
        }

        deinit { release() }

        /// Gives the bytes back; a second call changes nothing.
        func release() {
            let held = bytes.withLock { bytes in
                defer { bytes = 0 }
                return bytes
            }
            if held > 0 { budget.giveBack(held) }
        }
    }

    private struct Waiter {
        let number: Int
        let bytes: Int
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var used = 0
        var nextNumber = 0
        var waiters: [Waiter] = []
    }

    private let limitBytes: Int
    private let state = Mutex(State())

    init(limitBytes: Int) { self.limitBytes = limitBytes }

    /// How many bytes are taken.
    var usedBytes: Int { state.withLock { $0.used } }
    /// How many wait in line.
    var waiting: Int { state.withLock { $0.waiters.count } }

    /// Takes bytes if they are free and nobody waits in line.
    func takeAtOnce(_ bytes: Int) -> Share? {
        let isTaken = state.withLock { state in
            guard state.waiters.isEmpty, fits(bytes, state) else { return false }
            state.used += bytes
            return true
        }
        return isTaken ? Share(self, bytes) : nil
    }

    /// Takes bytes as soon as they are free.
    ///
    /// - Parameters:
    ///   - limit: The longest wait.
    ///   - departure: Ends the wait when whoever asked has gone.
    /// - Returns: Nil when they were not free in time.
    func take(
        _ bytes: Int, upTo limit: Duration, on loop: any EventLoop, departure: Departure?
    ) async -> Share? {
        if let share = takeAtOnce(bytes) { return share }
        var timer: Scheduled<Void>?
        var notice: Int?
        let isTaken = await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
            guard let number = line(up: bytes, continuation) else { return }
            timer = loop.scheduleTask(in: TimeAmount(limit)) { self.giveUp(number) }
            notice = departure?.notify { self.giveUp(number) }
        }
        timer?.cancel()
        if let notice { departure?.forget(notice) }
        return isTaken ? Share(self, bytes) : nil
    }

    /// Goes to the end of the line; resumes at once, and gives nil, when the bytes have become free meanwhile.
    private func line(up bytes: Int, _ continuation: CheckedContinuation<Bool, Never>) -> Int? {
        let number = state.withLock { state -> Int? in
            guard !state.waiters.isEmpty || !fits(bytes, state) else {
                state.used += bytes
                return nil
            }
            state.nextNumber += 1
            state.waiters.append(Waiter(number: state.nextNumber, bytes: bytes, continuation: continuation))
            return state.nextNumber
        }
        if number == nil { continuation.resume(returning: true) }
        return number
    }

    private func giveUp(_ number: Int) {
        let gone = state.withLock { state -> (Waiter, [Waiter])? in
            guard let index = state.waiters.firstIndex(where: { $0.number == number }) else { return nil }
            let waiter = state.waiters.remove(at: index)
            // The one that gave up may have been all that those behind it waited for.
            return (waiter, admit(&state))
        }
        guard let (waiter, admitted) = gone else { return }
        waiter.continuation.resume(returning: false)
        for next in admitted { next.continuation.resume(returning: true) }
    }

    private func giveBack(_ bytes: Int) {
        let admitted = state.withLock { state in
            state.used -= bytes
            return admit(&state)
        }
        for next in admitted { next.continuation.resume(returning: true) }
    }

    /// Takes those from the head of the line for whom there is room, in their order: a large one is not overtaken.
    private func admit(_ state: inout State) -> [Waiter] {
        var admitted: [Waiter] = []
        while let next = state.waiters.first, fits(next.bytes, state) {
            state.used += next.bytes
            admitted.append(state.waiters.removeFirst())
        }
        return admitted
    }

    private func fits(_ bytes: Int, _ state: borrowing State) -> Bool {
        state.used == 0 || state.used + bytes <= limitBytes
    }
}
