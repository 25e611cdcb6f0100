extension EnvironmentStore {
    /// The builder whose environments are in a volume of a container engine elsewhere; nil where there is none.
    var volumeBuilder: (any EnvironmentBuilder)? { builders.values.first { $0.volume != nil } }

    /// Learns what the volume really holds, before anything of it is used; those who come at the same time wait for
    /// one survey.
    ///
    /// The first survey removes what has no manifest, which are builds that a crash ended. Later ones look only
    /// whether the volume is still the same: somebody may have removed it, and all that was in it.
    ///
    /// - Throws: what a container engine that does not answer causes.
    func survey() async throws {
        guard let builder = volumeBuilder else { return }
        let task = state.withLock { state in
            if let task = state.survey { return task }
            let task = Task { try await self.look(through: builder) }
            state.survey = task
            return task
        }
        try await task.value
    }

    private func look(through builder: any EnvironmentBuilder) async throws {
        defer { state.withLock { $0.survey = nil } }
        let identity = try await builder.volumeIdentity()
        let (known, names) = state.withLock { state in
            let all = Array(state.current.values) + Array(state.replaced.values)
            return (state.surveyed, Set(all.filter { $0.volume == builder.volume }.map(\.id)))
        }
        guard known != identity else { return }
        let found = try await builder.survey(names, removesOthers: known == nil)
        let lost = names.subtracting(found)
        state.withLock { state in
            state.surveyed = identity
            for id in lost {
                state.replaced[id] = nil
                state.extended[id] = nil
                if let key = state.current.first(where: { $0.value.id == id })?.key { state.current[key] = nil }
            }
        }
        guard !lost.isEmpty else { return }
        logger.warning(
            "environments are gone from the container engine's volume, and are installed again when they are needed",
            metadata: ["environments": "\(lost.sorted())", "volume": "\(builder.volume ?? "")"])
        _ = folder.remove(lost.map { $0 + ".json" })
    }
}
