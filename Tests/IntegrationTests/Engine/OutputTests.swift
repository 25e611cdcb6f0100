import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// Files that tasks leave in `$SLIPWAY_OUTPUT`, from the sandbox to their reader.
    @Suite(
        "Outputs", .serialized,
        .engines { configuration in
            configuration.jobs.outputsMax = 50
            configuration.jobs.outputFileLimitBytes = 40 << 20
            configuration.jobs.outputLimitBytes = 64 << 20
        })
    struct OutputTests {
        private static let folder = "import os\nout = os.environ['SLIPWAY_OUTPUT']\n"

        private func bytes(_ engine: TestEngine, _ name: String, _ id: JobID, _ range: Range<Int>? = nil) async throws
            -> [UInt8]
        {
            try await engine.engine.content(ofArtifact: name, of: id, range: range).bytes()
        }

        @Test("files of source and commands become artifacts with size, checksum and type", arguments: runtimesHere)
        func kinds(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let code =
                Self.folder
                    + """
                    def main():
                        open(out + '/report.csv', 'w').write('a,b\\n1,2\\n')
                        os.makedirs(out + '/plots/deep')
                        open(out + '/plots/deep/\\u00e9 1.PNG', 'wb').write(bytes(range(256)))
                        open(out + '/empty', 'w').close()
                        return len(os.listdir(out))
                    """
            let outcome = try await engine.run(source: code)
            #expect(outcome.value == 3, "\(outcome.summary)")
            let id = outcome.job.id
            let artifacts = try await engine.engine.artifacts(of: id)
            #expect(artifacts.map(\.name) == ["empty", "plots/deep/\u{e9} 1.PNG", "report.csv"])
            #expect(artifacts.map(\.sizeBytes) == [0, 256, 8])
            #expect(artifacts.map(\.mediaType) == ["application/octet-stream", "image/png", "text/csv; charset=utf-8"])
            #expect(artifacts[0].sha256 == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
            #expect(try await bytes(engine, "report.csv", id) == Array("a,b\n1,2\n".utf8))
            #expect(try await bytes(engine, "plots/deep/\u{e9} 1.PNG", id) == Array(0...255))
            #expect(try await bytes(engine, "plots/deep/\u{e9} 1.PNG", id, 250..<999) == Array(250...255))
            #expect(try await bytes(engine, "empty", id) == [])
            let events = try await engine.events(id).filter { $0["type"] == "output" }
            #expect(events.map { $0["name"] } == ["empty", "plots/deep/\u{e9} 1.PNG", "report.csv"])
            #expect(
                events[1]["value"]?["url"]
                    == .string("/v1/jobs/\(id)/artifacts/plots/deep/%C3%A9%201.PNG"))
            let command = try await engine.run(
                JobRequest(task: .command(["sh", "-c", "echo x > \"$SLIPWAY_OUTPUT/x.txt\"; exit 3"])))
            #expect(command.job.error?.kind == .exit)
            #expect(try await bytes(engine, "x.txt", command.job.id) == Array("x\n".utf8))
        }

        @Test("files whose names are spelled with other code points are other files", arguments: runtimesHere)
        func spellings(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let code =
                Self.folder
                    + """
                    def main():
                        for name in ('caf\\u00e9.txt', 'cafe\\u0301.txt'):
                            open(out + '/' + name, 'w').write(ascii(name))
                    """
            let outcome = try await engine.run(source: code)
            #expect(outcome.job.state == .completed, "\(outcome.summary)")
            let id = outcome.job.id
            #expect(try await engine.engine.artifacts(of: id).count == 2)
            #expect(try await bytes(engine, "caf\u{E9}.txt", id) == Array("'caf\\xe9.txt'".utf8))
            #expect(try await bytes(engine, "cafe\u{301}.txt", id) == Array("'cafe\\u0301.txt'".utf8))
        }

        @Test("a job without files has none, and its events say nothing of them", arguments: runtimesHere)
        func none(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let outcome = try await engine.run(source: "def main():\n    return 1")
            #expect(try await engine.engine.artifacts(of: outcome.job.id) == [])
            #expect(try await engine.events(outcome.job.id).allSatisfy { $0["type"] == "job_update" })
            await #expect(throws: EngineError.self) {
                _ = try await engine.engine.content(ofArtifact: "a", of: outcome.job.id)
            }
            await #expect(throws: EngineError.self) { _ = try await engine.engine.artifacts(of: JobID()) }
        }

        @Test("failures keep their files, time-outs and cancelled jobs do not", arguments: runtimesHere)
        func failures(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            for (ending, kept) in [("raise ValueError", 1), ("os._exit(3)", 1), ("import time; time.sleep(60)", 0)] {
                let code = Self.folder + "def main():\n    open(out + '/f', 'w').write('x')\n    \(ending)"
                let outcome = try await engine.run(source: code) { $0.timeout = .seconds(2) }
                #expect(outcome.job.state == .error)
                #expect(try await engine.engine.artifacts(of: outcome.job.id).count == kept, "\(ending)")
            }
        }

        @Test("large files arrive whole, in bounded pieces, and rest as base64 of zlib", arguments: runtimesHere)
        func large(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let code =
                Self.folder
                    + """
                    import hashlib
                    def main():
                        noise = os.urandom(20 << 20)
                        text = b'a line of text\\n' * (2 << 20)
                        open(out + '/noise.bin', 'wb').write(noise)
                        open(out + '/text.txt', 'wb').write(text)
                        return [hashlib.sha256(noise).hexdigest(), hashlib.sha256(text).hexdigest()]
                    """
            let outcome = try await engine.run(source: code)
            let id = outcome.job.id
            guard case .array(let sums)? = outcome.value else { throw TestFailure(outcome.summary) }
            let artifacts = try await engine.engine.artifacts(of: id)
            #expect(artifacts.map { JSONValue.string($0.sha256) } == sums)
            let text = try await bytes(engine, "text.txt", id)
            #expect(text == Array(repeating: Array("a line of text\n".utf8), count: 2 << 20).flatMap { $0 })
            let content = try await engine.engine.content(ofArtifact: "noise.bin", of: id)
            var total = 0
            while let piece = try await content.next() {
                total += piece.count
                #expect(piece.count <= 8 << 20)
            }
            #expect(total == 20 << 20)
            let middle = 19_000_001..<19_500_000
            #expect(try await bytes(engine, "text.txt", id, middle) == Array(text[middle]))
            let file = engine.configuration.data.directoryPath(environment: [:]) + "/artifacts"
            let shard = String(id.description.dropFirst(14).prefix(2))
            let stored = try Data(contentsOf: URL(fileURLWithPath: "\(file)/\(shard)/\(id).files.z64"))
            let lines = stored.split(separator: UInt8(ascii: "\n"))
            #expect(lines.count == 2)
            #expect(Data(base64Encoded: lines[1])?.prefix(1) == Data([0x78]))
        }

        @Test("what is no plain file is left out, and the events say why", arguments: runtimesHere)
        func tricks(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let code =
                Self.folder
                    + """
                    def main():
                        os.symlink('/etc/passwd', out + '/passwd')
                        os.symlink('/proc/1/environ', out + '/environ')
                        open('mine', 'w').close()
                        os.link('mine', out + '/hard')
                        os.mkfifo(out + '/pipe')
                        open(out + '/line\\nbreak', 'w').close()
                        open(out.encode() + b'/bad\\xff', 'w').close()
                        with open(out + '/sparse', 'w') as f:
                            f.truncate(100 << 30)
                        for i in range(60):
                            open(out + '/z%02d' % i, 'w').write(str(i))
                    """
            let outcome = try await engine.run(source: code)
            #expect(outcome.job.state == .completed, "\(outcome.summary)")
            let artifacts = try await engine.engine.artifacts(of: outcome.job.id)
            #expect(artifacts.map(\.name) == (0..<50).map { String(format: "z%02d", $0) })
            let skipped = try await engine.events(outcome.job.id).filter { $0["type"] == "output_skipped" }
            let reasons = Dictionary(
                skipped.map { ($0["name"]?.text ?? "", $0["reason"]?.text ?? "") }, uniquingKeysWith: { $0 + $1 })
            #expect(reasons["passwd"] == "is a symbolic link")
            #expect(reasons["environ"] == "is a symbolic link")
            #expect(reasons["hard"]?.contains("hard link") == true)
            #expect(reasons["pipe"] == "is a named pipe")
            #expect(reasons["line\\x0abreak"]?.contains("control character") == true)
            #expect(reasons["bad\\xff"]?.contains("UTF-8") == true)
            #expect(reasons["sparse"]?.contains("limit") == true)
            #expect(reasons[""]?.contains("outputs_max") == true)
        }

        @Test("files go with their job, and an altered file is corrupt, never a part of it", arguments: runtimesHere)
        func removalAndCorruption(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let code = Self.folder + "def main():\n    open(out + '/f', 'wb').write(os.urandom(1 << 20))"
            let id = try await engine.run(source: code).job.id
            let shard = String(id.description.dropFirst(14).prefix(2))
            let path =
                engine.configuration.data.directoryPath(environment: [:]) + "/artifacts/\(shard)/\(id).files.z64"
            #expect(try await bytes(engine, "f", id).count == 1 << 20)
            var stored = try Data(contentsOf: URL(fileURLWithPath: path))
            stored[700_000] = stored[700_000] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            try stored.write(to: URL(fileURLWithPath: path))
            await #expect { _ = try await engine.engine.content(ofArtifact: "f", of: id, range: 0..<10) } throws: {
                ($0 as? EngineError)?.code == .artifactCorrupt
            }
            try stored.prefix(1000).write(to: URL(fileURLWithPath: path))
            await #expect { _ = try await engine.engine.content(ofArtifact: "f", of: id, range: 0..<10) } throws: {
                ($0 as? EngineError)?.code == .artifactCorrupt
            }
            try await engine.engine.delete(id)
            await #expect(throws: EngineError.self) { _ = try await engine.engine.artifacts(of: id) }
            try await waitUntil("the bundle is removed") { !FileManager.default.fileExists(atPath: path) }
        }

        @Test("the files of an attempt that is tried again are not those of the job", arguments: runtimesHere)
        func retries(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let code =
                Self.folder
                    + """
                    def main():
                        attempt = os.environ['SLIPWAY_ATTEMPT']
                        open(out + '/attempt-' + attempt, 'w').close()
                        if attempt == '1':
                            raise ValueError
                    """
            let outcome = try await engine.run(source: code) {
                $0.retry = .init(maxAttempts: 2, backoff: .milliseconds(10))
            }
            #expect(outcome.job.state == .completed, "\(outcome.summary)")
            #expect(try await engine.engine.artifacts(of: outcome.job.id).map(\.name) == ["attempt-2"])
        }
    }
}
