import Foundation
import SlipwayCore

/// Looks at this machine: the data folder, the folder of the sockets and the GPUs.
struct HostChecks {
    let configuration: Configuration

    func findings() -> [Finding] { disks() + [sockets(), gpus()] }

    /// The data folder, and the folder of the artifacts where that is on another file system.
    private func disks() -> [Finding] {
        let data = configuration.data.directoryPath()
        let artifacts = configuration.data.artifacts ?? data + "/artifacts"
        let all = [disk("data folder", data, "data.directory")]
        guard Self.device(of: data) != Self.device(of: artifacts) else { return all }
        return all + [disk("artifacts folder", artifacts, "data.artifacts")]
    }

    /// Room and kind of the file system of a folder, which the configuration names by a key.
    private func disk(_ name: String, _ path: String, _ key: String) -> Finding {
        let place = Self.place(of: path)
        var status = statvfs()
        guard statvfs(place, &status) == 0 else {
            return .fail(name, "\(path): \(SystemError.words(errno))", "change \(key)")
        }
        guard URL(fileURLWithPath: place).isFolder else {
            return .fail(name, "\(place) is no folder", "change \(key), or move the file away")
        }
        guard access(place, W_OK) == 0 else {
            return .fail(name, "\(place) cannot be written by this user", "change \(key), or its owner")
        }
        let free = Int(status.f_bavail) * Int(status.f_frsize)
        let kind = Self.fileSystem(of: place)
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
        if key == "data.directory", ["nfs", "nfs4", "cifs", "9p", "fuse", "fuse.sshfs"].contains(kind) {
            return .warn(name, text, "SQLite's locks are not dependable over networks: put it on a local disk")
        }
        guard free >= 4 * configuration.data.minFreeBytes else {
            return .warn(name, text, "free some space: below data.min_free no job is accepted")
        }
        return .ok(name, text)
    }

    /// The folder itself, or the nearest one above it that exists.
    private static func place(of path: String) -> String {
        var place = URL(fileURLWithPath: path).standardizedFileURL
        while !FileManager.default.fileExists(atPath: place.path), place.path != "/" { place.deleteLastPathComponent() }
        return place.path
    }

    /// What tells the file system of a folder from others; nil where it cannot be asked.
    private static func device(of path: String) -> dev_t? {
        var status = stat()
        return stat(place(of: path), &status) == 0 ? status.st_dev : nil
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

    /// The devices of this machine, and which of them jobs may ask for.
    private func gpus() -> Finding {
        let (name, configured) = ("GPUs", configuration.gpus.devices)
        guard let tool = NvidiaSMI(environment: ProcessInfo.processInfo.environment) else {
            guard configured.isEmpty else {
                return .warn(
                    name, "gpus.devices lists \(configured.joined(separator: ", ")), and there is no nvidia-smi here",
                    "install NVIDIA's driver; for a container engine on another machine this is as it should be, and "
                        + "devices are then given out whole, without a look at what computes on them")
            }
            return .ok(name, "not available: there is no nvidia-smi")
        }
        do {
            let found = try tool.devices()
            guard !found.isEmpty else { return .warn(name, "nvidia-smi finds none", Self.driverRemedy(tool)) }
            let inventory = GPUInventory(configured: configured, found: found)
            let items: [String] = found.map { device in
                let memory = device.memoryBytes.map { ", \(JobReport.size($0))" } ?? ""
                let use = inventory.devices.contains(device) ? "" : ", not listed in gpus.devices"
                return "\(device.label) (\(device.name)\(memory)\(use))"
            }
            let text = items.joined(separator: "; ")
            guard let warning = inventory.warnings.first else { return .ok(name, text) }
            return .warn(name, "\(text); \(warning)", "change gpus.devices")
        } catch {
            return .warn(name, CommandExit(error)?.message ?? "\(error)", Self.driverRemedy(tool))
        }
    }

    private static func driverRemedy(_ tool: NvidiaSMI) -> String {
        "run \(tool.tool.path) and mend what it says, usually the driver"
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

extension URL {
    /// Whether a folder is there, or a link to one.
    fileprivate var isFolder: Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}
