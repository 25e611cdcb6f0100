import Foundation
import NIOCore
import NIOPosix
import SlipwayCore
import Synchronization
import TestSupport
import Testing

/// A supervisor that ends just when something is sent to it.
@Suite struct SandboxLinkSendTests {
    @Test("the last words of a supervisor come after the write that they make fail, and none is lost")
    func lastWords() async throws {
        let folder = try TemporaryFolder()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let owner = LinkOwner(loop: group.next())
        let path = folder.path + "/s"
        try await owner.listen(at: path)
        let beat = FrameFuzzer.pack(0x89, Array(#"{"uptime":1.5,"busy":0}"#.utf8), [])
        let connection = Mutex<HTTPConnection?>(try HTTPConnection(.unix(path), timeoutSeconds: 10))
        try connection.withLock { try $0?.send(beat) }
        _ = try await eventually("the link is connected") { owner.take() == ["message"] ? true : nil }
        let seen = try await owner.send {
            // The loop stands still meanwhile, so that it learns of this by its own write.
            try connection.withLock {
                try $0?.send(beat + beat)
                $0 = nil
            }
        }
        #expect(seen == ["message"], "nothing is told while the engine sends")
        let all = try await eventually("the end is told") { owner.take().last == "disconnected" ? owner.take() : nil }
        #expect(all == ["message", "message", "message", "disconnected"])
        await owner.close()
        try await group.shutdownGracefully()
    }
}
