import Foundation

/// What the kernel says about the processes of this machine.
package enum ProcessList {
    /// The command lines that contain a text, this process's own left out.
    package static func commandLines(containing text: String) -> [String] {
        let own = ProcessInfo.processInfo.processIdentifier
        var found: [String] = []
        for entry in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let pid = Int32(entry), pid != own,
                let data = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline")
            else { continue }
            let line = String(decoding: data, as: UTF8.self).replacingOccurrences(of: "\0", with: " ")
            if line.contains(text) { found.append("\(pid) \(line)") }
        }
        return found
    }

    /// The largest resident memory that a process had since ``resetPeak(of:)``, in bytes; nil when it is gone.
    package static func peakResidentBytes(of pid: Int32) -> Int? {
        guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/status") else { return nil }
        for line in String(decoding: data, as: UTF8.self).split(separator: "\n") where line.hasPrefix("VmHWM:") {
            return line.split { $0 == " " || $0 == "\t" }.dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
        }
        return nil
    }

    /// Sets the peak of a process back to what it has now (proc(5), `clear_refs`).
    package static func resetPeak(of pid: Int32) throws {
        try "5".write(toFile: "/proc/\(pid)/clear_refs", atomically: false, encoding: .utf8)
    }
}
