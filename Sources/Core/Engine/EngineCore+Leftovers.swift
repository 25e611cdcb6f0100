extension EngineCore {
    /// What a runtime says that does not answer, or no more: another error is about the one sandbox that was asked for.
    private static let silences: Set<EngineError.Code> = [.containerEngineUnavailable, .cancelled, .draining]

    /// Removes sandboxes that nobody needs: an earlier process of this engine started them, or their start came to
    /// nothing.
    ///
    /// One that cannot be removed keeps no other from going. What an earlier process remembered of it stays in the
    /// store, and its users stay its own, until it is gone.
    func removeLeftovers() async {
        for (name, runtime) in runtimes { await removeLeftovers(of: runtime, name) }
        // Nobody can ask for those of a runtime that is configured no more.
        forgetLeftovers { runtimes[$0.runtime] == nil }
        do {
            try await environments?.reconcile()
        } catch {
            logger.warning("leftover builds could not be removed", metadata: ["reason": "\(error)"])
        }
    }

    private func removeLeftovers(of runtime: any SandboxRuntime, _ name: String) async {
        var stayed: Set<String> = []
        do {
            for handle in try await runtime.leftovers() where sandboxes[handle.id] == nil {
                if try await !remove(leftover: handle, of: runtime) { stayed.insert(handle.id.description) }
            }
        } catch {
            noteRuntime(name, fault: (error as? EngineError)?.message ?? "\(error)")
            return
        }
        forgetLeftovers { $0.runtime == name && !stayed.contains($0.id) }
    }

    /// Removes one leftover; false when it stays.
    ///
    /// - Throws: what says that the runtime itself does not answer.
    private func remove(leftover handle: SandboxHandle, of runtime: any SandboxRuntime) async throws -> Bool {
        logger.info("removing a leftover sandbox", metadata: ["sandbox": "\(handle.id)"])
        do {
            try await runtime.destroy(handle)
        } catch let error as EngineError where !Self.silences.contains(error.code) {
            logger.warning(
                "a leftover sandbox could not be removed",
                metadata: [
                    "sandbox": "\(handle.id)", "container": "\(handle.reference)", "reason": "\(error.message)",
                ])
            return false
        }
        folders.removeSandboxFolder(handle.id)
        return true
    }

    /// Forgets sandboxes of an earlier process that are gone, and lets others have their users.
    private func forgetLeftovers(where isGone: (SandboxRecord) -> Bool) {
        let gone = leftovers.filter(isGone)
        guard !gone.isEmpty else { return }
        leftovers.removeAll(where: isGone)
        for record in gone { giveUserIDs(of: record) }
        commit(.removeSandboxes(gone.map(\.id))) { core, result in core.noteFailure(result) }
    }
}
