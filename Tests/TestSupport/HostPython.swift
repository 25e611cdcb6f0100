import Foundation

/// The Python of this machine, for what tests cannot make by themselves.
package enum HostPython {
    /// Its version, such as `3.11`, when it has cloudpickle.
    package static let cloudpickleVersion: String? = {
        let text = try? runBlocking("import cloudpickle, sys; print('%d.%d' % sys.version_info[:2])", [])
        return text.map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
    }()

    /// The bytes of a pickled call, such as `(lambda x: x * 2, (21,), {})`.
    package static func pickle(_ expression: String) async throws -> [UInt8] {
        let text = try await run(
            "import cloudpickle, sys; print(cloudpickle.dumps(eval(sys.argv[1])).hex())", [expression])
        let digits = Array(text.trimmingCharacters(in: .whitespacesAndNewlines).utf8)
        return stride(from: 0, to: digits.count - 1, by: 2).compactMap {
            UInt8(String(decoding: digits[$0...$0 + 1], as: UTF8.self), radix: 16)
        }
    }

    /// Runs a program and gives what it printed.
    package static func run(_ program: String, _ arguments: [String]) async throws -> String {
        try await onThread { try runBlocking(program, arguments) }
    }

    private static func runBlocking(_ program: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", program] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw TestFailure("python3 ended with \(process.terminationStatus): \(program)")
        }
        return String(decoding: data, as: UTF8.self)
    }
}
