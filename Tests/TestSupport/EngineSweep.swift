import Foundation

/// Removes what the engines of a test left in the container engine, when the test is over or has failed.
package enum EngineSweep {
    private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../scripts/sweep.py").standardizedFileURL.path

    /// Removes containers and volumes, such as pip's caches, of all engines whose data lie below a folder; blocks.
    ///
    /// Only what carries the labels of these engines is touched. What cannot be removed is told on standard error.
    package static func run(below folder: String) {
        guard ContainerEngine.answers else { return }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-B", script, ContainerEngine.host, folder]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.standardError
        do {
            try process.run()
            process.waitUntilExit()
        } catch {
            FileHandle.standardError.write(Data("the leftovers of \(folder) were not removed: \(error)\n".utf8))
        }
    }

    /// Removes a volume of the container engine; blocks.
    ///
    /// One that is gone is as good.
    package static func removeVolume(_ name: String) {
        guard let socket = ContainerEngine.socketPath, ContainerEngine.answers else { return }
        let client = HTTPClient(.unix(socket))
        do {
            _ = try client.exchangeBlocking(client.request("DELETE", "/volumes/\(name)?force=1"))
        } catch {
            FileHandle.standardError.write(Data("the volume \(name) was not removed: \(error)\n".utf8))
        }
    }
}
