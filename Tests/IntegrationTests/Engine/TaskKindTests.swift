import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// What every runtime must do with each kind of task.
    @Suite(
        "Kinds of tasks", .serialized,
        .engines(handlers: [
            DirectHandler("shout") { context in
                await context.emit("note", ["attempt": .integer(Int64(context.attempt))])
                return .json(.string((context.input["text"]?.text ?? "").uppercased()))
            },
            DirectHandler("raw") { _ in .bytes([0, 255, 10]) },
            DirectHandler("fail") { _ in throw TestFailure("no luck") },
        ]))
    struct TaskKindTests {
        @Test("the docker runtime is among those tested", .enabled("no container engine answers", hasContainers))
        func dockerIsTested() { #expect(runtimesHere.contains("docker")) }

        @Test("Python source returns JSON", arguments: runtimesHere)
        func source(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let outcome = try await engine.run(
                JobRequest(
                    task: .source(
                        "def area(x, y=1, *, unit='m'):\n    return {'n': x * y, 'unit': unit, 'none': None}",
                        entrypoint: "area", args: [3], kwargs: ["y": 2.5, "unit": "\u{e9}\u{1F600}\"\n"])))
            #expect(outcome.job.state == .completed, "\(outcome.summary)")
            #expect(outcome.result?.media == .json)
            #expect(outcome.value == ["n": 7.5, "unit": "\u{e9}\u{1F600}\"\n", "none": nil])
            #expect(outcome.job.attempt == 1)
            #expect(outcome.job.handler == runtime)
        }

        @Test("async source is awaited", arguments: runtimesHere)
        func asyncSource(_ runtime: String) async throws {
            let code = "import asyncio\nasync def main(x):\n    await asyncio.sleep(0.01)\n    return x + 1"
            let outcome = try await sharedEngine(runtime).run(source: code, args: [41])
            #expect(outcome.value == 42, "\(outcome.summary)")
        }

        @Test("an exception carries its type, message and the task's own lines", arguments: runtimesHere)
        func exception(_ runtime: String) async throws {
            let code = "def helper():\n    raise KeyError('caf\\u00e9')\ndef main():\n    helper()"
            let outcome = try await sharedEngine(runtime).run(source: code)
            #expect(outcome.job.state == .error)
            let error = try #require(outcome.job.error)
            #expect(error.kind == .exception)
            #expect(error.type == "KeyError")
            #expect(error.message == "'caf\u{e9}'")
            #expect(error.traceback?.contains("raise KeyError") == true)
            #expect(error.traceback?.contains("slipway_runner") == false)
        }

        @Test("faulty code, entry points and results are exceptions that say what to do", arguments: runtimesHere)
        func faultySource(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let cases: [(code: String, type: String, words: String)] = [
                ("def main(:", "SyntaxError", ""), ("x = 1", "NameError", "main"),
                ("def main():\n    return object()", "TypeError", "callable"),
                ("def main():\n    return float('nan')", "TypeError", "JSON"),
                ("def main():\n    import nosuchmodule", "ModuleNotFoundError", "nosuchmodule"),
                (
                    "class E(Exception):\n    def __str__(self):\n        raise ValueError\ndef main():\n    raise E",
                    "E", ""
                ),
            ]
            for (code, type, words) in cases {
                let error = try await engine.run(source: code).job.error
                #expect(error?.kind == .exception, "\(code)")
                #expect(error?.type == type, "\(code)")
                #expect(words.isEmpty || error?.message.contains(words) == true, "\(error?.message ?? "")")
            }
        }

        /// The pickle of `(operator.add, (2, 3), {})` in protocol 0.
        private static let sum = Array("(coperator\nadd\n(I2\nI3\nt(dt.".utf8)

        @Test("a pickled callable returns a pickle", arguments: runtimesHere)
        func callable(_ runtime: String) async throws {
            let outcome = try await sharedEngine(runtime).run(JobRequest(task: .callable(pickle: Self.sum)))
            #expect(outcome.job.state == .completed, "\(outcome.summary)")
            #expect(outcome.result?.media == .pickle)
            // PROTO, BININT1 5, STOP; the protocol depends on the pickler.
            let bytes = outcome.result?.bytes ?? []
            #expect(bytes.first == 0x80)
            #expect(bytes.suffix(3) == [0x4B, 5, 0x2E])
        }

        @Test(
            "a cloudpickled lambda runs where the Python versions agree",
            .enabled("this machine has no cloudpickle", { HostPython.cloudpickleVersion != nil }),
            arguments: runtimesHere)
        func lambda(_ runtime: String) async throws {
            let version = try #require(HostPython.cloudpickleVersion)
            let pickle = try await HostPython.pickle("((lambda n: (lambda x: x * n))(2), (21,), {})")
            let outcome = try await sharedEngine(runtime).run(
                JobRequest(task: .callable(pickle: pickle, python: version)), within: .seconds(120))
            if runtime == "docker", version != "3.11" {
                #expect(outcome.job.error?.type == "PythonMismatch")
            } else {
                #expect(outcome.job.state == .completed, "\(outcome.summary)")
                #expect(outcome.result?.bytes.suffix(3) == [0x4B, 42, 0x2E])
            }
        }

        @Test("another Python than the pickle's is said before anything runs", arguments: runtimesHere)
        func pythonMismatch(_ runtime: String) async throws {
            let task = TaskSpec.callable(pickle: Self.sum, python: "3.8")
            let error = try await sharedEngine(runtime).run(JobRequest(task: task)).job.error
            #expect(error?.kind == .protocol)
            #expect(error?.type == "PythonMismatch")
            #expect(error?.message.contains("3.8") == true)
        }

        @Test("a garbled pickle is the task's fault, and a missing module is named", arguments: runtimesHere)
        func faultyPickles(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let garbled = try await engine.run(JobRequest(task: .callable(pickle: [1, 2, 3])))
            #expect(garbled.job.state == .error)
            #expect(garbled.job.error?.kind == .exception, "\(garbled.summary)")
            let missing = Array("(cnosuchmodule\nf\n(t(dt.".utf8)
            let lacking = try await engine.run(JobRequest(task: .callable(pickle: missing)))
            #expect(lacking.job.error?.kind == .dependency, "\(lacking.summary)")
            #expect(lacking.job.error?.message.contains("nosuchmodule") == true)
        }

        @Test("a command gets its stdin and files, and its exit code is the job's", arguments: runtimesHere)
        func command(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let outcome = try await engine.run(
                JobRequest(
                    task: .command(
                        ["/bin/sh", "-c", "cat; cat sub/a.txt; echo bad >&2; echo \"$MODE\"; exit 0"],
                        stdin: "in\u{e9}\n", files: ["sub/a.txt": "file\n"])))
            #expect(outcome.job.state == .completed, "\(outcome.summary)")
            #expect(outcome.job.exitCode == 0)
            #expect(try await engine.logs(outcome.job.id) == "in\u{e9}\nfile\n\n")
            #expect(try await engine.logs(outcome.job.id, .stderr) == "bad\n")
            let failed = try await engine.run(JobRequest(task: .command(["/bin/sh", "-c", "exit 7"])))
            #expect(failed.job.error?.kind == .exit)
            #expect(failed.job.exitCode == 7)
            let missing = try await engine.run(JobRequest(task: .command(["/nosuch/program"])))
            #expect(missing.job.state == .error)
            #expect(missing.job.error?.message.contains("/nosuch/program") == true, "\(missing.summary)")
        }

        @Test("lines of JSON become events when a command asks for it", arguments: runtimesHere)
        func jsonLines(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let script =
                #"echo '{"type":"node","n":1}'; echo plain; printf '{"n":'; sleep 0.1; printf '2}\n'; echo '[3]'"#
            let outcome = try await engine.run(
                JobRequest(task: .command(["/bin/sh", "-c", script], jsonLines: true)))
            #expect(outcome.job.state == .completed, "\(outcome.summary)")
            let events = try await engine.events(outcome.job.id).filter { $0["n"] != nil }
            #expect(events.map { $0["n"] } == [1, 2])
            #expect(events.first?["type"] == "node")
            let quiet = try await engine.run(JobRequest(task: .command(["/bin/sh", "-c", script])))
            #expect(quiet.job.state == .completed, "\(quiet.summary)")
            #expect(try await engine.events(quiet.job.id).allSatisfy { $0["n"] == nil }, "nobody asked for them")
        }

        @Test("closures of the embedding service run as tasks", arguments: runtimesHere)
        func handlers(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let shouted = try await engine.run(JobRequest(task: .handler("shout", input: ["text": "hey"])))
            #expect(shouted.value == "HEY", "\(shouted.summary)")
            #expect(try await engine.events(shouted.job.id).contains { $0["type"] == "note" && $0["attempt"] == 1 })
            let raw = try await engine.run(JobRequest(task: .handler("raw")))
            #expect(raw.result?.media == .bytes)
            #expect(raw.result?.bytes == [0, 255, 10])
            let failed = try await engine.run(JobRequest(task: .handler("fail")))
            #expect(failed.job.error?.kind == .exception)
            #expect(failed.job.error?.message.contains("no luck") == true)
            await #expect(throws: EngineError.self) { try await engine.run(JobRequest(task: .handler("nobody"))) }
        }

        @Test("the task's environment is what the job says and no more", arguments: runtimesHere)
        func environment(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let outcome = try await engine.run(source: "import os\ndef main():\n    return dict(os.environ)") {
                $0.env = ["MODE": "fast\n\"x\"", "EMPTY": ""]
            }
            let env = try #require(outcome.value)
            #expect(env["MODE"] == "fast\n\"x\"")
            #expect(env["EMPTY"] == "")
            #expect(env["SLIPWAY_JOB_ID"]?.text == outcome.job.id.description)
            let next = try await engine.run(source: "import os\ndef main():\n    return 'MODE' in os.environ")
            #expect(next.value == false)
        }
    }
}
