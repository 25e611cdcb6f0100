extension EngineCore {
    /// Removes the files of an end that the store did not take.
    func discardFiles(of id: JobID, _ ending: Ending, journal: StoredArtifact?) {
        discardFiles(
            of: id, result: ending.kept.map { $0.stored.inline == nil } ?? false,
            journal: journal.map { $0.inline == nil } ?? false,
            outputs: ending.outputs.map { $0.inline == nil } ?? false)
    }

    /// Removes files of an end that the store did not take: a later one of the same attempt, or of a job that is gone.
    ///
    /// What the job's row refers to stays.
    private func discardFiles(of id: JobID, result: Bool, journal: Bool, outputs: Bool) {
        guard result || journal || outputs else { return }
        let (store, artifacts) = (store, artifacts)
        spawn { core in
            do {
                let row = try await store.row(id)
                var kept = false
                if outputs, let tenant = row?.job.tenant {
                    kept = try await store.outputs(of: id, tenant: tenant)?.files.isEmpty == false
                }
                let drop = outputs && !kept
                try await core.offload.runIfActive {
                    if result, row?.result == nil { try artifacts.remove(id, .result) }
                    if journal, row?.journal == nil { try artifacts.remove(id, .journal) }
                    if drop { try artifacts.remove(id, .outputs) }
                }
            } catch {
                core.logger.warning(
                    "files of a refused end could not be removed",
                    metadata: ["job": "\(id)", "reason": "\(error)"])
            }
        }
    }
}
