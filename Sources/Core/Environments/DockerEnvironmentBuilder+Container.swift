import Foundation

extension DockerEnvironmentBuilder {
    static let buildTarget = "/opt/slipway/build"
    static let workTarget = "/opt/slipway/job"
    static let programTarget = "/opt/slipway/builder"
    static let linksTarget = "/opt/slipway/links"
    static let bundleTarget = "/opt/slipway/ca.crt"
    static let cacheTarget = "/cache"
    static let projectTarget = "/opt/slipway/project"

    /// The volume that holds pip's cache of one tenant.
    package static func cacheVolume(engineID: String, tenant: TenantID) -> String {
        "slipway-pip-\(engineID.filter { $0 != "-" }.prefix(12))-\(tenant)"
    }

    /// The volume that holds pip's cache of requirements with hashes, of all tenants.
    ///
    /// No tenant's name has a dot.
    package static func sharedCacheVolume(engineID: String) -> String {
        "slipway-pip-\(engineID.filter { $0 != "-" }.prefix(12)).shared"
    }

    /// What a builder's container is made with: the hardening of builders stands here.
    func container(image: String, work: String, mounts: [ContainerSpec.Mount]) async throws -> ContainerSpec {
        var spec = ContainerSpec(image: image)
        spec.entrypoint = ["python3"]
        spec.command = ["-I", "-B", Self.programTarget + "/main.py", Self.workTarget]
        spec.user = "0:0"
        spec.workingDirectory = "/"
        spec.hostname = "builder"
        spec.labels = [DockerRuntime.engineLabel: options.engineID, Self.roleLabel: Self.role]
        spec.networkMode = options.network
        spec.mounts =
            mounts + [
                .bind(source: work, target: Self.workTarget, isReadOnly: false),
                .bind(source: try program(), target: Self.programTarget, isReadOnly: true),
            ]
        spec.tmpfs = ["/tmp": "rw,nosuid,nodev,exec,mode=1777,size=256m"]
        for path in try await volumes(of: image) where path != "/tmp" && path != Self.cacheTarget {
            // A volume of the image would stay writable under the read-only root.
            spec.tmpfs[path] = "rw,nosuid,nodev,noexec,mode=0555,size=4k"
        }
        spec.hasReadOnlyRoot = true
        spec.droppedCapabilities = ["ALL"]
        // To become the user who installs, and to seal what it wrote.
        spec.addedCapabilities = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID"]
        spec.securityOptions = ["no-new-privileges:true"]
        spec.ipcMode = "private"
        spec.usesInit = false
        spec.logDriver = .local(limitBytes: 1 << 20)
        spec.processLimit = Int64(options.buildPids)
        spec.nanoCPUs = Int64(try await clampedCpus() * 1e9)
        spec.memoryBytes = Int64(options.buildMemoryBytes)
        spec.memorySwapBytes = Int64(options.buildMemoryBytes)
        spec.sharedMemoryBytes = 64 << 20
        spec.userLimits = [.init(name: "core", soft: 0, hard: 0)]
        return spec
    }

    /// Runs a builder to its end and reads its answer; the container is removed in any case.
    func run(_ spec: BuildSpec, _ container: ContainerSpec, _ work: String, limit: Duration) async throws -> BuildResult
    {
        // A second run in the same folder must not find the first one's files.
        for name in ["spec.json", "result.json"] where FileManager.default.fileExists(atPath: "\(work)/\(name)") {
            try FileManager.default.removeItem(atPath: "\(work)/\(name)")
        }
        try spec.write(to: work)
        let name = "slipway-build-\(UUID().uuidString.lowercased().prefix(18))"
        note(name, isActive: true)
        defer { note(name, isActive: false) }
        do {
            let status = try await finish(name, container, limit)
            let result = try await answer(spec, name, work, status, container.image)
            await discard(name)
            return result
        } catch {
            await discard(name)
            throw Self.explained(error, spec.requirements, container)
        }
    }

    /// Starts a container and waits for its end; nil when it did not end in time.
    private func finish(_ name: String, _ container: ContainerSpec, _ limit: Duration) async throws -> Int? {
        if case .nameTaken = try await client.createContainer(name: name, container) {
            // Our own earlier try, whose answer was lost: the names are random.
        }
        try await client.startContainer(name)
        let client = client
        return try await withThrowingTaskGroup(of: Int?.self) { group in
            group.addTask { try await client.waitForContainer(name) }
            group.addTask {
                try await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    private func answer(
        _ spec: BuildSpec, _ name: String, _ work: String, _ status: Int?, _ image: String
    ) async throws -> BuildResult {
        guard let status else { throw BuildFailure(.timeout, spec.requirements).error }
        if let result = try BuildResult.read(from: work) { return result }
        if try await client.inspectContainer(name)?.state.isOutOfMemoryKilled == true {
            throw BuildFailure(.memory, spec.requirements).error
        }
        let output = try await client.logs(name, tailLines: 20)
        let lines = String(decoding: output.standardOutput + output.standardError, as: UTF8.self)
            .split(separator: "\n").map(String.init)
        throw BuildFailure(
            .internal, spec.requirements, detail: "exit code \(status) in the image \"\(image)\"", lines: lines
        ).error
    }

    /// Removes a container, even when the build was cancelled.
    private func discard(_ name: String) async {
        await Task {
            do {
                try await client.removeContainer(name, force: true, withVolumes: true)
            } catch {
                warn("a builder's container could not be removed", name, error)
            }
        }.value
    }

    /// Names what the user can change when a container cannot even start.
    private static func explained(
        _ error: any Error, _ requirements: [String], _ container: ContainerSpec
    ) -> any Error {
        guard let failure = error as? EngineError,
            failure.code == .startFailed || failure.code == .containerEngineError
        else { return error }
        let lower = failure.message.lowercased()
        var text = requirements.isEmpty ? "" : "cannot install \(requirements.joined(separator: ", ")): "
        text += "the builder did not start"
        if lower.contains("python3"), lower.contains("not found") || lower.contains("no such file") {
            text +=
                ", since the image \"\(container.image)\" has no python3. Name another one as environments.builder_image"
        } else if lower.contains("network") {
            text += " in the network \"\(container.networkMode ?? "")\". Name one that exists as environments.network"
        }
        return EngineError(.dependency, text + " (\(failure.message))", cause: failure)
    }
}
