import Foundation

extension DockerEnvironmentBuilder {
    static let buildTarget = "/opt/slipway/build"
    static let workTarget = "/opt/slipway/job"
    static let programTarget = "/opt/slipway/builder"
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
    func container(
        image: String, work: String, inputs: BuilderInputs, mounts: [ContainerSpec.Mount]
    ) async throws -> ContainerSpec {
        var spec = ContainerSpec(image: image)
        spec.entrypoint = ["python3"]
        spec.command = ["-I", "-B", inputs.program + "/main.py", Self.workTarget]
        spec.user = "0:0"
        spec.workingDirectory = "/"
        spec.hostname = "builder"
        spec.labels = [DockerRuntime.engineLabel: options.engineID, DockerRuntime.roleLabel: Self.role]
        spec.networkMode = options.network
        // A volume without a name goes with the container.
        let job: ContainerSpec.Mount =
            remote == nil
            ? .bind(source: work, target: Self.workTarget, isReadOnly: false)
            : .volume(name: "", target: Self.workTarget, isReadOnly: false)
        spec.mounts = mounts + [job] + inputs.mounts
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
        if let profile = options.seccompProfile { spec.securityOptions.append("seccomp=\(profile)") }
        spec.runtime = options.ociRuntime
        // Where NVIDIA's runtime is the engine's default, an image's own variable would give it every device.
        spec.environment = [(name: "NVIDIA_VISIBLE_DEVICES", value: "void")]
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
    ///
    /// - Parameter sent: What else is put beside the specification, on an engine that does not see this machine's
    ///   folders.
    func run(
        _ spec: BuildSpec, _ container: ContainerSpec, _ work: String, of tenant: TenantID,
        sending sent: [ArchiveStream.Entry] = [], limit: Duration
    ) async throws -> BuildResult {
        // A second run in the same folder must not find the first one's files; its output goes on where that was.
        for name in try FileManager.default.contentsOfDirectory(atPath: work) {
            let path = "\(work)/\(name)"
            if name == BuildLogTail.fileName, GuestFile.open(path) != nil { continue }
            try FileManager.default.removeItem(atPath: path)
        }
        let name = Self.freshName()
        note(name, isActive: true)
        defer { note(name, isActive: false) }
        var container = container
        let network = try await join(&container, of: tenant)
        do {
            if case .nameTaken = try await client.createContainer(name: name, container) {
                // Our own earlier try, whose answer was lost: the names are random.
            }
            let ending: Ending?
            if remote == nil {
                try spec.write(to: work)
                try await client.startContainer(name)
                try await verify(network, of: name)
                ending = try await end(of: name, within: limit)
            } else {
                try await send(spec, sent, to: name)
                try await client.startContainer(name)
                ending = try await following(name, into: work) { try await self.end(of: name, within: limit) }
                if ending != nil { try await fetchResult(of: name, into: work) }
            }
            let result = try await answer(spec, name, work, ending, container.image)
            await discard(name)
            await leave(network)
            return result
        } catch {
            await discard(name)
            await leave(network)
            throw Self.explained(error, spec.requirements, container)
        }
    }

    /// How a builder's container ended.
    struct Ending {
        var status: Int
        /// Whether the container engine was away meanwhile.
        var wasInterrupted = false
    }

    /// Waits for a container's end; nil when it did not end in time.
    private func end(of name: String, within limit: Duration) async throws -> Ending? {
        try await withThrowingTaskGroup(of: Ending?.self) { group in
            group.addTask { try await self.end(of: name) }
            group.addTask {
                try await Task.sleep(for: limit)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    /// Waits for a container's end.
    ///
    /// Over a network the wait can break while the build goes on.
    private func end(of name: String) async throws -> Ending {
        var ending = Ending(status: 0)
        while true {
            do {
                ending.status = try await client.waitForContainer(name)
                return ending
            } catch let error as EngineError where error.code == .containerEngineUnavailable && remote != nil {
                ending.wasInterrupted = true
                try await Task.sleep(for: .seconds(1))
            }
        }
    }

    private func answer(
        _ spec: BuildSpec, _ name: String, _ work: String, _ ending: Ending?, _ image: String
    ) async throws -> BuildResult {
        guard let ending else { throw BuildFailure(.timeout, spec.requirements).error }
        if let result = try BuildResult.read(from: work) { return result }
        if try await client.inspectContainer(name)?.state.isOutOfMemoryKilled == true {
            throw BuildFailure(.memory, spec.requirements).error
        }
        if ending.wasInterrupted {
            throw EngineError(
                .containerEngineUnavailable, "the container engine was away while requirements were installed")
        }
        await remote?.doubt()
        let output = try await client.logs(name, tailLines: 20)
        let lines = String(decoding: output.standardOutput + output.standardError, as: UTF8.self)
            .split(separator: "\n").map(String.init)
        throw BuildFailure(
            .internal, spec.requirements, detail: "exit code \(ending.status) in the image \"\(image)\"", lines: lines
        ).error
    }

    /// Removes a container, even when the build was cancelled.
    private func discard(_ name: String) async {
        await client.discard(name) { [self] error in
            warn("a builder's container could not be removed", name, error)
        }
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
