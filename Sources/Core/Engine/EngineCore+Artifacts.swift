extension EngineCore {
    private static let artifactPieceBytes = 128 * 1024

    /// The files that a job left, by name.
    package func artifacts(of id: JobID, tenant: TenantID) async throws -> [JobArtifact] {
        try await storedOutputs(of: id, tenant: tenant, name: nil).files.map(JobArtifact.init)
    }

    /// A file that a job left.
    package func artifact(_ name: String, of id: JobID, tenant: TenantID) async throws -> JobArtifact {
        guard let stored = try await storedOutputs(of: id, tenant: tenant, name: name).files.first else {
            throw EngineError(.notFound, "the job left no file of this name")
        }
        return JobArtifact(stored)
    }

    /// Opens a file that a job left, all of it or a range; what is stored is checked before this returns.
    package func content(
        of name: String, of id: JobID, tenant: TenantID, range: Range<Int>?
    ) async throws -> ArtifactContent {
        let found = try await storedOutputs(of: id, tenant: tenant, name: name)
        guard let stored = found.files.first else {
            throw EngineError(.notFound, "the job left no file of this name")
        }
        let whole = 0..<stored.size
        let wanted = range?.clamped(to: whole) ?? whole
        let (store, offload) = (self.artifacts, self.offload)
        let reader = try await offload.runIfActive {
            let reader = try OutputReader(stored, of: id, in: store, inline: found.inline, range: wanted)
            try reader.check()
            return reader
        }
        return ArtifactContent(artifact: JobArtifact(stored), range: wanted) {
            try await offload.runIfActive { try reader.next(least: Self.artifactPieceBytes) }
        }
    }

    private func storedOutputs(of id: JobID, tenant: TenantID, name: String?) async throws -> JobOutputs {
        if let job = jobs[id], job.job.tenant == tenant, job.isInserted, job.phase != .ended {
            throw EngineError(.notFinished, "the job has not ended yet: it is \(job.job.state.rawValue)")
        }
        guard let found = try await store.outputs(of: id, tenant: tenant, name: name) else {
            throw EngineError(.notFound, "there is no such job")
        }
        guard found.state.isTerminal else {
            throw EngineError(.notFinished, "the job has not ended yet: it is \(found.state.rawValue)")
        }
        return found
    }
}
