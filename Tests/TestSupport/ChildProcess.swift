import Foundation
import Testing

/// A Python process for what another program does to the store's files.
package enum ChildProcess {
    /// Runs Python code to its end.
    package static func python(_ code: String, _ arguments: String...) throws {
        let process = try start(code, arguments)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    /// Starts Python code and waits for the line that says it is ready; it ends when its standard input closes.
    package static func pythonHolding(_ code: String, _ arguments: String...) throws -> (
        release: () -> Void, pid: Int32
    ) {
        try pythonHolding(code, arguments)
    }

    /// The same, with a list of arguments.
    package static func pythonHolding(_ code: String, _ arguments: [String]) throws -> (
        release: () -> Void, pid: Int32
    ) {
        let input = Pipe()
        let output = Pipe()
        let process = try start(code, arguments, input: input, output: output)
        _ = output.fileHandleForReading.availableData
        return (
            {
                // The process ends by itself when its input does; that is all that is asked.
                try? input.fileHandleForWriting.close()
                process.waitUntilExit()
            }, process.processIdentifier
        )
    }

    /// Runs a program and tells whether it succeeded.
    package static func succeeds(_ program: String, _ arguments: [String]) -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        do { try process.run() } catch { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }

    private static func start(_ code: String, _ arguments: [String], input: Pipe? = nil, output: Pipe? = nil) throws
        -> Process
    {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", code] + arguments
        if let input { process.standardInput = input }
        if let output { process.standardOutput = output }
        try process.run()
        return process
    }
}
