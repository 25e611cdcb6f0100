#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A raw connection as the transfer thread sees it: libcurl connects, then bytes go both ways without HTTP.
final class CurlSocket {
    private enum Phase {
        case connecting(CheckedContinuation<Void, any Error>)
        case open(descriptor: Int32)
        case ended
    }

    let id: UInt64
    let easy: CurlEasy
    private let inbound: CurlByteChannel
    private let outbound: CurlUpload
    private var phase: Phase
    private var sawEnd = false
    private var hasShutWriting = false
    /// False once the writer's buffer was found empty, until it says that it has bytes.
    private var mayHaveOutput = true

    init(_ pending: CurlPendingConnection) throws(CurlError) {
        id = pending.id
        inbound = pending.inbound
        outbound = pending.outbound
        phase = .connecting(pending.opened)
        easy = try CurlEasy()
        try easy.prepare(origin: pending.origin, target: "/", connectTimeout: pending.connectTimeout)
        try easy.prepareConnectOnly()
    }

    /// Called when libcurl reports the connection as established.
    func connected() throws(CurlError) {
        guard case .connecting(let opened) = phase else { return }
        phase = .open(descriptor: try easy.activeSocket())
        opened.resume()
    }

    /// What to wait for; nil while nothing can move.
    var watch: CurlMulti.Watch? {
        guard case .open(let descriptor) = phase else { return nil }
        let wantsRead = !sawEnd && !inbound.pauseIfFull()
        guard wantsRead || mayHaveOutput else { return nil }
        return CurlMulti.Watch(descriptor: descriptor, wantsRead: wantsRead, wantsWrite: mayHaveOutput)
    }

    /// The writer has bytes, or the reader has room.
    func resume() {
        mayHaveOutput = !hasShutWriting
    }

    /// Moves bytes both ways until neither side can; true when the connection is over.
    func service(_ scratch: UnsafeMutableRawBufferPointer) throws(CurlError) -> Bool {
        guard case .open(let descriptor) = phase else { return false }
        try sendPending(descriptor)
        try receiveAvailable(scratch)
        return sawEnd && hasShutWriting
    }

    /// Delivers the end; called once, after the handle has left the multi handle.
    func finish(_ error: CurlError?) {
        if case .connecting(let opened) = phase {
            opened.resume(throwing: error ?? CurlError.closed)
        }
        phase = .ended
        inbound.finish(error)
        outbound.close(error ?? CurlError(.connectionLost, "the connection is closed"))
    }

    private func sendPending(_ descriptor: Int32) throws(CurlError) {
        while mayHaveOutput, !hasShutWriting {
            var failure: CurlError?
            let taken = outbound.take { bytes in
                do throws(CurlError) {
                    return try easy.send(bytes)
                } catch {
                    failure = error
                    return 0
                }
            }
            if let failure {
                // The peer may have said why before it hung up: read on, and stop writing.
                stopWriting(failure)
                return
            }
            switch taken {
            case .bytes(0): return
            case .bytes: continue
            case .nothingYet: mayHaveOutput = false
            case .end:
                // A half-closed stream; a peer that is gone already makes this fail, which the reading side reports.
                _ = shutdown(descriptor, Int32(SHUT_WR))
                stopWriting(CurlError(.connectionLost, "the connection's writing side is closed"))
            }
        }
    }

    private func stopWriting(_ error: CurlError) {
        outbound.close(error)
        hasShutWriting = true
        mayHaveOutput = false
    }

    private func receiveAvailable(_ scratch: UnsafeMutableRawBufferPointer) throws(CurlError) {
        while !sawEnd, !inbound.pauseIfFull() {
            guard let count = try easy.receive(into: scratch) else { return }
            if count == 0 {
                sawEnd = true
                inbound.finish(nil)
                return
            }
            // Room was checked above and only this thread adds bytes, so the offer is taken.
            _ = inbound.offer(UnsafeRawBufferPointer(rebasing: scratch[..<count]))
        }
    }
}
