import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// A program that comes with the driver, run to its end for what it prints.
package struct DriverTool: Sendable {
    /// The longest wait for an answer: a driver that hangs must not hang the engine.
    private static let patienceSeconds = 20.0

    /// The program's path.
    package let path: String

    /// Takes a program by its path.
    package init(path: String) { self.path = path }

    /// Finds a program in the folders of `PATH`; nil where there is none.
    package init?(_ name: String, environment: [String: String]) {
        let folders = (environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
        let found = folders.lazy.map { "\($0)/\(name)" }.first(where: FileManager.default.isExecutableFile)
        guard let found else { return nil }
        path = found
    }

    /// Runs the program and gives what it printed; blocks for as long as it takes.
    ///
    /// - Parameters:
    ///   - input: What it reads, some lines at most; nothing by default.
    ///   - environment: Variables besides the engine's own.
    /// - Throws: ``EngineError`` with what it printed when it ends with another status than 0.
    package func run(
        _ arguments: [String], input: String = "", environment: [String: String] = [:]
    ) throws -> String {
        let process = Process()
        let (output, source) = (Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(["LC_ALL": "C"]) { $1 }
            .merging(environment) { $1 }
        process.standardInput = source
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        // Before it runs: a pipe holds a few words, and nobody is there yet who could leave without reading them.
        try source.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try source.fileHandleForWriting.close()
        do {
            try process.run()
        } catch {
            throw EngineError(.internalFault, "\(path) cannot be run: \((error as NSError).localizedDescription)")
        }
        let pid = process.processIdentifier
        let watchdog = DispatchWorkItem { kill(pid, SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + Self.patienceSeconds, execute: watchdog)
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        watchdog.cancel()
        let text = String(decoding: data, as: UTF8.self)
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            let lines = text.trimmingCharacters(in: .whitespacesAndNewlines).prefix(300)
            throw EngineError(
                .internalFault,
                "\(path) \(arguments.first ?? "") ended with status \(process.terminationStatus)"
                    + (lines.isEmpty ? "" : ": \(lines)"))
        }
        return text
    }
}
