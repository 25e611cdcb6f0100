import Foundation

extension EnvironmentStore {
    /// How long an old environment goes on serving when its ranges could not be resolved again.
    private static let extensionSeconds = 600.0

    /// Waits for a build, and starts it when nobody did.
    func join(
        _ key: EnvironmentKey, _ need: EnvironmentNeed, _ groupID: Int, _ waiter: Int,
        _ continuation: CheckedContinuation<String, any Error>
    ) {
        let outcome: Result<String, EngineError>? = state.withLock { state in
            if state.isClosed { return .failure(EngineError(.draining, "the engine is shutting down")) }
            if state.builds[key.text] != nil {
                state.builds[key.text]?.waiters[waiter] = continuation
                return nil
            }
            if let failure = state.failures[key.text], failure.at.duration(to: .now) < options.failureMemory {
                return .failure(failure.error)
            }
            state.failures[key.text] = nil
            var build = Build()
            build.waiters[waiter] = continuation
            build.task = Task { await self.run(key, need, groupID) }
            state.builds[key.text] = build
            return nil
        }
        if let outcome { continuation.resume(with: outcome) }
    }

    /// Stops waiting; the build goes on for the others, and for those who come later.
    func leave(_ key: EnvironmentKey, _ waiter: Int) {
        let continuation = state.withLock { $0.builds[key.text]?.waiters.removeValue(forKey: waiter) }
        continuation?.resume(throwing: EngineError(.cancelled, "no longer waiting for the environment"))
    }

    private func run(_ key: EnvironmentKey, _ need: EnvironmentNeed, _ groupID: Int) async {
        await enter()
        let outcome: Result<String, EngineError>
        do {
            outcome = .success(try await install(key, need, groupID))
        } catch {
            outcome = failed(key, error)
        }
        exit()
        let waiters = state.withLock { $0.builds.removeValue(forKey: key.text)?.waiters ?? [:] }
        for waiter in waiters.values { waiter.resume(with: outcome) }
    }

    private func install(_ key: EnvironmentKey, _ need: EnvironmentNeed, _ groupID: Int) async throws -> String {
        if state.withLock({ $0.isClosed }) { throw EngineError(.draining, "the engine is shutting down") }
        guard let builder = builders[need.runtime] else {
            throw EngineError(.dependency, "the runtime \(need.runtime) installs no requirements")
        }
        let id = state.withLock { Self.freeName(for: key.text, $0) }
        let draft = "\(id).tmp-\(UUID().uuidString.lowercased().prefix(8))"
        let target = "\(folder.path)/\(draft)"
        if FileManager.default.fileExists(atPath: "\(folder.path)/\(id)") {
            // No manifest names it, so a crash left it.
            await discard([id])
        }
        do {
            let started = ContinuousClock.now
            try FileManager.default.createDirectory(
                atPath: target, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
            let work = try DockerEnvironmentBuilder.makeWork(below: options.workFolder)
            // Only a few small files; what stays is removed at the next start.
            defer { try? FileManager.default.removeItem(atPath: work) }
            let result = try await builder.build(
                BuildOrder(
                    tenant: need.tenant, image: need.image, requirements: key.requirements, groupID: groupID,
                    target: target, work: work))
            let manifest = EnvironmentManifest(
                id: id, key: key.text, engine: options.engineID, tenant: need.tenant.description,
                runtime: need.runtime, image: need.image.reference, imageDigest: need.image.digest,
                groupID: groupID, requirements: key.requirements, versions: result.versions ?? [:],
                isOpen: key.isOpen, createdAt: Date(), lastUsedAt: Date(), bytes: result.bytes ?? 0,
                buildSeconds: started.duration(to: .now).seconds, log: String((result.log ?? "").suffix(16_384)))
            try await folder.publish(draft, as: manifest)
            publish(manifest)
            return id
        } catch {
            await discard([draft, id])
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

    private func failed(_ key: EnvironmentKey, _ error: any Error) -> Result<String, EngineError> {
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
            if let old = state.current[key.text], !state.isClosed {
                state.extended[old.id] = Date(timeIntervalSinceNow: Self.extensionSeconds)
                return .success(old.id)
            }
            if failure.code == .dependency {
                if state.failures.count >= 256 { state.failures = [:] }
                state.failures[key.text] = (failure, .now)
            }
            return .failure(failure)
        }
    }

    /// Waits until fewer builds run than may.
    private func enter() async {
        await withCheckedContinuation { continuation in
            let enters = state.withLock { state in
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
