/// Checks the folders of the host that a job asks for.
///
/// Only the text of paths is looked at: where symbolic links lead is the business of `MountPolicy`.
struct MountValidator {
    let limits: RequestLimits
    let faults: FaultList

    /// Places of a sandbox that belong to the system or to the runner.
    private static let reserved = [
        "/proc", "/sys", "/dev", "/run", "/tmp", "/opt/slipway", "/etc", "/usr", "/bin", "/sbin", "/lib", "/lib32",
        "/lib64", "/var", "/boot",
    ]

    func check(_ mounts: [JobRequest.Mount]) {
        if mounts.count > 32 { faults.add("/mounts", "out-of-range", "At most 32 mounts are allowed") }
        var targets: Set<String> = []
        for (place, mount) in mounts.enumerated() {
            let pointer = "/mounts/\(place)"
            if !PathRules.isClean(mount.source) {
                faults.add(pointer + "/source", "invalid", "The source must be an absolute path without . and ..")
            } else if !limits.mounts.contains(where: { PathRules.isInside(mount.source, $0) }) {
                faults.add(pointer + "/source", "not-allowed", "The folder is not on the list of allowed mounts")
            } else if mount.writable, !limits.writableMounts.contains(where: { PathRules.isInside(mount.source, $0) }) {
                faults.add(
                    pointer + "/mode", "not-allowed",
                    "The folder can be mounted read-only: it is not in the operator's sandbox.mount_writable")
            }
            if !PathRules.isClean(mount.target) || mount.target == "/" {
                faults.add(pointer + "/target", "invalid", "The target must be an absolute path without . and ..")
            } else if Self.reserved.contains(where: { Self.overlaps(mount.target, $0) }) {
                faults.add(pointer + "/target", "not-allowed", "The target lies in a folder of the system")
            } else if !targets.insert(mount.target).inserted {
                faults.add(pointer + "/target", "invalid", "Another mount has the same target")
            }
        }
    }

    private static func overlaps(_ path: String, _ other: String) -> Bool {
        PathRules.isInside(path, other) || PathRules.isInside(other, path)
    }
}
