extension DockerEnvironmentBuilder {
    private static let linksTarget = "/opt/slipway/links"
    private static let bundleTarget = "/opt/slipway/ca.crt"

    /// What a builder's container reads.
    ///
    /// - Parameters:
    ///   - image: An image that the engine has.
    ///   - isComplete: Whether authorities and wheels come along, which only an installer needs.
    func inputs(image: String, isComplete: Bool) async throws -> BuilderInputs {
        let sources = isComplete ? try BuilderInputs.Sources(options) : nil
        if let remote { return try await inputs(sources, in: remote, image: image) }
        var inputs = BuilderInputs(program: Self.programTarget)
        inputs.mounts = [.bind(source: try program(), target: Self.programTarget, isReadOnly: true)]
        guard let sources else { return inputs }
        if let bundle = sources.bundle {
            inputs.mounts.append(.bind(source: bundle, target: Self.bundleTarget, isReadOnly: true))
            inputs.bundle = Self.bundleTarget
        }
        inputs.links = sources.links.enumerated().map { place, link in
            guard link.hasPrefix("/") else { return link }
            let target = "\(Self.linksTarget)/\(place)"
            inputs.mounts.append(.bind(source: link, target: target, isReadOnly: true))
            return target
        }
        return inputs
    }

    private func inputs(
        _ sources: BuilderInputs.Sources?, in remote: RemoteStorage, image: String
    ) async throws -> BuilderInputs {
        let program = try await provide(
            remote.program, BuilderFiles.version, image: image,
            BuilderFiles.all.map { .bytes($0.name, Array($0.data), mode: 0o644) })
        var inputs = BuilderInputs(program: Self.programTarget)
        inputs.mounts = [.volume(name: program, target: Self.programTarget, isReadOnly: true)]
        guard let sources else { return inputs }
        inputs.links = sources.links
        guard sources.bundle != nil || !sources.folders.isEmpty else { return inputs }
        let baggage = try BuilderBaggage(sources)
        let volume = try await provide(remote.baggage, baggage.version, image: image, baggage.entries)
        inputs.mounts.append(.volume(name: volume, target: Self.linksTarget, isReadOnly: true))
        if sources.bundle != nil { inputs.bundle = "\(Self.linksTarget)/\(BuilderBaggage.bundleName)" }
        var place = 0
        inputs.links = sources.links.map { link in
            guard link.hasPrefix("/") else { return link }
            defer { place += 1 }
            return "\(Self.linksTarget)/\(BuilderBaggage.folderName(place))"
        }
        return inputs
    }

    private func provide(
        _ volume: BuilderVolume, _ version: String, image: String, _ entries: [ArchiveStream.Entry]
    ) async throws -> String {
        var spec = ContainerSpec(image: image)
        spec.entrypoint = ["python3"]
        spec.networkMode = "none"
        spec.hasReadOnlyRoot = true
        spec.droppedCapabilities = ["ALL"]
        spec.labels = [DockerRuntime.engineLabel: options.engineID, DockerRuntime.roleLabel: Self.role]
        let helper = Self.freshName()
        note(helper, isActive: true)
        defer { note(helper, isActive: false) }
        return try await volume.provide(version, through: spec, named: helper, entries)
    }
}
