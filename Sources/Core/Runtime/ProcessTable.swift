import Foundation

/// Reads what the kernel says about processes (proc(5)).
package enum ProcessTable {
    /// When a process started, in clock ticks since the machine did; nil when there is no such process.
    package static func startTime(of pid: Int32) -> UInt64? {
        // Field 22; the second one, the name, may hold blanks and parentheses, so fields count from its end.
        guard let fields = statistics(of: pid), fields.count > 19 else { return nil }
        return UInt64(fields[19])
    }

    /// Whether a process is stopped or traced.
    package static func isStopped(_ pid: Int32) -> Bool {
        let state = statistics(of: pid)?.first
        return state == "T" || state == "t"
    }

    /// Whether a process is a zombie or gone.
    package static func isDead(_ pid: Int32) -> Bool {
        guard let state = statistics(of: pid)?.first else { return true }
        return state == "Z" || state == "X"
    }

    /// The parent of a process; nil when there is no such process.
    package static func parent(of pid: Int32) -> Int32? {
        statistics(of: pid).flatMap { $0.count > 1 ? Int32($0[1]) : nil }
    }

    /// All processes below `pid`.
    package static func descendants(of pid: Int32) -> [Int32] {
        var children: [Int32: [Int32]] = [:]
        // Without /proc nothing can be listed, and nothing is.
        for entry in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let child = Int32(entry), let fields = statistics(of: child), fields.count > 1,
                let parent = Int32(fields[1])
            else { continue }
            children[parent, default: []].append(child)
        }
        var found: [Int32] = []
        var open = children[pid] ?? []
        while let next = open.popLast() {
            found.append(next)
            open.append(contentsOf: children[next] ?? [])
        }
        return found
    }

    /// The fields of `/proc/PID/stat` after the name, from the state on.
    private static func statistics(of pid: Int32) -> [Substring]? {
        guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return nil }
        let text = String(decoding: data, as: UTF8.self)
        guard let end = text.lastIndex(of: ")") else { return nil }
        return text[text.index(after: end)...].split(separator: " ")
    }
}
