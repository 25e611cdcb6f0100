import Foundation
import SlipwayCore
import TestSupport
import Testing

/// A small model server on 127.0.0.1 of this machine: a real HTTP server of Python's standard library.
final class ModelServer: Sendable {
    let port: Int
    private let process: Process

    init() async throws {
        let port = Int.random(in: 20_000...29_000)
        self.port = port
        process = try Shell.start("python3", "-c", Self.program, "\(port)")
        try await waitUntil("the model server listens") { Connection.opens("127.0.0.1", port) }
    }

    func stop() {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    private static let program = """
        import hashlib, http.server, json, socket, sys, threading, time
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def do_GET(self):
                body = b"y" * int(self.path[1:])
                self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
                self.wfile.write(body)
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/api/generate":
                    answer = json.dumps({"response": json.loads(body)["prompt"].upper(), "done": True}).encode()
                else:
                    answer = hashlib.sha256(body).hexdigest().encode()
                self.send_response(200); self.send_header("Content-Length", str(len(answer))); self.end_headers()
                self.wfile.write(answer)
            def log_message(self, *_): pass
        def echo():
            # Reads to the end of what is sent, and answers only then.
            listener = socket.create_server(("127.0.0.1", int(sys.argv[1]) + 1), backlog=128)
            def serve(line):
                data = b""
                while True:
                    more = line.recv(65536)
                    if not more: break
                    data += more
                    if data == b"CUT":
                        line.sendall(b"x" * 1000)
                        time.sleep(0.3)
                        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\1\\0\\0\\0\\0\\0\\0\\0")
                        line.close()
                        return
                line.sendall(b"%d bytes" % len(data)); line.close()
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
        threading.Thread(target=echo, daemon=True).start()
        class Server(http.server.ThreadingHTTPServer):
            # Clients that go away in the middle are part of the tests.
            def handle_error(self, *_): pass
        server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
        server.serve_forever()
        """
}

extension LiveSandboxes {
    /// The network mode `host_gateway`, with a real HTTP server on the host's loopback.
    @Suite(
        "Network mode host_gateway", .serialized,
        .enabled("needs a container engine") { hasContainers() })
    struct HostGatewayTests {
        private static func start(
            _ server: ModelServer, _ tweak: (inout Configuration) -> Void = { _ in }
        ) async throws -> TestEngine {
            try await TestEngine.start("docker") { configuration in
                configuration.network.allow = [.none, .hostGateway]
                configuration.network.hostPorts = [
                    .init(name: "model", port: server.port), .init(name: "echo", port: server.port + 1),
                    .init(name: "nobody", port: server.port + 2),
                ]
                tweak(&configuration)
            }
        }

        private func run(_ engine: TestEngine, _ code: String, _ port: Int) async throws -> JobOutcome {
            try await engine.run(source: code, args: [.integer(Int64(port))], within: .seconds(90)) {
                $0.network = "host_gateway"
                $0.timeout = .seconds(60)
            }
        }

        @Test("a model server on the host's loopback answers, with large bodies both ways")
        func bodies() async throws {
            let server = try await ModelServer()
            let engine = try await Self.start(server)
            let code = """
                import hashlib, json, urllib.request
                def main(port):
                    base = "http://host.docker.internal:%d" % port
                    def post(path, body):
                        return urllib.request.urlopen(urllib.request.Request(base + path, body), timeout=30).read()
                    prompt = json.loads(post("/api/generate", json.dumps({"prompt": "hello"}).encode()))
                    large = b"z" * (20 << 20)
                    digest = post("/sum", large).decode() == hashlib.sha256(large).hexdigest()
                    body = urllib.request.urlopen(base + "/%d" % (30 << 20), timeout=30).read()
                    return [prompt["response"], digest, len(body), body.count(b"y")]
                """
            let outcome = try await run(engine, code, server.port)
            #expect(outcome.value == ["HELLO", true, .integer(30 << 20), .integer(30 << 20)], "\(outcome.summary)")
            try await engine.shutdownLeavingNothing()
            server.stop()
        }

