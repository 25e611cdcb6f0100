import Foundation

extension EnvironmentStore {
    /// How long an old environment goes on serving when its ranges could not be resolved again.
    private static let extensionSeconds = 600.0

    /// Waits for a build, and starts it when nobody did.
    func join(
        _ key: EnvironmentKey, _ need: EnvironmentNeed, _ groupID: Int, _ waiter: Waiter
    ) {
        let refusal: (error: EngineError, log: String)? = state.withLock { state in
            if state.isClosed { return (EngineError(.draining, "the engine is shutting down"), "") }
            if let build = state.builds[key.text] {
                state.builds[key.text]?.waiters[waiter.number] = waiter.continuation
                if let listener = waiter.listener { build.log.listen(waiter.number, listener) }
                return nil
            }
            if let failure = state.failures[key.text], failure.at.duration(to: .now) < options.failureMemory {
                return (failure.error, failure.log)
            }
            let log = start(key, need, groupID, &state)
            state.builds[key.text]?.waiters[waiter.number] = waiter.continuation
            if let listener = waiter.listener { log.listen(waiter.number, listener) }
            return nil
        }
        guard let refusal else { return }
        // What the installer wrote is told to those, too, who only hear that it failed.
        if !refusal.log.isEmpty { waiter.listener?(refusal.log) }
        waiter.continuation.resume(throwing: refusal.error)
    }

    /// Starts a build that nobody waits for, unless it runs, is done, or has just failed.
    package func begin(_ need: EnvironmentNeed, groupID: Int) {
        guard installed(need) == nil else { return }
        state.withLock { state in
            guard !state.isClosed, let key = key(of: need, &state) else { return }
            if state.builds[key.text] == nil {
                if let failure = state.failures[key.text], failure.at.duration(to: .now) < options.failureMemory {
                    return
                }
                _ = start(key, need, groupID, &state)
            }
            state.builds[key.text]?.isOrdered = true
        }
    }

    private func start(
        _ key: EnvironmentKey, _ need: EnvironmentNeed, _ groupID: Int, _ state: inout State
    ) -> BuildLog {
        state.failures[key.text] = nil
        state.nextWaiter += 1
        let number = state.nextWaiter
        var build = Build(number: number, key: key, need: need)
        let log = build.log
        build.task = Task { await self.run(number, key, need, groupID, log) }
        state.builds[key.text] = build
        return log
    }

    /// Stops waiting; the build goes on for the others, and once it has begun for those who come later.
    func leave(_ key: EnvironmentKey, _ waiter: Int) {
        let (continuation, task) = state.withLock { state in
            state.builds[key.text]?.log.forget(waiter)
            let continuation = state.builds[key.text]?.waiters.removeValue(forKey: waiter)
            guard let build = state.builds[key.text], build.waiters.isEmpty, !build.hasBegun, !build.isOrdered else {
                return (continuation, nil as Task<Void, Never>?)
            }
            state.builds[key.text] = nil
            return (continuation, build.task)
        }
        task?.cancel()
        continuation?.resume(throwing: EngineError(.cancelled, "no longer waiting for the environment"))
    }

    private func run(
        _ number: Int, _ key: EnvironmentKey, _ need: EnvironmentNeed, _ groupID: Int, _ log: BuildLog
    ) async {
        let outcome: Result<String, EngineError>
        do {
            let id = try await gate.run(for: need.tenant, waits: { log.append("Waiting for other builds\n") }) {
                try beginTurn(number, key)
                return try await install(key, need, groupID, log)
            }
            outcome = .success(id)
        } catch {
            guard isCurrent(number, key) else { return }
            outcome = failed(key, need, error, log)
        }
        let waiters = state.withLock { state in
            if case .success(let id) = outcome { state.handedAt[id] = .now }
            return state.builds.removeValue(forKey: key.text)?.waiters ?? [:]
        }
        for waiter in waiters.values { waiter.resume(with: outcome) }
    }

    /// Notes that a build has its place; throws when nobody wants it any more.
    private func beginTurn(_ number: Int, _ key: EnvironmentKey) throws {
        try state.withLock { state in
            guard state.builds[key.text]?.number == number else { throw CancellationError() }
            state.builds[key.text]?.hasBegun = true
        }
    }

    /// Whether a build was not given up while it stood in line; another one of its key may be there by then.
    private func isCurrent(_ number: Int, _ key: EnvironmentKey) -> Bool {
        state.withLock { $0.builds[key.text]?.number == number }
    }

