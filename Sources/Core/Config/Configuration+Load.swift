import Foundation

extension Configuration {
    /// Reads a configuration from a file and the environment.
    ///
    /// Values come, each over the one before, from the defaults, from `DOCKER_HOST`, `DOCKER_MEM_LIMIT`,
    /// `DOCKER_CPU_LIMIT`, `DOCKER_GPU_DEVICES`, `DOCKER_GPU_MEMORY_LIMIT` and `PIP_INDEX_URL`, from the file, and from
    /// variables named `SLIPWAY_SECTION_KEY`.
    ///
    /// - Throws: `ConfigurationError` with everything that is wrong at once.
    public static func load(
        path: String, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(ConfigurationError) -> Configuration {
        let bytes: Foundation.Data
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            // One byte beyond the limit is enough to see that the file is too large, whatever its size says.
            bytes = try file.read(upToCount: YAMLDocument.byteLimit + 1) ?? Foundation.Data()
            try file.close()
        } catch {
            let reason =
                switch (error as? CocoaError)?.code {
                case .fileNoSuchFile, .fileReadNoSuchFile: "there is no such file"
                case .fileReadNoPermission: "its permissions do not allow it"
                default: error.localizedDescription
                }
            throw ConfigurationError(faults: [ConfigurationFault(file: path, message: "cannot be read: \(reason)")])
        }
        return try load(bytes: bytes, name: path, environment: environment)
    }

    /// Reads a configuration from a text and an environment; `name` stands for the file in messages.
    ///
    /// - Throws: `ConfigurationError` with everything that is wrong at once.
    public static func load(
        yaml: String, name: String = "config.yaml", environment: [String: String] = [:]
    ) throws(ConfigurationError) -> Configuration {
        try load(bytes: Array(yaml.utf8), name: name, environment: environment)
    }

    /// Reads a configuration from the environment alone, for an engine without a file.
    ///
    /// - Throws: `ConfigurationError` with everything that is wrong at once.
    public static func load(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(ConfigurationError) -> Configuration {
        try load(bytes: [], name: "config.yaml", environment: environment)
    }

    private static func load(
        bytes: some Collection<UInt8>, name: String, environment: [String: String]
    ) throws(ConfigurationError) -> Configuration {
        let document = YAMLDocument(parsing: bytes, origin: .file(name))
        var overlay = EnvironmentOverlay(environment: environment)
        var faults = document.faults
        var configuration = Configuration()
        let isBroken = document.root == nil && !faults.isEmpty
        var root = document.root ?? YAMLNode(.mapping([]), YAMLMark(origin: .file(name)))
        overlay.apply(to: &root)
        var decoding = ConfigurationDecoding()
        // After a fault of syntax nothing is known about the rest, and every key would seem to be missing.
        if !isBroken { configuration.read(root, "", &decoding) }
        faults += decoding.faults + overlay.faults
        guard faults.isEmpty else { throw ConfigurationError(faults: faults.inOrder) }
        configuration.marks = decoding.marks
        configuration.warnings = overlay.warnings
        return configuration
    }
}

extension [ConfigurationFault] {
    /// The faults in the order of the file, those without a line after those with one.
    fileprivate var inOrder: [ConfigurationFault] {
        enumerated().sorted { left, right in
            let a = (left.element.line ?? .max, left.element.column ?? .max, left.offset)
            let b = (right.element.line ?? .max, right.element.column ?? .max, right.offset)
            return a < b
        }.map(\.element)
    }
}
