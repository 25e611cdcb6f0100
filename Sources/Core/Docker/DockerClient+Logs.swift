extension DockerClient {
    /// `GET /containers/{id}/logs`: what a container printed lately, each stream cut at `limitBytes`.
    ///
    /// Empty for a container whose log driver keeps nothing.
    /// - Parameter tailLines: how many lines from the end; nil for all.
    package func logs(
        _ id: String, tailLines: Int? = nil, limitBytes: Int = 1024 * 1024
    ) async throws -> (standardOutput: [UInt8], standardError: [UInt8]) {
        let frames = try await followLogs(id, tailLines: tailLines, follow: false)
        var output: [UInt8] = []
        var errorOutput: [UInt8] = []
        for try await frame in frames {
            switch frame.stream {
            case .standardInput: break
            case .standardOutput: output += frame.bytes.prefix(limitBytes - output.count)
            case .standardError: errorOutput += frame.bytes.prefix(limitBytes - errorOutput.count)
            }
            if output.count >= limitBytes, errorOutput.count >= limitBytes { break }
        }
        return (output, errorOutput)
    }

    /// `GET /containers/{id}/logs?follow=`: a container's output as a stream, taken apart.
    package func followLogs(_ id: String, tailLines: Int? = nil, follow: Bool = true) async throws -> DockerFrames {
        let call = DockerCall(
            action: "read the logs of container \(id)", path: DockerPath.container(id, "/logs"),
            query: [
                ("stdout", "true"), ("stderr", "true"), ("follow", "\(follow)"),
                ("tail", tailLines.map { "\(max(0, $0))" } ?? "all"),
            ],
            timeouts: follow ? lastingTimeouts : slowTimeouts, lane: .lasting)
        let (_, body) = try await open(call)
        return DockerFrames(body: body, leftover: [], action: call.action, errors: errors)
    }
}

/// Pieces of a multiplexed stream as they come, for one reader.
///
/// A piece may be part of a frame and may split a character. Throws `EngineError` when the stream breaks, or ends
/// inside a frame.
package struct DockerFrames: AsyncSequence, Sendable {
    /// Bytes of one stream.
    package struct Element: Sendable, Equatable {
        package let stream: DockerStreamDemultiplexer.Stream
        package let bytes: [UInt8]

        package init(stream: DockerStreamDemultiplexer.Stream, bytes: [UInt8]) {
            self.stream = stream
            self.bytes = bytes
        }
    }

    fileprivate let body: CurlBody
    fileprivate let leftover: [UInt8]
    fileprivate let action: String
    fileprivate let errors: DockerErrorMapper

    init(body: CurlBody, leftover: [UInt8], action: String, errors: DockerErrorMapper) {
        self.body = body
        self.leftover = leftover
        self.action = action
        self.errors = errors
    }

    package func makeAsyncIterator() -> Iterator {
        Iterator(frames: self)
    }

    /// Ends the stream from this side.
    package func cancel() {
        body.cancel()
    }

    /// Reads piece by piece.
    package struct Iterator: AsyncIteratorProtocol {
        private let frames: DockerFrames
        private var demultiplexer = DockerStreamDemultiplexer()
        private var ready: ArraySlice<Element> = []
        private var isFresh = true

        fileprivate init(frames: DockerFrames) {
            self.frames = frames
        }

        package mutating func next() async throws -> Element? {
            do {
                while true {
                    if let element = ready.popFirst() { return element }
                    guard let chunk = try await nextChunk() else {
                        try demultiplexer.finish()
                        return nil
                    }
                    var pieces: [Element] = []
                    try demultiplexer.feed(chunk) { pieces.append(Element(stream: $0, bytes: Array($1))) }
                    ready = pieces[...]
                }
            } catch {
                throw frames.errors.failed(frames.action, error)
            }
        }

        private mutating func nextChunk() async throws -> [UInt8]? {
            defer { isFresh = false }
            if isFresh, !frames.leftover.isEmpty { return frames.leftover }
            return try await frames.body.next()
        }
    }
}
