/// The answer of `GET /containers/{id}/json`, as far as it is used.
package struct ContainerDetails: Sendable, Decodable {
    /// What a container is doing.
    package enum Status: Sendable, Hashable {
        case created
        case running
        case paused
        case restarting
        case removing
        case exited
        case dead
        /// A state that only another engine knows.
        case other(String)

        package init(_ text: String) {
            switch text.lowercased() {
            case "created", "configured": self = .created
            case "running": self = .running
            case "paused": self = .paused
            case "restarting": self = .restarting
            case "removing": self = .removing
            case "exited": self = .exited
            case "dead": self = .dead
            default: self = .other(text)
            }
        }
    }

    /// State and outcome of the container's first process.
    package struct State: Sendable, Decodable {
        package let status: Status
        /// As the host sees it; 0 when the container does not run.
        package let processID: Int32
        package let exitCode: Int
        /// Only the first process's own death by the memory limit sets this.
        package let isOutOfMemoryKilled: Bool
        /// Why a start failed, if it did.
        package let error: String
        /// RFC 3339; the year 0001 stands for never.
        package let startedAt: String?
        package let finishedAt: String?

        private enum Key: String, CodingKey {
            case status = "Status"
            case processID = "Pid"
            case exitCode = "ExitCode"
            case isOutOfMemoryKilled = "OOMKilled"
            case error = "Error"
            case startedAt = "StartedAt"
            case finishedAt = "FinishedAt"
        }

        package init(from decoder: any Decoder) throws {
            let object = try decoder.container(keyedBy: Key.self)
            status = Status(try object.decode(String.self, forKey: .status))
            processID = try object.decodeIfPresent(Int32.self, forKey: .processID) ?? 0
            exitCode = try object.decodeIfPresent(Int.self, forKey: .exitCode) ?? 0
            isOutOfMemoryKilled = try object.decodeIfPresent(Bool.self, forKey: .isOutOfMemoryKilled) ?? false
            error = try object.decodeIfPresent(String.self, forKey: .error) ?? ""
            startedAt = try object.decodeIfPresent(String.self, forKey: .startedAt)
            finishedAt = try object.decodeIfPresent(String.self, forKey: .finishedAt)
        }
    }

    /// A mount as the engine made it.
    package struct Mount: Sendable, Decodable, Hashable {
        package let type: String?
        package let name: String?
        package let source: String?
        package let destination: String
        package let isWritable: Bool?

        enum CodingKeys: String, CodingKey {
            case type = "Type"
            case name = "Name"
            case source = "Source"
            case destination = "Destination"
            case isWritable = "RW"
        }
    }

    package let id: String
    /// Without the leading slash.
    package let name: String
    /// The image's id, `sha256:...`.
    package let imageID: String
    package let state: State
    package let labels: [String: String]
    package let mounts: [Mount]
    /// The cgroup below which the container runs, if one was named.
    package let cgroupParent: String?

    private enum Key: String, CodingKey {
        case id = "Id"
        case name = "Name"
        case imageID = "Image"
        case state = "State"
        case config = "Config"
        case mounts = "Mounts"
        case hostConfig = "HostConfig"
    }

    private struct Config: Decodable {
        let labels: [String: String]?
        enum CodingKeys: String, CodingKey { case labels = "Labels" }
    }

    private struct HostConfig: Decodable {
        let cgroupParent: String?
        enum CodingKeys: String, CodingKey { case cgroupParent = "CgroupParent" }
    }

    package init(from decoder: any Decoder) throws {
        let object = try decoder.container(keyedBy: Key.self)
        id = try object.decode(String.self, forKey: .id)
        let name = try object.decodeIfPresent(String.self, forKey: .name) ?? ""
        self.name = name.hasPrefix("/") ? String(name.dropFirst()) : name
        imageID = try object.decodeIfPresent(String.self, forKey: .imageID) ?? ""
        state = try object.decode(State.self, forKey: .state)
        labels = try object.decodeIfPresent(Config.self, forKey: .config)?.labels ?? [:]
        mounts = try object.decodeIfPresent([Mount].self, forKey: .mounts) ?? []
        cgroupParent = try object.decodeIfPresent(HostConfig.self, forKey: .hostConfig)?.cgroupParent
    }
}

/// One entry of `GET /containers/json`.
package struct ContainerSummary: Sendable, Decodable {
    package let id: String
    /// Without leading slashes.
    package let names: [String]
    package let image: String
    package let labels: [String: String]
    package let status: ContainerDetails.Status
    /// Seconds since 1970.
    package let createdSeconds: Int64

    private enum Key: String, CodingKey {
        case id = "Id"
        case names = "Names"
        case image = "Image"
        case labels = "Labels"
        case state = "State"
        case created = "Created"
    }

    package init(from decoder: any Decoder) throws {
        let object = try decoder.container(keyedBy: Key.self)
        id = try object.decode(String.self, forKey: .id)
        let names = try object.decodeIfPresent([String].self, forKey: .names) ?? []
        self.names = names.map { $0.hasPrefix("/") ? String($0.dropFirst()) : $0 }
        image = try object.decodeIfPresent(String.self, forKey: .image) ?? ""
        labels = try object.decodeIfPresent([String: String].self, forKey: .labels) ?? [:]
        status = ContainerDetails.Status(try object.decodeIfPresent(String.self, forKey: .state) ?? "")
        createdSeconds = try object.decodeIfPresent(Int64.self, forKey: .created) ?? 0
    }
}
