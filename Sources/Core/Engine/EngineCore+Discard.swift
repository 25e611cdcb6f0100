extension EngineCore {
    /// Removes files of an end that the store did not take: a later one of the same attempt, or of a job that is gone.
    ///
    /// What the job's row refers to stays.
    func discardFiles(of id: JobID, result: Bool, journal: Bool) {
        guard result || journal else { return }
        let (store, artifacts) = (store, artifacts)
        spawn { core in
            do {
                let row = try await store.row(id)
                try await core.offload.runIfActive {
                    if result, row?.result == nil { try artifacts.remove(id, .result) }
                    if journal, row?.journal == nil { try artifacts.remove(id, .journal) }
                }
            } catch {
                core.logger.warning(
                    "files of a refused end could not be removed",
                    metadata: ["job": "\(id)", "reason": "\(error)"])
            }
        }
    }
}
