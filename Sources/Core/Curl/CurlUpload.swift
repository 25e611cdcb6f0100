import Synchronization

/// A bounded byte buffer from writers to the transfer thread: a request body, or the sending half of a connection.
package final class CurlUpload: Sendable {
    private typealias Waiter = CheckedContinuation<Void, any Error>

    fileprivate struct State {
        var buffer: [UInt8] = []
        var sentBytes = 0
        /// All bytes that were queued, and all that the transfer thread took, since the beginning.
        var queuedTotal = 0
        var takenTotal = 0
        var isFinished = false
        var failure: CurlError?
        var waiters: [UInt64: (continuation: CheckedContinuation<Void, any Error>, end: Int)] = [:]
        var nextWaiter: UInt64 = 0
        var isConsumerIdle = false
        var wake: (@Sendable () -> Void)?

        var pendingBytes: Int { buffer.count - sentBytes }
    }

    /// What the transfer thread found.
    enum Taken: Equatable {
        case bytes(Int)
        case nothingYet
        case end
    }

    private let state = Mutex(State())
    private let limitBytes: Int

    /// Makes an empty upload that holds writers back above `limitBytes`.
    package init(limitBytes: Int = 256 * 1024) {
        self.limitBytes = limitBytes
    }

    /// Queues bytes; returns once the buffer is below its limit.
    ///
    /// The bytes of one call stay together. A call whose bytes were all taken succeeds, even if the transfer ended
    /// since: a server may answer at the last byte that was announced. When the task is cancelled while waiting they
    /// are queued all the same.
    /// - Throws: `CurlError` when the transfer has ended, `CancellationError` when the task was cancelled.
    package func write(_ bytes: [UInt8]) async throws {
        try Task.checkCancellation()
        let (wake, isFull, end) = try state.withLock { state -> ((@Sendable () -> Void)?, Bool, Int) in
            if let failure = state.failure { throw failure }
            guard !state.isFinished else { throw CurlError(.internalFault, "a write after the end of an upload") }
            state.compact()
            state.buffer.append(contentsOf: bytes)
            state.queuedTotal += bytes.count
            return (state.takeWake(), state.pendingBytes > limitBytes, state.queuedTotal)
        }
        wake?()
        if isFull { try await waitForRoom(upTo: end) }
    }

    /// Says that nothing follows.
    package func finish() {
        let wake = state.withLock { state -> (@Sendable () -> Void)? in
            state.isFinished = true
            return state.takeWake()
        }
        wake?()
    }

    /// Names the call that tells the transfer thread about new bytes; before the transfer starts.
    func bind(wake: @escaping @Sendable () -> Void) {
        state.withLock { $0.wake = wake }
    }

    /// Lets the transfer thread take bytes; the closure says how many of those offered it used.
    func take(_ body: (UnsafeRawBufferPointer) throws -> Int) rethrows -> Taken {
        var released: [CheckedContinuation<Void, any Error>] = []
        defer { for waiter in released { waiter.resume() } }
        return try state.withLock { state in
            guard state.pendingBytes > 0 else {
                if state.isFinished { return .end }
                state.isConsumerIdle = true
                return .nothingYet
            }
            let offset = state.sentBytes
            let used = try state.buffer.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[offset...])) }
            state.sentBytes += used
            state.takenTotal += used
            if state.pendingBytes <= limitBytes / 2 {
                released = state.waiters.values.map(\.continuation)
                state.waiters.removeAll()
            }
            return .bytes(used)
        }
    }

    /// Fails all writers, present and future: the transfer has ended.
    func close(_ error: CurlError) {
        let (waiters, taken) = state.withLock { state in
            if state.failure == nil { state.failure = error }
            state.buffer = []
            state.sentBytes = 0
            state.wake = nil
            defer { state.waiters.removeAll() }
            return (Array(state.waiters.values), state.takenTotal)
        }
        for waiter in waiters {
            if waiter.end <= taken { waiter.continuation.resume() } else { waiter.continuation.resume(throwing: error) }
        }
    }

    private func waitForRoom(upTo end: Int) async throws {
        let id = state.withLock { state -> UInt64 in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: Waiter) in
                let outcome = state.withLock { state -> Result<Void, CurlError>? in
                    if state.takenTotal >= end { return .success(()) }
                    if let failure = state.failure { return .failure(failure) }
                    if state.pendingBytes <= limitBytes { return .success(()) }
                    state.waiters[id] = (continuation, end)
                    return nil
                }
                switch outcome {
                case .success: continuation.resume()
                case .failure(let error): continuation.resume(throwing: error)
                case nil:
                    // The cancellation handler may have run before the waiter was in place.
                    if Task.isCancelled { cancelWaiter(id) }
                }
            }
        } onCancel: {
            cancelWaiter(id)
        }
    }

    private func cancelWaiter(_ id: UInt64) {
        let waiter = state.withLock { $0.waiters.removeValue(forKey: id) }
        waiter?.continuation.resume(throwing: CancellationError())
    }
}

extension CurlUpload.State {
    /// The wake-up call if the consumer went idle; it is made once per idle spell.
    fileprivate mutating func takeWake() -> (@Sendable () -> Void)? {
        guard isConsumerIdle else { return nil }
        isConsumerIdle = false
        return wake
    }

    /// Drops sent bytes once they outweigh the rest, so that appending stays cheap.
    fileprivate mutating func compact() {
        guard sentBytes > 0, sentBytes >= buffer.count / 2 else { return }
        buffer.removeFirst(sentBytes)
        sentBytes = 0
    }
}
