extension DockerClient {
    /// `GET /version`: what runs at the other end.
    package func version() async throws -> DockerVersion {
        try await decode(
            DockerVersion.self, DockerCall(action: "tell its version", path: "/version", retry: .always))
    }

    /// `GET /info`: the machine behind the engine, its runtimes and security options.
    package func info() async throws -> DockerInfo {
        try await decode(DockerInfo.self, DockerCall(action: "describe itself", path: "/info", retry: .always))
    }
}

/// The answer of `GET /version`, as far as it is used.
package struct DockerVersion: Sendable, Decodable {
    /// One part of the engine, such as `runc` or `containerd`.
    package struct Component: Sendable, Decodable {
        package let name: String
        package let version: String

        enum CodingKeys: String, CodingKey {
            case name = "Name"
            case version = "Version"
        }
    }

    package let version: String
    package let apiVersion: String
    package let operatingSystem: String?
    package let architecture: String?
    package let kernelVersion: String?
    package let components: [Component]?

    enum CodingKeys: String, CodingKey {
        case version = "Version"
        case apiVersion = "ApiVersion"
        case operatingSystem = "Os"
        case architecture = "Arch"
        case kernelVersion = "KernelVersion"
        case components = "Components"
    }

    /// Whether Podman answers on a Docker-compatible socket.
    package var isPodman: Bool { components?.contains { $0.name.lowercased().contains("podman") } ?? false }

    /// The version of `runc` or another component, if the engine tells.
    ///
    /// Podman tells of `runc` as `OCI Runtime (runc)`, with the words "runc version" before the version.
    package func componentVersion(_ name: String) -> String? {
        guard let found = components?.first(where: { $0.name == name || $0.name == "OCI Runtime (\(name))" }) else {
            return nil
        }
        let line = found.version.prefix { $0 != "\n" }
        let prefix = "\(name) version "
        return String(line.hasPrefix(prefix) ? line.dropFirst(prefix.count) : line)
    }
}

/// The answer of `GET /info`, as far as it is used.
package struct DockerInfo: Sendable, Decodable {
    package let id: String?
    package let name: String?
    package let operatingSystem: String?
    package let cpuCount: Int?
    package let memoryBytes: Int64?
    package let cgroupDriver: String?
    package let cgroupVersion: String?
    package let defaultRuntime: String?
    package let securityOptions: [String]?
    package let runtimes: [String: Runtime]?
    package let isLiveRestoreEnabled: Bool?
    package let storageDriver: String?
    package let rootDirectory: String?
    package let limitsMemory: Bool?
    package let limitsSwap: Bool?
    package let limitsCPU: Bool?
    package let limitsPIDs: Bool?

    /// An OCI runtime that the engine knows; only its name is used.
    package struct Runtime: Sendable, Decodable {}

    enum CodingKeys: String, CodingKey {
        case id = "ID"
        case name = "Name"
        case operatingSystem = "OperatingSystem"
        case cpuCount = "NCPU"
        case memoryBytes = "MemTotal"
        case cgroupDriver = "CgroupDriver"
        case cgroupVersion = "CgroupVersion"
        case defaultRuntime = "DefaultRuntime"
        case securityOptions = "SecurityOptions"
        case runtimes = "Runtimes"
        case isLiveRestoreEnabled = "LiveRestoreEnabled"
        case storageDriver = "Driver"
        case rootDirectory = "DockerRootDir"
        case limitsMemory = "MemoryLimit"
        case limitsSwap = "SwapLimit"
        case limitsCPU = "CpuCfsQuota"
        case limitsPIDs = "PidsLimit"
    }

    /// The names of the OCI runtimes, sorted.
    package var runtimeNames: [String] { (runtimes ?? [:]).keys.sorted() }
    /// Whether containers' root is another uid on the host.
    package var usesUserNamespaces: Bool { securityOptions?.contains { $0.contains("name=userns") } ?? false }
    /// Whether the engine itself runs without root.
    package var isRootless: Bool { securityOptions?.contains { $0.contains("name=rootless") } ?? false }
}