    private func install(
        _ key: EnvironmentKey, _ need: EnvironmentNeed, _ groupID: Int, _ log: BuildLog
    ) async throws -> String {
        if state.withLock({ $0.isClosed }) { throw EngineError(.draining, "the engine is shutting down") }
        guard let builder = builders[need.runtime] else {
            throw EngineError(.dependency, "the runtime \(need.runtime) installs no requirements")
        }
        if builder.volume != nil {
            try await survey()
            if let id = installed(need) { return id }
        }
        let id = state.withLock { Self.freeName(for: key.text, $0) }
        let draft = "\(id).tmp-\(UUID().uuidString.lowercased().prefix(8))"
        let target = "\(folder.path)/\(draft)"
        if FileManager.default.fileExists(atPath: "\(folder.path)/\(id)") {
            // No manifest names it, so a crash left it.
            await discard([id])
        }
        var made = builder.volume == nil ? [draft, id] : []
        do {
            let started = ContinuousClock.now
            if builder.volume == nil {
                try FileManager.default.createDirectory(
                    atPath: target, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
            }
            let work = try DockerEnvironmentBuilder.makeWork(below: options.workFolder)
            // Only a few small files; what stays is removed at the next start.
            defer { try? FileManager.default.removeItem(atPath: work) }
            let order = BuildOrder(key, need, id: id, groupID: groupID, target: target, work: work)
            let tail = BuildLogTail(path: "\(work)/\(BuildLogTail.fileName)", log: log)
            let result = try await tail.follow { try await builder.build(order) }
            made = builder.volume == nil ? made : [id]
            if let project = need.project {
                // Somebody may have gone on working: the key would stand for what is not there.
                let now = try await Task.detached { try ProjectTree.read(project.path) }.value
                guard now == project else { throw BuildFailure(.changed, key.requirements).error }
            }
            let manifest = EnvironmentManifest(
                id: id, key: key, need: need, engine: options.engineID, groupID: groupID, result: result,
                buildSeconds: started.duration(to: .now).seconds, volume: builder.volume)
            if builder.volume == nil {
                try await folder.publish(draft, as: manifest)
            } else {
                try await folder.record(manifest)
            }
            publish(manifest)
            log.append("\(manifest.summary)\n")
            return id
        } catch {
            await discard(made)
            throw error
        }
    }

    private func publish(_ manifest: EnvironmentManifest) {
        state.withLock { state in
            if let old = state.current.updateValue(manifest, forKey: manifest.key) {
                state.replaced[old.id] = old
                state.extended[old.id] = nil
            }
        }
        logger.info(
            "environment installed",
            metadata: [
                "environment": "\(manifest.id)", "requirements": "\(manifest.requirements.joined(separator: " "))",
                "seconds": "\((manifest.buildSeconds * 10).rounded() / 10)", "bytes": "\(manifest.bytes)",
            ])
    }

    private func failed(
        _ key: EnvironmentKey, _ need: EnvironmentNeed, _ error: any Error, _ log: BuildLog
    ) -> Result<String, EngineError> {
        let failure =
            error as? EngineError
            ?? (error is CancellationError
                ? EngineError(.draining, "the engine is shutting down")
                : EngineError(.internalFault, "the environment could not be installed", cause: error))
        logger.warning(
            "environment not installed",
            metadata: ["environment": "\(key.text)", "reason": "\(failure.message)"])
        return state.withLock { state in
            // What was installed before is better than nothing when the index is down.
            if let old = state.current[key.text], !state.isClosed, old.volume == nil || state.surveyed != nil {
                state.extended[old.id] = Date(timeIntervalSinceNow: Self.extensionSeconds)
                return .success(old.id)
            }
            if failure.code == .dependency {
                if state.failures.count >= Self.failuresMax, state.failures[key.text] == nil,
                    let oldest = state.failures.min(by: { $0.value.at < $1.value.at })
                {
                    state.failures[oldest.key] = nil
                }
                state.failures[key.text] = Failure(key: key, need: need, error: failure, log: log.text)
            }
            return .failure(failure)
        }
    }

    /// A folder that was used is never filled again: sandboxes may still read from it.
    private static func freeName(for key: String, _ state: State) -> String {
        let all = Array(state.current.values) + Array(state.replaced.values)
        let last = all.filter { $0.key == key }.map(\.generation).max() ?? 0
        return last == 0 ? key : "\(key)-\(last + 1)"
    }
}
