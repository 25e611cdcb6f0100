import Synchronization

/// What callers ask of the transfer thread.
enum CurlCommand: Sendable {
    case start(CurlPendingTransfer)
    case connect(CurlPendingConnection)
    case cancel(UInt64)
    /// The reader has room again, or the writer has bytes.
    case resume(UInt64)
    /// Ends everything; the continuation is resumed when the handles are freed.
    case shutdown(CheckedContinuation<Void, Never>?)
}

/// A request on its way to the transfer thread, with where its answer goes.
struct CurlPendingTransfer: Sendable {
    let id: UInt64
    let request: CurlRequest
    let sink: CurlSink
    let ticket: CurlTicket
    let submitted: ContinuousClock.Instant
}

/// A raw connection on its way to the transfer thread.
struct CurlPendingConnection: Sendable {
    let id: UInt64
    let origin: CurlOrigin
    let connectTimeout: Duration
    let inbound: CurlByteChannel
    let outbound: CurlUpload
    let opened: CheckedContinuation<Void, any Error>
    let ticket: CurlTicket
}

/// Where a response goes.
enum CurlSink: Sendable {
    case buffered(limitBytes: Int, CheckedContinuation<CurlResponse, any Error>)
    case streamed(CheckedContinuation<CurlResponseHead, any Error>, CurlByteChannel)
}

/// Remembers a cancellation that comes before the start command.
final class CurlTicket: Sendable {
    private let cancelled = Atomic<Bool>(false)

    func cancel() { cancelled.store(true, ordering: .releasing) }
    var isCancelled: Bool { cancelled.load(ordering: .acquiring) }
}

/// The queue of commands to the transfer thread, and the only way in.
final class CurlMailbox: Sendable {
    private struct State {
        var commands: [CurlCommand] = []
        var wakeup: CurlWakeup?
        var isClosed = false
    }

    private let state = Mutex(State())

    /// Queues a command and wakes the thread; false once the transport is shut down.
    func post(_ command: CurlCommand) -> Bool {
        state.withLock { state in
            guard !state.isClosed else { return false }
            state.commands.append(command)
            // One wake-up serves every command that comes before the thread looks.
            if state.commands.count == 1 { state.wakeup?.wake() }
            return true
        }
    }

    /// Called by the thread when it can be woken.
    func open(_ wakeup: CurlWakeup) {
        state.withLock { $0.wakeup = wakeup }
    }

    func drain() -> [CurlCommand] {
        state.withLock { state in
            var commands: [CurlCommand] = []
            swap(&commands, &state.commands)
            return commands
        }
    }

    /// Closes for good and hands back what was not seen; after this the multi handle is never touched from outside.
    func close() -> [CurlCommand] {
        state.withLock { state in
            state.isClosed = true
            state.wakeup = nil
            defer { state.commands = [] }
            return state.commands
        }
    }
}
