import Foundation
import Logging
import NIOCore
import SlipwayCore
import Synchronization

/// The link's owner: everything of a link happens on its loop.
actor LinkOwner {
    private let executor: LoopExecutor
    private let events = SeenEvents()
    private var link: SandboxLink?

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(loop: any EventLoop) { executor = LoopExecutor(loop: loop) }

    /// Listens, and expects this process as the supervisor, or another one; nil says nothing of it yet.
    func listen(
        at path: String, expecting peer: Int32? = ProcessInfo.processInfo.processIdentifier
    ) async throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let link = SandboxLink(path: path, loop: executor.loop, logger: logger) { [events] event in
            switch event {
            case .message: events.add("message")
            case .disconnected: events.add("disconnected")
            case .violation: events.add("violation")
            }
        }
        self.link = link
        try await link.listen()
        if let peer { link.expect(peer: peer) }
    }

    /// Says which process the supervisor is.
    func expect(peer: Int32) { link?.expect(peer: peer) }

    func close() {
        link?.close()
        link = nil
    }

    /// Sends a command after `prepare`, with nothing on the loop in between; returns what was told until it was sent.
    func send(after prepare: @Sendable () throws -> Void) rethrows -> [String] {
        try prepare()
        let reference = TaskReference(job: "job", attempt: 1, nonce: TaskReference.makeNonce())
        link?.send(.acknowledge(reference))
        return events.all
    }

    nonisolated func take() -> [String] { events.all }
    nonisolated func forget() { events.forget() }
}

/// What a link told, in words.
final class SeenEvents: Sendable {
    private let words = Mutex<[String]>([])

    var all: [String] { words.withLock { $0 } }
    func add(_ word: String) { words.withLock { $0.append(word) } }
    func forget() { words.withLock { $0 = [] } }
}
