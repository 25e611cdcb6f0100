import Foundation

extension EnvironmentStore {
    /// How long an old environment goes on serving when its ranges could not be resolved again.
    private static let extensionSeconds = 600.0

    /// Waits for a build, and starts it when nobody did.
    func join(
        _ key: EnvironmentKey, _ need: EnvironmentNeed, _ groupID: Int, _ waiter: Waiter
    ) {
        let outcome: Result<String, EngineError>? = state.withLock { state in
            if state.isClosed { return .failure(EngineError(.draining, "the engine is shutting down")) }
            if let build = state.builds[key.text] {
                state.builds[key.text]?.waiters[waiter.number] = waiter.continuation
                if let listener = waiter.listener { build.log.listen(waiter.number, listener) }
                return nil
            }
            if let failure = state.failures[key.text], failure.at.duration(to: .now) < options.failureMemory {
                return .failure(failure.error)
            }
            let log = start(key, need, groupID, &state)
            state.builds[key.text]?.waiters[waiter.number] = waiter.continuation
            if let listener = waiter.listener { log.listen(waiter.number, listener) }
            return nil
        }
        if let outcome { waiter.continuation.resume(with: outcome) }
    }

    /// Starts a build that nobody waits for, unless it runs, is done, or has just failed.
    package func begin(_ need: EnvironmentNeed, groupID: Int) {
        guard installed(need) == nil else { return }
        state.withLock { state in
            guard !state.isClosed, let key = key(of: need, &state), state.builds[key.text] == nil else { return }
            if let failure = state.failures[key.text], failure.at.duration(to: .now) < options.failureMemory { return }
            _ = start(key, need, groupID, &state)
        }
    }

    private func start(
        _ key: EnvironmentKey, _ need: EnvironmentNeed, _ groupID: Int, _ state: inout State
    ) -> BuildLog {
        state.failures[key.text] = nil
        var build = Build(key: key, need: need)
        let log = build.log
        build.task = Task { await self.run(key, need, groupID, log) }
        state.builds[key.text] = build
        return log
    }

    /// Stops waiting; the build goes on for the others, and for those who come later.
    func leave(_ key: EnvironmentKey, _ waiter: Int) {
        let continuation = state.withLock { state in
            state.builds[key.text]?.log.forget(waiter)
            return state.builds[key.text]?.waiters.removeValue(forKey: waiter)
        }
        continuation?.resume(throwing: EngineError(.cancelled, "no longer waiting for the environment"))
    }

    private func run(_ key: EnvironmentKey, _ need: EnvironmentNeed, _ groupID: Int, _ log: BuildLog) async {
        await enter(log)
        let outcome: Result<String, EngineError>
        do {
            outcome = .success(try await install(key, need, groupID, log))
        } catch {
            outcome = failed(key, need, error, log)
        }
        exit()
        let waiters = state.withLock { state in
            if case .success(let id) = outcome { state.handedAt[id] = .now }
            return state.builds.removeValue(forKey: key.text)?.waiters ?? [:]
        }
        for waiter in waiters.values { waiter.resume(with: outcome) }
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
                if state.failures.count >= 256 { state.failures = [:] }
                state.failures[key.text] = Failure(key: key, need: need, error: failure, log: log.text)
            }
            return .failure(failure)
        }
    }

    /// Waits until fewer builds run than may.
    private func enter(_ log: BuildLog) async {
        await withCheckedContinuation { continuation in
            let enters = state.withLock { state in
                if state.running >= options.buildsMax {
                    log.append("Waiting for \(state.running + state.line.count) other builds\n")
                }
                guard state.running >= options.buildsMax else {
                    state.running += 1
                    return true
                }
                state.line.append(continuation)
                return false
            }
            if enters { continuation.resume() }
        }
    }

    /// Lets the next build run.
    private func exit() {
        let next: CheckedContinuation<Void, Never>? = state.withLock { state in
            guard !state.line.isEmpty else {
                state.running -= 1
                return nil
            }
            return state.line.removeFirst()
        }
        next?.resume()
    }

    /// A folder that was used is never filled again: sandboxes may still read from it.
    private static func freeName(for key: String, _ state: State) -> String {
        let all = Array(state.current.values) + Array(state.replaced.values)
        let last = all.filter { $0.key == key }.map(\.generation).max() ?? 0
        return last == 0 ? key : "\(key)-\(last + 1)"
    }
}