        @Test("a half-closed connection gets its answer, a cut one breaks, a closed port is reset")
        func endings() async throws {
            let server = try await ModelServer()
            let engine = try await Self.start(server)
            let code = """
                import socket
                def attempt(body):
                    try:
                        return body()
                    except OSError as error:
                        return type(error).__name__
                def half(port):
                    with socket.create_connection(("host.docker.internal", port + 1), 10) as line:
                        line.sendall(b"a" * 3000000)
                        line.shutdown(socket.SHUT_WR)
                        return b"".join(iter(lambda: line.recv(100), b"")).decode()
                def cut(port):
                    with socket.create_connection(("host.docker.internal", port + 1), 10) as line:
                        line.sendall(b"CUT")
                        return len(b"".join(iter(lambda: line.recv(100), b"")))
                def closed(port):
                    with socket.create_connection(("host.docker.internal", port + 2), 10) as line:
                        return line.recv(1).decode()
                def unnamed(port):
                    socket.create_connection(("host.docker.internal", port + 3), 10).close()
                    return "open"
                def direct(port):
                    line = socket.socket(socket.AF_UNIX)
                    line.settimeout(5)
                    line.connect("/run/slipway/r")
                    line.sendall(port.to_bytes(2, "big"))
                    return line.recv(1).hex()
                def outside(port):
                    socket.create_connection(("192.0.2.1", 80), 2).close()
                    return "open"
                def main(port):
                    return [attempt(lambda: test(port)) for test in (half, cut, closed, unnamed, direct, outside)]
                """
            let outcome = try await run(engine, code, server.port)
            guard case .array(let answers)? = outcome.value, answers.count == 6 else {
                throw TestFailure(outcome.summary)
            }
            #expect(answers[0] == "3000000 bytes")
            #expect(answers[1] == "ConnectionResetError", "what breaks off must not look complete")
            #expect(answers[2] == "ConnectionResetError")
            #expect(answers[3] == "ConnectionRefusedError", "a port that is not configured does not exist")
            #expect(answers[4] == "" || answers[4] == "ConnectionResetError" || answers[4] == "BrokenPipeError")
            #expect(answers[5] == "OSError", "there is no other network")
            try await engine.shutdownLeavingNothing()
            server.stop()
        }

        @Test("many connections at a time work, those beyond the limit are reset, and a stalled one stops no other")
        func many() async throws {
            let server = try await ModelServer()
            let engine = try await Self.start(server) { $0.network.hostConnections = 40 }
            let code = """
                import concurrent.futures, socket, urllib.request
                def main(port):
                    stalled = socket.create_connection(("host.docker.internal", port), 10)
                    stalled.sendall(b"GET /80000000 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
                    def get(number):
                        address = "http://host.docker.internal:%d/%d" % (port, 100000 + number)
                        return len(urllib.request.urlopen(address, timeout=30).read())
                    with concurrent.futures.ThreadPoolExecutor(15) as pool:
                        sizes = list(pool.map(get, range(300)))
                    held, refused = [], 0
                    for _ in range(60):
                        try:
                            # The reset may come before the connection was seen to be there.
                            line = socket.create_connection(("host.docker.internal", port + 1), 10)
                            line.settimeout(0.25)
                            line.recv(1)
                        except socket.timeout:
                            held.append(line)
                        except ConnectionResetError:
                            refused += 1
                    return [sizes == [100000 + number for number in range(300)], len(held) <= 39, refused >= 20]
                """
            let outcome = try await run(engine, code, server.port)
            #expect(outcome.value == [true, true, true], "\(outcome.summary)")
            try await engine.shutdownLeavingNothing()
            server.stop()
        }

        @Test("no connection outlives its task, and the next task of the sandbox has the way for itself")
        func hygiene() async throws {
            let server = try await ModelServer()
            let engine = try await Self.start(server) {
                $0.pools.defaults.max = 1
                $0.network.hostConnections = 8
            }
            let hold = """
                import os, socket
                def main(port):
                    lines = [socket.create_connection(("host.docker.internal", port + 1), 10) for _ in range(8)]
                    for line in lines: line.sendall(b"secret of the first")
                    if os.fork() == 0:
                        os.setsid()
                        while True: lines[0].recv(1)
                    return os.uname().nodename
                """
            let first = try await run(engine, hold, server.port)
            #expect(first.job.state == .completed, "\(first.summary)")
            let look = """
                import socket
                def main(port):
                    lines = [socket.create_connection(("host.docker.internal", port + 1), 10) for _ in range(8)]
                    for line in lines:
                        line.sendall(b"abc"); line.shutdown(socket.SHUT_WR)
                    return sorted(set(line.recv(100).decode() for line in lines))
                """
            let second = try await run(engine, look, server.port)
            #expect(second.value == ["3 bytes"], "\(second.summary)")
            #expect(second.job.sandbox == first.job.sandbox, "the sandbox was reused")
            #expect(second.job.start == .warm)
            try await engine.shutdownLeavingNothing()
            server.stop()
        }

        @Test("jobs that did not ask for it have none of it, and modes that are not listed are refused")
        func others() async throws {
            let server = try await ModelServer()
            let engine = try await Self.start(server)
            let code = """
                import os, socket
                def main(port):
                    try:
                        socket.create_connection(("127.0.0.1", port), 2).close()
                        return "open"
                    except OSError as error:
                        return [type(error).__name__, os.path.exists("/run/slipway/r")]
                """
            let plain = try await engine.run(source: code, args: [.integer(Int64(server.port))])
            #expect(plain.value == ["ConnectionRefusedError", false], "\(plain.summary)")
            for mode in ["egress", "bridge", "host"] {
                var request = JobRequest(task: .source(code))
                request.network = mode
                let error = await #expect(throws: EngineError.self) { try await engine.engine.submit(request) }
                #expect(error?.code == .notAllowed)
                #expect(error?.faults.first?.pointer == "/network")
            }
            try await engine.shutdownLeavingNothing()
            server.stop()
        }
    }
}
