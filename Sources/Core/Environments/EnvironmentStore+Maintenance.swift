import Foundation

extension EnvironmentStore {
    /// Everything that is installed, used last first.
    package func list() -> [EnvironmentManifest] {
        state.withLock { Array($0.current.values) + Array($0.replaced.values) }
            .sorted { ($0.lastUsedAt, $0.id) > ($1.lastUsedAt, $1.id) }
    }

    /// Removes what earlier builds left behind: containers of this engine, half environments, forgotten folders; and
    /// seals anew what earlier versions sealed otherwise.
    ///
    /// - Throws: what a container engine that does not answer causes; the store can be used all the same, and the next
    ///   call tries again.
    package func reconcile() async throws {
        for builder in builders.values { try await builder.reconcile() }
        await close()
        try await survey()
        let leftovers = state.withLock { state in
            defer { state.leftovers = [] }
            // What was left behind may have been built anew since.
            let all = Array(state.current.values) + Array(state.replaced.values)
            let names = Set(all.map(\.id) + state.builds.keys)
            return state.leftovers.filter { name in
                !names.contains(String(name.hasSuffix(".json") ? name.dropLast(5) : name[...]))
            }
        }
        await discard(leftovers)
        await Task.detached { self.saveLastUses() }.value
    }

    /// Removes environments that were used longest ago.
    ///
    /// - Parameters:
    ///   - olderThan: Removes those that were not used for this long.
    ///   - maxTotalBytes: Removes more until all together are no larger than this.
    ///   - keeping: Never removes these: sandboxes use them.
    /// - Returns: what was removed.
    @discardableResult
    package func prune(
        olderThan: Duration? = nil, maxTotalBytes: Int? = nil, keeping: Set<String> = []
    ) async -> [EnvironmentManifest] {
        let victims = retire(
            Retirement(olderThan: olderThan, maxTotalBytes: maxTotalBytes, handover: .zero), keeping: keeping)
        await discard(victims.map(\.id))
        return victims
    }

    /// Which environments may go.
    package struct Retirement: Sendable {
        /// Only those of this tenant.
        package var tenant: TenantID?
        /// Only these.
        package var ids: Set<String>?
        /// Those that were not used for this long.
        package var olderThan: Duration?
        /// More, until all together are no larger than this.
        package var maxTotalBytes: Int?
        /// None that somebody was given so lately that no sandbox may hold it yet.
        package var handover: Duration

        package init(
            tenant: TenantID? = nil, ids: Set<String>? = nil, olderThan: Duration? = nil, maxTotalBytes: Int? = nil,
            handover: Duration = .seconds(5)
        ) {
            self.tenant = tenant
            self.ids = ids
            self.olderThan = olderThan
            self.maxTotalBytes = maxTotalBytes
            self.handover = handover
        }
    }

    /// Takes environments out of use, at once, so that whoever knows which are used can decide without a gap.
    ///
    /// Their folders stay until `discard` removes them.
    package func retire(_ rule: Retirement, keeping: Set<String>) -> [EnvironmentManifest] {
        state.withLock { state in
            let now = ContinuousClock.now
            state.handedAt = state.handedAt.filter { $0.value.duration(to: now) < max(.seconds(60), rule.handover) }
            let handed = Set(state.handedAt.filter { $0.value.duration(to: now) < rule.handover }.keys)
            let victims = Self.victims(state, rule, keeping.union(handed))
            for victim in victims {
                state.replaced[victim.id] = nil
                state.extended[victim.id] = nil
                if state.current[victim.key]?.id == victim.id { state.current[victim.key] = nil }
            }
            return victims
        }
    }

    /// Whether all environments together are larger than they may be.
    package var isTooLarge: Bool {
        state.withLock { state in
            (Array(state.current.values) + Array(state.replaced.values)).reduce(0) { $0 + $1.bytes }
                > options.maxTotalBytes
        }
    }

    /// Removes folders of the root, and their manifests.
    package func discard(_ names: [String]) async {
        guard !names.isEmpty else { return }
        // The manifest goes first: a folder without one is never used.
        let manifests = names.filter { !$0.hasSuffix(".json") }.map { $0 + ".json" }
        // They have thousands of files each: not on the caller's thread, which may be the loop that serves everybody.
        let folder = folder
        let kept = await Task.detached { folder.remove(manifests + names) }.value
        // In a volume everything is the builder's to remove.
        let stubborn = volumeBuilder == nil ? kept : names.filter { !$0.hasSuffix(".json") }
        guard !stubborn.isEmpty else { return }
        var reason: (any Error)?
        for builder in builders.values {
            do {
                // Even when the build was cancelled.
                try await Task { try await builder.remove(stubborn) }.value
                return
            } catch {
                reason = error
            }
        }
        state.withLock { $0.leftovers += stubborn }
        logger.warning(
            "environments could not be removed",
            metadata: ["environments": "\(stubborn)", "reason": "\(reason.map { "\($0)" } ?? "no builder")"])
    }

    /// Has builders leave to their groups what earlier versions sealed and this user does not own.
    private func close() async {
        let names = state.withLock { state in
            let all = Array(state.current.values) + Array(state.replaced.values)
            state.unclosed.formIntersection(all.map(\.id))
            return state.unclosed.sorted()
        }
        guard !names.isEmpty else { return }
        do {
            for builder in builders.values where builder.sealsForGroups { try await builder.close(names) }
            state.withLock { $0.unclosed.subtract(names) }
        } catch {
            logger.warning(
                "environments of an earlier version are not sealed anew yet, which keeps root in sandboxes out",
                metadata: ["environments": "\(names)", "reason": "\(error)"])
        }
    }

    private static func victims(
        _ state: State, _ rule: Retirement, _ keeping: Set<String>
    ) -> [EnvironmentManifest] {
        let all = (Array(state.current.values) + Array(state.replaced.values)).sorted { $0.lastUsedAt < $1.lastUsedAt }
        var total = all.reduce(0) { $0 + $1.bytes }
        let limit = rule.olderThan.map { Date(timeIntervalSinceNow: -$0.seconds) }
        return all.filter { manifest in
            guard !keeping.contains(manifest.id), state.builds[manifest.key] == nil,
                rule.tenant.map({ $0.description == manifest.tenant }) ?? true,
                rule.ids.map({ $0.contains(manifest.id) }) ?? true
            else { return false }
            let isOld = limit.map { manifest.lastUsedAt <= $0 } ?? false
            let isTooMuch = rule.maxTotalBytes.map { total > $0 } ?? false
            guard isOld || isTooMuch else { return false }
            total -= manifest.bytes
            return true
        }
    }

    private func saveLastUses() {
        for manifest in list() {
            do {
                let saved = try EnvironmentManifest.read(manifest.id, below: folder.manifestPath)
                // To the minute is enough to know which was used longest ago.
                if manifest.lastUsedAt.timeIntervalSince(saved.lastUsedAt) > 60 {
                    try manifest.write(below: folder.manifestPath)
                }
            } catch {
                logger.warning(
                    "a manifest could not be written",
                    metadata: ["environment": "\(manifest.id)", "reason": "\(error)"])
            }
        }
    }
}
