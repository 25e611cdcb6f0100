import Foundation
import SlipwayCore

/// Looks at this machine: the data folder, the folder of the sockets and the GPUs.
struct HostChecks {
    let configuration: Configuration

    func findings() -> [Finding] { [disk(), sockets(), gpus()] }

    /// Room and kind of the data folder's file system.
    private func disk() -> Finding {
        let name = "data folder"
        let path = configuration.data.directoryPath()
        var place = URL(fileURLWithPath: path).standardizedFileURL
        while !FileManager.default.fileExists(atPath: place.path), place.path != "/" { place.deleteLastPathComponent() }
        var status = statvfs()
        guard statvfs(place.path, &status) == 0 else {
            return .fail(name, "\(path): \(String(cString: strerror(errno)))", "change data.directory")
        }
        guard access(place.path, W_OK) == 0 else {
            return .fail(name, "\(place.path) cannot be written by this user", "change data.directory, or its owner")
        }
        let free = Int(status.f_bavail) * Int(status.f_frsize)
        let kind = Self.fileSystem(of: place.path)
        let text = "\(path): \(JobReport.size(free)) free, \(kind)"
        guard free >= configuration.data.minFreeBytes else {
            return .fail(
                name, text,
                "free some space: below data.min_free (\(JobReport.size(configuration.data.minFreeBytes))) "
                    + "no job is accepted")
        }
        if ["tmpfs", "ramfs", "overlay"].contains(kind) {
            return .warn(name, text, "jobs there do not outlive the machine or container: put it on a disk")
        }
        if ["nfs", "nfs4", "cifs", "9p", "fuse", "fuse.sshfs"].contains(kind) {
            return .warn(name, text, "SQLite's locks are not dependable over networks: put it on a local disk")
        }
        guard free >= 4 * configuration.data.minFreeBytes else {
            return .warn(name, text, "free some space: below data.min_free no job is accepted")
        }
        return .ok(name, text)
    }

    /// The path of a sandbox's socket has 107 bytes at most (unix(7)).
    private func sockets() -> Finding {
        let base = configuration.data.socketPath()
        let bytes = base.utf8.count + "/slipway-0123456789/sbx_01234567890123456789012345/s".utf8.count
        guard bytes <= 107 else {
            return .fail(
                "sockets", "\(base): its sockets would have \(bytes) bytes of at most 107",
                "set data.socket_directory to a shorter path")
        }
        return .ok("sockets", "\(base), \(bytes) of at most 107 bytes")
    }

    private func gpus() -> Finding {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        let tool = folders.map { "\($0)/nvidia-smi" }.first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let tool else { return .ok("GPUs", "not available: there is no nvidia-smi") }
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: tool)
        process.arguments = ["--query-gpu=name", "--format=csv,noheader"]
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        let remedy = "run \(tool) and mend what it says, usually the driver"
        do {
            try process.run()
            let data = try output.fileHandleForReading.readToEnd() ?? Data()
            process.waitUntilExit()
            let names = String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline)
            guard process.terminationStatus == 0, !names.isEmpty else {
                return .warn("GPUs", "nvidia-smi finds none", remedy)
            }
            return .ok("GPUs", names.joined(separator: ", "))
        } catch {
            return .warn("GPUs", "nvidia-smi cannot be run: \((error as NSError).localizedDescription)", remedy)
        }
    }

    /// The kind of the file system that a path lies in, as `/proc/self/mounts` names it.
    private static func fileSystem(of path: String) -> String {
        guard let data = FileManager.default.contents(atPath: "/proc/self/mounts") else { return "unknown" }
        var best = (length: -1, kind: "unknown")
        for line in String(decoding: data, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 2 else { continue }
            let point = fields[1].replacing("\\040", with: " ")
            let isAbove = point == "/" || path == point || path.hasPrefix(point + "/")
            // Of two mounts at one place the later one is seen.
            if isAbove, point.utf8.count >= best.length { best = (point.utf8.count, String(fields[2])) }
        }
        return best.kind
    }
}
