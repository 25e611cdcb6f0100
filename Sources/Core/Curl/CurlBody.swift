/// The bytes of a response or of a raw connection, in chunks as they come; for one reader.
///
/// When the last copy goes before the end, the transfer is aborted.
package struct CurlBody: AsyncSequence, Sendable {
    package typealias Element = [UInt8]

    private let reader: Reader

    init(id: UInt64, channel: CurlByteChannel, mailbox: CurlMailbox, transport: CurlTransport) {
        reader = Reader(id: id, channel: channel, mailbox: mailbox, transport: transport)
    }

    package func makeAsyncIterator() -> Iterator {
        Iterator(reader: reader)
    }

    /// The next chunk, never empty; nil at the end.
    ///
    /// - Throws: `CurlError` when the transfer failed, `CancellationError` when the task was cancelled.
    package func next() async throws -> [UInt8]? {
        try await reader.next()
    }

    /// Everything up to the end.
    ///
    /// - Throws: `CurlError` of kind `responseTooLarge` above the limit.
    package func collect(limitBytes: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let chunk = try await next() {
            guard bytes.count + chunk.count <= limitBytes else {
                cancel()
                throw CurlError(.responseTooLarge, "the response exceeds \(limitBytes) bytes")
            }
            bytes += chunk
        }
        return bytes
    }

    /// Aborts the transfer; a reader that waits gets an error.
    package func cancel() {
        reader.cancel()
    }

    /// Reads chunk by chunk.
    package struct Iterator: AsyncIteratorProtocol {
        fileprivate let reader: Reader

        package mutating func next() async throws -> [UInt8]? {
            try await reader.next()
        }
    }

    fileprivate final class Reader: Sendable {
        private let id: UInt64
        private let channel: CurlByteChannel
        private let mailbox: CurlMailbox
        /// Held so that a stream outlives its owner's last mention of the transport.
        private let transport: CurlTransport

        init(id: UInt64, channel: CurlByteChannel, mailbox: CurlMailbox, transport: CurlTransport) {
            self.id = id
            self.channel = channel
            self.mailbox = mailbox
            self.transport = transport
        }

        deinit { cancel() }

        func next() async throws -> [UInt8]? {
            // False means that the transport has ended, which ends the channel too.
            try await channel.next(onRoom: { [mailbox, id] in _ = mailbox.post(.resume(id)) })
        }

        func cancel() {
            // A transfer that has ended already ignores it.
            _ = mailbox.post(.cancel(id))
        }
    }
}

/// A raw connection: bytes both ways, each with its own back-pressure.
///
/// It closes when the last copy of `incoming` goes.
package struct CurlConnection: Sendable {
    /// What the peer sends.
    package let incoming: CurlBody
    private let outgoing: CurlUpload

    init(incoming: CurlBody, outgoing: CurlUpload) {
        self.incoming = incoming
        self.outgoing = outgoing
    }

    /// Queues bytes for the peer; returns once the buffer is below its limit.
    package func write(_ bytes: [UInt8]) async throws {
        try await outgoing.write(bytes)
    }

    /// Ends the writing side after what is queued; reading goes on.
    package func finishWriting() {
        outgoing.finish()
    }

    /// Closes both directions at once.
    package func close() {
        incoming.cancel()
    }
}
