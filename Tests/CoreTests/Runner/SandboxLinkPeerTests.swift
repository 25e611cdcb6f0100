import Foundation
import NIOCore
import NIOPosix
import SlipwayCore
import TestSupport
import Testing

/// Who may speak at a sandbox's socket: the process that was named, whatever others send.
@Suite(.serialized) struct SandboxLinkPeerTests {
    /// What a supervisor begins with; the link takes it from whom it admits.
    private static let hello = FrameFuzzer.pack(
        0x81, Array(#"{"protocol":1,"sandbox":"sbx_0","python":"3.11.2"}"#.utf8), [])

    /// Dials, sends a HELLO and says how the connection ends.
    private static let stranger = """
        import socket, sys
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(10)
        line.connect(sys.argv[1])
        try:
            line.sendall(bytes.fromhex(sys.argv[2]))
            end = line.recv(1)
        except ConnectionError:
            end = b""
        except socket.timeout:
            end = b"open"
        print("closed" if end == b"" else "open")
        """

    /// Dials, sends a HELLO and stays until it is let go.
    private static let supervisor = """
        import socket, sys
        line = socket.socket(socket.AF_UNIX)
        line.connect(sys.argv[1])
        line.sendall(bytes.fromhex(sys.argv[2]))
        print("dialled", flush=True)
        sys.stdin.read()
        """

    private static let helloDigits = hello.map { String(format: "%02x", $0) }.joined()

    @Test("another process is cut off and nothing of it is taken; the right one is admitted after it")
    func refused() async throws {
        let folder = try TemporaryFolder()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let owner = LinkOwner(loop: group.next())
        let path = folder.path + "/s"
        try await owner.listen(at: path)
        let end = try await HostPython.run(Self.stranger, [path, Self.helloDigits])
        #expect(end == "closed\n")
        #expect(owner.take() == [], "the engine was told of a stranger's words")
        let connection = try HTTPConnection(.unix(path), timeoutSeconds: 10)
        try connection.send(Self.hello)
        let events = try await eventually("the right process is heard") { owner.take().isEmpty ? nil : owner.take() }
        #expect(events == ["message"])
        withExtendedLifetime(connection) {}
        await owner.close()
        try await group.shutdownGracefully()
    }

    @Test("of those that dialled before the process was known, the others are cut off")
    func early() async throws {
        let folder = try TemporaryFolder()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let owner = LinkOwner(loop: group.next())
        let path = folder.path + "/s"
        try await owner.listen(at: path, expecting: nil)
        let right = try ChildProcess.pythonHolding(Self.supervisor, path, Self.helloDigits)
        // It comes last, and would take the other one's place.
        let wrong = try HTTPConnection(.unix(path), timeoutSeconds: 10)
        await owner.expect(peer: right.pid)
        let refusal = #expect(throws: TestFailure.self) { try wrong.receive() }
        #expect(refusal?.description == "closed before the header")
        _ = try await eventually("the right process is heard") { owner.take() == ["message"] ? true : nil }
        right.release()
        let all = try await eventually("the end is told") { owner.take().last == "disconnected" ? owner.take() : nil }
        #expect(all == ["message", "disconnected"])
        await owner.close()
        try await group.shutdownGracefully()
    }
}
