import Synchronization

/// A bounded byte buffer from the transfer thread to one reader.
///
/// The thread offers bytes and never blocks: a full buffer makes it pause the transfer, and the reader's next read
/// asks for it to go on. That is the whole back-pressure.
final class CurlByteChannel: Sendable {
    private struct State {
        var buffer: [UInt8] = []
        var end: Result<Void, CurlError>?
        var reader: CheckedContinuation<[UInt8]?, any Error>?
        var isProducerPaused = false
    }

    private let state = Mutex(State())
    private let limitBytes: Int

    init(limitBytes: Int) {
        self.limitBytes = limitBytes
    }

    /// Takes bytes unless the buffer is full; false means pause, and nothing was taken.
    func offer(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let (reader, chunk, accepted) = state.withLock {
            state -> (CheckedContinuation<[UInt8]?, any Error>?, [UInt8], Bool) in
            if let reader = state.reader {
                state.reader = nil
                return (reader, Array(bytes), true)
            }
            guard state.buffer.count < limitBytes else {
                state.isProducerPaused = true
                return (nil, [], false)
            }
            state.buffer.append(contentsOf: bytes)
            return (nil, [], true)
        }
        reader?.resume(returning: chunk)
        return accepted
    }

    /// Whether an offer would be refused; if so the reader's next read asks for more.
    func pauseIfFull() -> Bool {
        state.withLock { state in
            guard state.reader == nil, state.buffer.count >= limitBytes else { return false }
            state.isProducerPaused = true
            return true
        }
    }

    /// Ends the stream after what is buffered; later ends are ignored.
    func finish(_ error: CurlError?) {
        let result: Result<Void, CurlError> = error.map { .failure($0) } ?? .success(())
        let reader = state.withLock { state -> CheckedContinuation<[UInt8]?, any Error>? in
            guard state.end == nil else { return nil }
            state.end = result
            defer { state.reader = nil }
            return state.reader
        }
        if let error { reader?.resume(throwing: error) } else { reader?.resume(returning: nil) }
    }

    /// Everything that is buffered, waiting for the first byte; nil at the end.
    ///
    /// - Parameter onRoom: called when the transfer was paused and there is room again.
    func next(onRoom: @Sendable () -> Void) async throws -> [UInt8]? {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                self.read(into: continuation, onRoom: onRoom)
            }
        } onCancel: {
            self.cancelReader()
        }
    }

    private func read(into continuation: CheckedContinuation<[UInt8]?, any Error>, onRoom: () -> Void) {
        enum Step {
            case deliver([UInt8], wake: Bool)
            case end(Result<Void, CurlError>)
            case wait
            case refuse(any Error)
        }
        let isCancelled = Task.isCancelled
        let step = state.withLock { state -> Step in
            if isCancelled { return .refuse(CancellationError()) }
            guard state.reader == nil else {
                return .refuse(CurlError(.internalFault, "two readers on one response body"))
            }
            if !state.buffer.isEmpty {
                var chunk: [UInt8] = []
                swap(&chunk, &state.buffer)
                let wake = state.isProducerPaused
                state.isProducerPaused = false
                return .deliver(chunk, wake: wake)
            }
            if let end = state.end { return .end(end) }
            state.reader = continuation
            return .wait
        }
        switch step {
        case .deliver(let chunk, let wake):
            if wake { onRoom() }
            continuation.resume(returning: chunk)
        case .end(.success): continuation.resume(returning: nil)
        case .end(.failure(let error)): continuation.resume(throwing: error)
        case .refuse(let error): continuation.resume(throwing: error)
        case .wait:
            // The cancellation handler may have run before the reader was in place.
            if Task.isCancelled { cancelReader() }
        }
    }

    private func cancelReader() {
        let reader = state.withLock { state -> CheckedContinuation<[UInt8]?, any Error>? in
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume(throwing: CancellationError())
    }
}
