import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// Promise 18: the value of a secret is in its task's environment, and nowhere else.
    @Suite("Secrets", .serialized, .enabled("no container engine answers", hasContainers))
    struct SecretTests {
        /// What the task says of the secret, without saying it; it stays up until it may end, then fails or crashes.
        private static let code = """
            import hashlib, os, time
            def main(end):
                value = os.environ["TOKEN"]
                print(hashlib.sha256(value.encode()).hexdigest(), flush=True)
                while not os.path.exists("/ledger/go"): time.sleep(0.02)
                if end == "raise": raise ValueError("no secret here")
                if end == "abort": os.abort()
                return len(value)
            """

        @Test("a secret is in no log, container, argument, environment of the runner, file or answer")
        func nowhere() async throws {
            let secret = "s3cr3t-" + RandomText.make()
            let folder = try TemporaryFolder()
            let ledger = try folder.makeFolder("ledger", mode: 0o777)
            let file = try folder.write("token", secret + "\n")
            let server = try RunningServer(
                yaml: """
                    secrets:
                      TOKEN: {file: \(file)}
                    sandbox:
                      mount_allow: ["\(ledger)"]
                      mount_writable: ["\(ledger)"]
                    log:
                      level: trace

                    """, alongside: folder)
            try await server.start()
            var told = ""
            for end in ["return", "raise", "abort"] {
                // What there was before says nothing of this round.
                try? FileManager.default.removeItem(atPath: ledger + "/go")
                let id = try await submit(server, end, ledger)
                let digest = try await digest(of: secret)
                try await waitUntil("the task has its secret") {
                    try await server.client.send("GET", "/v1/jobs/\(id)/logs").text == digest + "\n"
                }
                try await checkMachine(server, secret)
                try folder.write("ledger/go", "")
                told += try await answers(server, id)
            }
            told += try await server.client.send("GET", "/metrics").text
            told += try await server.client.send("GET", "/v1/pools").text
            #expect(!told.contains(secret), "an answer tells the secret")
            #expect(try await server.stop() == 0)
            #expect(!server.log.contains(secret), "the log tells the secret")
            #expect(try await places(of: secret, below: server.folder.path) == [])
        }

        private func submit(_ server: RunningServer, _ end: String, _ ledger: String) async throws -> String {
            let body: JSONValue = [
                "task": ["type": "source", "code": .string(Self.code), "args": [.string(end)]], "secrets": ["TOKEN"],
                "mounts": [["source": .string(ledger), "target": "/ledger"]],
            ]
            let response = try await server.client.send(
                "POST", "/v1/jobs", body: String(decoding: body.serialized(), as: UTF8.self))
            return try #require(try JSONValue(parsing: response.body)["id"]?.text, "\(response.text)")
        }

        /// The machine while the task runs: containers as the engine tells them, their logs, and every process but the
        /// task, whose environment it is.
        private func checkMachine(_ server: RunningServer, _ secret: String) async throws {
            let socket = try #require(ContainerEngine.socketPath)
            for container in try await ContainerEngine.containers(of: server.engineID()) {
                for path in ["json", "logs?stdout=1&stderr=1", "top"] {
                    let told = try await HTTPClient(.unix(socket)).send("GET", "/containers/\(container.id)/\(path)")
                    #expect(!told.text.contains(secret), "\(path) of its container tells the secret")
                }
            }
            #expect(ProcessList.commandLines(containing: secret) == [])
            var holders = 0
            for entry in try FileManager.default.contentsOfDirectory(atPath: "/proc") where Int32(entry) != nil {
                guard let data = FileManager.default.contents(atPath: "/proc/\(entry)/environ") else { continue }
                holders += data.firstRange(of: Data(secret.utf8)) == nil ? 0 : 1
            }
            // What a process was started with; the task got its own later, so that not even it has it there.
            #expect(holders == 0, "\(holders) processes were started with the secret")
        }

        /// Everything that the gateway tells about a job after its end.
        private func answers(_ server: RunningServer, _ id: String) async throws -> String {
            var told = try await server.client.send("GET", "/v1/jobs/\(id)?wait=30").text
            #expect(["completed", "error"].contains(try JSONValue(parsing: Array(told.utf8))["state"]?.text ?? ""))
            for suffix in ["/result", "/logs", "/events"] {
                told += try await server.client.send("GET", "/v1/jobs/\(id)\(suffix)").text
            }
            return told
        }

        private func digest(of text: String) async throws -> String {
            try await HostPython.run(
                "import hashlib,sys; print(hashlib.sha256(sys.argv[1].encode()).hexdigest())", [text]
            ).trimmingCharacters(in: .whitespacesAndNewlines)
        }

        /// Where the secret lies below a folder: as it is, or packed as payloads rest, in files and in the database.
        private func places(of secret: String, below folder: String) async throws -> [String] {
            let program = """
                import base64, os, re, sqlite3, sys, zlib
                folder, secret = sys.argv[1], sys.argv[2].encode()
                def tell(where): print(where)
                def look(data, where):
                    if isinstance(data, str): data = data.encode()
                    if not isinstance(data, bytes): return
                    if secret in data: tell(where)
                    for run in re.findall(rb"[A-Za-z0-9+/]{16,}={0,2}", data):
                        try: plain = zlib.decompress(base64.b64decode(run + b"=" * (-len(run) % 4)))
                        except Exception: continue
                        looked[0] += 1
                        if secret in plain: tell(where + " (packed)")
                looked = [0]
                for base, _, files in os.walk(folder):
                    for name in files:
                        path = os.path.join(base, name)
                        if os.path.isfile(path): look(open(path, "rb").read(), path)
                base = sqlite3.connect(os.path.join(folder, "data", "jobs.sqlite"))
                for (table,) in base.execute("select name from sqlite_master where type='table'").fetchall():
                    for row in base.execute("select * from " + table):
                        for value in row: look(value, table)
                # Inputs, results and logs must have been among what was looked at.
                if looked[0] < 3: tell("only %d packed texts were found" % looked[0])
                """
            return try await HostPython.run(program, [folder, secret]).split(separator: "\n").map(String.init)
        }
    }
}

/// Random text.
private enum RandomText {
    static func make() -> String {
        let letters = Array("abcdefghijkmnpqrstuvwxyz23456789")
        return String((0..<24).map { _ in letters[Int.random(in: 0..<letters.count)] })
    }
}
