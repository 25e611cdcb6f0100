/// What a container is created with.
///
/// Unset fields are left to the engine. Nothing here hardens by itself: the runtime that fills it in does.
package struct ContainerSpec: Sendable {
    /// A mount into the container.
    package enum Mount: Sendable, Hashable {
        /// A host path, which must exist.
        case bind(source: String, target: String, isReadOnly: Bool)
        /// A named volume; never filled from the image.
        case volume(name: String, target: String, isReadOnly: Bool)
        case tmpfs(target: String, sizeBytes: Int64, mode: Int)
    }

    /// A limit on what a process may use, as `ulimit` knows it.
    package struct UserLimit: Sendable, Hashable {
        /// Without the `RLIMIT_` prefix, in lower case: `nofile`.
        package var name: String
        package var soft: Int64
        package var hard: Int64

        package init(name: String, soft: Int64, hard: Int64) {
            self.name = name
            self.soft = soft
            self.hard = hard
        }
    }

    /// Devices asked of a driver, such as GPUs.
    package struct DeviceRequest: Sendable, Hashable {
        package var driver: String
        /// One id per element.
        package var deviceIDs: [String]
        /// Alternatives of capabilities that must come together: `[["gpu"]]`.
        package var capabilities: [[String]]

        package init(driver: String, deviceIDs: [String], capabilities: [[String]] = [["gpu"]]) {
            self.driver = driver
            self.deviceIDs = deviceIDs
            self.capabilities = capabilities
        }
    }

    /// Where the engine keeps the container's output.
    package struct LogDriver: Sendable, Hashable {
        package var type: String
        package var options: [String: String]

        package init(type: String, options: [String: String] = [:]) {
            self.type = type
            self.options = options
        }

        /// Keeps nothing; an attached client still sees the stream.
        package static let none = LogDriver(type: "none")

        /// The engine's compact format, bounded by `limitBytes`.
        package static func local(limitBytes: Int) -> LogDriver {
            LogDriver(type: "local", options: ["max-size": "\(limitBytes)", "max-file": "1", "compress": "false"])
        }
    }

    /// What becomes of standard input.
    package enum StandardInput: Sendable, Hashable {
        case closed
        /// Open for as long as the container lives: clients come and go. When one ends its input, the engine ends
        /// that client's output too.
        case kept
        /// Ends when the first attached client ends its input or goes; its output goes on.
        case once
    }

    package var image: String
    package var entrypoint: [String]?
    package var command: [String]?
    package var environment: [(name: String, value: String)] = []
    /// `uid`, `uid:gid` or names of the image.
    package var user: String?
    package var workingDirectory: String?
    package var hostname: String?
    package var labels: [String: String] = [:]
    package var stopSignal: String?
    package var standardInput = StandardInput.closed

    /// `none`, `bridge`, `host` or a network's name.
    package var networkMode: String?
    /// Lines for `/etc/hosts`, as `name:address`.
    package var extraHosts: [String] = []
    /// The name servers; empty for those of the engine.
    package var nameServers: [String] = []
    package var mounts: [Mount] = []
    /// Target to mount options, such as `/tmp` to `size=64m,mode=1777`.
    package var tmpfs: [String: String] = [:]
    package var hasReadOnlyRoot = false
    package var addedCapabilities: [String] = []
    package var droppedCapabilities: [String] = []
    package var securityOptions: [String] = []
    /// `private`, `none`, `shareable`.
    package var ipcMode: String?
    /// `private` or `host`.
    package var cgroupNamespaceMode: String?
    /// Whether the engine puts its own init in front.
    package var usesInit: Bool?
    /// The OCI runtime's name, such as `runsc`.
    package var runtime: String?
    package var logDriver: LogDriver?

    package var processLimit: Int64?
    package var nanoCPUs: Int64?
    package var memoryBytes: Int64?
    /// Memory and swap together: equal to `memoryBytes` means no swap.
    package var memorySwapBytes: Int64?
    package var sharedMemoryBytes: Int64?
    package var userLimits: [UserLimit] = []
    package var outOfMemoryScoreAdjustment: Int?
    package var deviceRequests: [DeviceRequest] = []

    package init(image: String) {
        self.image = image
    }
}
