/// A published hole that a part of the container engine may have.
package struct KnownHole: Sendable, Equatable {
    /// The release of the part, and what may be open in it.
    package let text: String
    /// What to do about it.
    package let remedy: String
}

extension DockerVersion {
    /// CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881: a container can be made to write into the host's procfs.
    ///
    /// Nil for a release of runc with the fixes, and where the engine has or tells of none.
    package var runcHole: KnownHole? {
        guard let text = componentVersion("runc") else { return nil }
        let fixed = [ReleaseNumber(1, 2, 8), ReleaseNumber(1, 3, 3), ReleaseNumber(1, 4, 0)]
        if let number = ReleaseNumber(text), number.has(fixedIn: fixed) { return nil }
        return KnownHole(
            text:
                "\(text): CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881 (escapes through procfs) may be open",
            remedy:
                "upgrade runc to 1.2.8, 1.3.3 or later, or make sure that the distribution has backported the fixes")
    }
}
