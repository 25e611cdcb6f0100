import Foundation

/// The limits that the kernel's control groups put on a process, of version 1 or 2.
package struct CgroupLimits: Sendable, Equatable {
    /// Processor cores; nil without a limit.
    package var cpus: Double?
    /// Memory in bytes; nil without a limit.
    package var memoryBytes: Int?

    /// Makes limits.
    package init(cpus: Double? = nil, memoryBytes: Int? = nil) {
        self.cpus = cpus
        self.memoryBytes = memoryBytes
    }

    /// Values from here on mean that there is no limit: version 1 writes the largest number of pages (memory.rst).
    private static let unlimited = 1 << 60

    /// The limits of the process that asks.
    package static func ofThisProcess() -> CgroupLimits { read(root: "/", process: "self") }

    /// Reads the limits of a process.
    ///
    /// A group is bounded by those above it, too, so that each is looked at up to the top of what can be seen. In a
    /// container the path of `/proc/PID/cgroup` need not exist below the mount, whose top then is the process's group.
    ///
    /// - Parameters:
    ///   - root: The folder that holds `proc` and `sys`; another one than `/` for recorded trees.
    ///   - process: The process's number, or `self`.
    package static func read(root: String, process: String) -> CgroupLimits {
        let base = root.hasSuffix("/") ? String(root.dropLast()) : root
        guard let text = contents("\(base)/proc/\(process)/cgroup") else { return CgroupLimits() }
        var found = CgroupLimits()
        for line in text.split(separator: "\n") {
            // Each line is `number:controllers:path` (cgroups(7)); version 2 has number 0 and no controllers.
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let controllers = fields[1].split(separator: ",").map(String.init)
            for mount in mounts(base, isUnified: fields[0] == "0" && fields[1].isEmpty, controllers) {
                for folder in folders(mount, String(fields[2])) { found.tighten(CgroupLimits(folder: folder)) }
            }
        }
        return found
    }

    /// The limits that are written in one group's folder, whatever version it is of.
    private init(folder: String) {
        if let text = Self.contents(folder + "/cpu.max") {
            let words = text.split(whereSeparator: \.isWhitespace)
            if words.count == 2, let quota = Double(words[0]), let period = Double(words[1]), period > 0 {
                cpus = quota / period
            }
        } else if let quota = Self.number(folder + "/cpu.cfs_quota_us"), quota > 0,
            let period = Self.number(folder + "/cpu.cfs_period_us"), period > 0
        {
            cpus = Double(quota) / Double(period)
        }
        let memory = Self.number(folder + "/memory.max") ?? Self.number(folder + "/memory.limit_in_bytes")
        if let memory, memory < Self.unlimited { memoryBytes = memory }
    }

    /// The smaller of the machine and the limits.
    package func bounding(_ host: HostSize) -> HostSize {
        HostSize(cpus: min(host.cpus, cpus ?? .infinity), memoryBytes: min(host.memoryBytes, memoryBytes ?? .max))
    }

    private mutating func tighten(_ other: CgroupLimits) {
        if let more = other.cpus { cpus = min(cpus ?? .infinity, more) }
        if let more = other.memoryBytes { memoryBytes = min(memoryBytes ?? .max, more) }
    }

    /// Where the hierarchy of some controllers is mounted.
    private static func mounts(_ base: String, isUnified: Bool, _ controllers: [String]) -> [String] {
        let top = base + "/sys/fs/cgroup"
        guard isUnified else {
            return [controllers.joined(separator: ",")].map { "\(top)/\($0)" } + controllers.map { "\(top)/\($0)" }
        }
        // On machines with both versions the second one has a folder of its own.
        return [FileManager.default.fileExists(atPath: top + "/cgroup.controllers") ? top : top + "/unified"]
    }

    /// The group's folder and all above it, as far as they can be seen.
    private static func folders(_ mount: String, _ path: String) -> [String] {
        var parts = path.split(separator: "/").map(String.init)
        guard !parts.contains("..") else { return [mount] }
        var folders = [mount]
        while !parts.isEmpty {
            folders.append(mount + "/" + parts.joined(separator: "/"))
            parts.removeLast()
        }
        return folders
    }

    private static func number(_ path: String) -> Int? {
        contents(path).flatMap { text in
            let word = text.split(whereSeparator: \.isWhitespace).first.map(String.init) ?? ""
            // Version 1 writes numbers above the largest integer of some kernels' word size.
            return Int(word) ?? (Double(word).map { $0 > 1e18 ? Int.max : Int($0) })
        }
    }

    /// A file of the kernel's, which need not exist.
    private static func contents(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}

extension HostSize {
    /// The machine of this process.
    package static var ofThisMachine: HostSize {
        HostSize(
            cpus: Double(ProcessInfo.processInfo.activeProcessorCount),
            memoryBytes: Int(clamping: ProcessInfo.processInfo.physicalMemory))
    }
}
