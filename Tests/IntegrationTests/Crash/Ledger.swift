import Foundation
import SlipwayCore
import TestSupport

/// A file into which every attempt of a task writes one line when it begins, whoever knows of it.
struct Ledger {
    let folder: String

    init(below parent: TemporaryFolder) throws {
        folder = try parent.makeFolder("ledger", mode: 0o777)
        let file = try parent.write("ledger/starts", "")
        // Each sandbox writes as a user of its own.
        try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: file)
    }

    /// Python that writes the line, sleeps `ms` milliseconds while it prints, and returns `ms`, or the filler.
    static let code = """
        import os, time
        def main(ms, filler=None):
            line = "%s %s\\n" % (os.environ["SLIPWAY_JOB_ID"], os.environ["SLIPWAY_ATTEMPT"])
            fd = os.open("/ledger/starts", os.O_WRONLY | os.O_APPEND)
            os.write(fd, line.encode())
            os.close(fd)
            for step in range(10):
                print("step", step, flush=True)
                time.sleep(ms / 10000)
            return ms if filler is None else filler
        """

    /// The output of a run that was not cut.
    static let output = (0..<10).map { "step \($0)\n" }.joined()

    /// The body of a submission.
    ///
    /// - Parameter filler: What comes along and back, in place of the milliseconds.
    func body(
        milliseconds: Int, attempts: Int = 1, timeout: String = "20s", filler: String? = nil
    ) -> String {
        var args: [JSONValue] = [.integer(Int64(milliseconds))]
        if let filler { args.append(.string(filler)) }
        let value: JSONValue = [
            "task": ["type": "source", "code": .string(Self.code), "args": .array(args)],
            "mounts": [["source": .string(folder), "target": "/ledger", "mode": "rw"]],
            "timeout": .string(timeout), "retry": ["max_attempts": .integer(Int64(attempts)), "backoff": "100ms"],
        ]
        return String(decoding: value.serialized(), as: UTF8.self)
    }

    /// The same as a request to an engine.
    func request(milliseconds: Int, attempts: Int = 1) -> JobRequest {
        var request = JobRequest(task: .source(Self.code, args: [.integer(Int64(milliseconds))]))
        request.mounts = [.init(source: folder, target: "/ledger", writable: true)]
        request.retry = .init(maxAttempts: attempts, backoff: .milliseconds(100))
        return request
    }

    /// How often each attempt of each job began.
    func starts() throws -> [String: [Int: Int]] {
        var starts: [String: [Int: Int]] = [:]
        for line in try String(contentsOfFile: folder + "/starts", encoding: .utf8).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 2, let attempt = Int(words[1]) else { throw TestFailure("torn line: \(line)") }
            starts[String(words[0]), default: [:]][attempt, default: 0] += 1
        }
        return starts
    }
}
