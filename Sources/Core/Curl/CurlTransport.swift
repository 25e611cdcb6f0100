import Foundation
import Synchronization

/// HTTP over libcurl: one multi handle on one thread, requests as async calls.
///
/// Connections are kept alive and reused. Cancelling the calling task aborts the transfer. Bodies stream in both
/// directions with back-pressure: a slow reader pauses its own transfer only. The thread ends with `shutdown()`, or
/// when the last reference goes; a stream holds one.
package final class CurlTransport: Sendable {
    /// Limits of a transport.
    package struct Options: Sendable {
        /// Brief requests that run at the same time; further ones wait.
        package var maxBriefRequests = 64
        /// Long-lived requests, and separately raw connections, open at the same time.
        package var maxLastingRequests = 2048
        /// Requests of one lane that may wait for a slot; one more fails at once.
        package var maxWaitingRequests = 4096
        /// Idle connections kept for reuse.
        package var maxIdleConnections = 32
        /// Bytes of one body buffered between the thread and the reader.
        package var bodyBufferBytes = 256 * 1024

        package init() {}
    }

    private let options: Options
    private let mailbox = CurlMailbox()
    private let lastID = Atomic<UInt64>(0)

    package init(options: Options = Options()) {
        self.options = options
        let mailbox = mailbox
        let thread = Thread { CurlLoop.run(mailbox: mailbox, options: options) }
        thread.name = "slipway-curl"
        thread.start()
    }

    deinit {
        // False means that the thread has ended already.
        _ = mailbox.post(.shutdown(nil))
    }

    /// Sends a request and reads the whole response, of whatever status.
    ///
    /// - Parameter limitBytes: the largest body that is read; more ends the transfer with `responseTooLarge`.
    /// - Throws: `CurlError`; `CancellationError` when the task was cancelled.
    package func send(_ request: CurlRequest, limitBytes: Int) async throws -> CurlResponse {
        let (id, ticket) = (nextID(), CurlTicket())
        bind(request, id)
        return try await cancellable(id, ticket) {
            try await withCheckedThrowingContinuation { continuation in
                let sink = CurlSink.buffered(limitBytes: limitBytes, continuation)
                self.submit(CurlPendingTransfer(id: id, request: request, sink: sink, ticket: ticket, submitted: .now))
            }
        }
    }

    /// Sends a request and returns at the response's head; the body follows as a stream.
    ///
    /// Dropping the body without reading it to its end aborts the transfer.
    /// - Throws: `CurlError`; `CancellationError` when the task was cancelled.
    package func open(_ request: CurlRequest) async throws -> (head: CurlResponseHead, body: CurlBody) {
        let (id, ticket) = (nextID(), CurlTicket())
        bind(request, id)
        let channel = CurlByteChannel(limitBytes: options.bodyBufferBytes)
        let head = try await cancellable(id, ticket) {
            try await withCheckedThrowingContinuation { continuation in
                let sink = CurlSink.streamed(continuation, channel)
                self.submit(CurlPendingTransfer(id: id, request: request, sink: sink, ticket: ticket, submitted: .now))
            }
        }
        return (head, CurlBody(id: id, channel: channel, mailbox: mailbox, transport: self))
    }

    /// Connects without sending anything; what follows is up to the caller.
    ///
    /// - Throws: `CurlError`; `CancellationError` when the task was cancelled.
    package func connect(_ origin: CurlOrigin, timeout: Duration) async throws -> CurlConnection {
        let (id, ticket) = (nextID(), CurlTicket())
        let inbound = CurlByteChannel(limitBytes: options.bodyBufferBytes)
        let outbound = CurlUpload(limitBytes: options.bodyBufferBytes)
        let mailbox = mailbox
        outbound.bind { _ = mailbox.post(.resume(id)) }
        try await cancellable(id, ticket) {
            try await withCheckedThrowingContinuation { (opened: CheckedContinuation<Void, any Error>) in
                let pending = CurlPendingConnection(
                    id: id, origin: origin, connectTimeout: timeout, inbound: inbound, outbound: outbound,
                    opened: opened, ticket: ticket)
                if !mailbox.post(.connect(pending)) { opened.resume(throwing: CurlError.closed) }
            }
        }
        return CurlConnection(
            incoming: CurlBody(id: id, channel: inbound, mailbox: mailbox, transport: self), outgoing: outbound)
    }

    /// Ends every transfer with `closed`, frees the handles and ends the thread.
    package func shutdown() async {
        await withCheckedContinuation { continuation in
            if !mailbox.post(.shutdown(continuation)) { continuation.resume() }
        }
    }

    private func nextID() -> UInt64 {
        lastID.add(1, ordering: .relaxed).newValue
    }

    private func bind(_ request: CurlRequest, _ id: UInt64) {
        guard case .upload(let upload, _) = request.body else { return }
        let mailbox = mailbox
        upload.bind { _ = mailbox.post(.resume(id)) }
    }

    private func submit(_ pending: CurlPendingTransfer) {
        if !mailbox.post(.start(pending)) { pending.fail(.closed) }
    }

    private func cancellable<Value: Sendable>(
        _ id: UInt64, _ ticket: CurlTicket, _ body: @Sendable () async throws -> Value
    ) async throws -> Value {
        do {
            return try await withTaskCancellationHandler {
                try await body()
            } onCancel: {
                ticket.cancel()
                // False means that the thread has ended and failed everything.
                _ = mailbox.post(.cancel(id))
            }
        } catch let error as CurlError where error.kind == .cancelled {
            throw CancellationError()
        }
    }
}
