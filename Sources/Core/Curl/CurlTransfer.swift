/// One running request, as the transfer thread sees it.
///
/// libcurl's callbacks land here; nothing here blocks or calls back into the multi handle.
final class CurlTransfer {
    enum Verdict {
        case taken
        case pause
        case abort
    }

    let id: UInt64
    let lane: CurlRequest.Lane
    let easy: CurlEasy
    private let timeouts: CurlTimeouts
    private let totalDeadline: ContinuousClock.Instant?
    private var sink: CurlSink?
    private let channel: CurlByteChannel?
    private let limitBytes: Int
    private let upload: CurlUpload?
    private var collector = CurlHeadCollector()
    private var body: [UInt8] = []
    private var lastActivity = ContinuousClock.now
    private var isReceivePaused = false
    private var isSendPaused = false
    private var failure: CurlError?

    init(_ pending: CurlPendingTransfer) throws(CurlError) {
        id = pending.id
        lane = pending.request.lane
        timeouts = pending.request.timeouts
        totalDeadline = pending.deadline
        sink = pending.sink
        switch pending.sink {
        case .buffered(let limitBytes, _):
            self.limitBytes = limitBytes
            channel = nil
        case .streamed(_, let channel):
            limitBytes = .max
            self.channel = channel
        }
        if case .upload(let upload, _) = pending.request.body { self.upload = upload } else { upload = nil }
        easy = try CurlEasy()
        try easy.prepare(pending.request)
        try easy.attach(self)
    }

    /// When this transfer has to be looked at again, at the latest.
    var deadline: ContinuousClock.Instant? {
        guard let idleDeadline else { return totalDeadline }
        return totalDeadline.map { min($0, idleDeadline) } ?? idleDeadline
    }

    /// The error of a limit that has passed.
    func expired(at now: ContinuousClock.Instant) -> CurlError? {
        if let totalDeadline, let total = timeouts.total, now >= totalDeadline {
            return CurlError(.timedOut, "no complete answer within \(total)")
        }
        if let idleDeadline, let idle = timeouts.idle, now >= idleDeadline {
            return CurlError(.timedOut, "not a byte came for \(idle)")
        }
        return nil
    }

    func received(_ bytes: UnsafeRawBufferPointer) -> Verdict {
        lastActivity = .now
        guard let channel else {
            guard body.count + bytes.count <= limitBytes else {
                failure = CurlError(.responseTooLarge, "the response exceeds \(limitBytes) bytes")
                return .abort
            }
            body.append(contentsOf: bytes)
            return .taken
        }
        guard channel.offer(bytes) else {
            isReceivePaused = true
            return .pause
        }
        return .taken
    }

    func receivedHead(line: UnsafeRawBufferPointer) -> Bool {
        lastActivity = .now
        switch collector.consume(line: line) {
        case .more: return true
        case .complete:
            if case .streamed(let continuation, _)? = sink {
                sink = nil
                continuation.resume(returning: collector.head)
            }
            return true
        case .malformed(let reason):
            failure = CurlError(.malformedResponse, reason)
            return false
        }
    }

    func provide(into target: UnsafeMutableRawBufferPointer) -> CurlUpload.Taken {
        guard let upload else { return .end }
        lastActivity = .now
        let taken = upload.take { source in
            let count = min(source.count, target.count)
            target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<count]))
            return count
        }
        isSendPaused = taken == .nothingYet
        return taken
    }

    /// Goes on after a pause that the reader or the writer ended.
    func resume() throws(CurlError) {
        guard isReceivePaused || isSendPaused else { return }
        isReceivePaused = false
        isSendPaused = false
        lastActivity = .now
        try easy.resume()
    }

    /// Delivers the end; called once, after the handle has left the multi handle.
    func finish(_ outcome: CurlError?) {
        let error = failure ?? outcome
        switch sink {
        case .buffered(_, let continuation)?:
            if let error {
                continuation.resume(throwing: error)
            } else {
                continuation.resume(returning: CurlResponse(head: collector.head, body: body))
            }
        case .streamed(let continuation, _)?:
            // Only a transfer without a complete head still has this; without an error that is the peer's fault.
            continuation.resume(throwing: error ?? CurlError(.malformedResponse, "the response has no head"))
        case nil: break
        }
        sink = nil
        channel?.finish(error)
        upload?.close(error ?? CurlError(.connectionLost, "the request has ended"))
    }

    /// Idle time runs only while the peer is the one to move.
    private var idleDeadline: ContinuousClock.Instant? {
        guard let idle = timeouts.idle, !isReceivePaused, !isSendPaused else { return nil }
        return lastActivity + idle
    }
}

extension CurlPendingTransfer {
    var deadline: ContinuousClock.Instant? { request.timeouts.total.map { submitted + $0 } }

    /// Ends a request that never became a transfer.
    func fail(_ error: CurlError) {
        switch sink {
        case .buffered(_, let continuation): continuation.resume(throwing: error)
        case .streamed(let continuation, let channel):
            channel.finish(error)
            continuation.resume(throwing: error)
        }
        if case .upload(let upload, _) = request.body { upload.close(error) }
    }
}
