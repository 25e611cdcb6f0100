/// What reading the configuration again changed.
public struct ReloadReport: Sendable, Equatable {
    /// The keys whose new values are in force.
    public var applied: [String]
    /// The keys that differ, and that only a restart changes.
    public var ignored: [String]
}

extension Engine {
    /// Takes over what can be changed while jobs run: the section `pools`.
    ///
    /// Sandboxes of classes that are gone, or made of something else, serve their leases and go. Jobs that wait keep the
    /// class that they were accepted for. Images that a class lacks are pulled after this has returned.
    ///
    /// - Returns: Which keys were applied, and which need a restart.
    @discardableResult
    public func reload(_ configuration: Configuration) async -> ReloadReport {
        await core.reload(configuration)
    }
}

extension EngineCore {
    /// The sections that can be changed while the engine runs.
    private static let reloadable: Set<String> = ["pools"]

    fileprivate func reload(_ wanted: Configuration) async -> ReloadReport {
        do {
            try await awaitRecovery()
        } catch {
            logger.notice("the configuration is read again before the jobs of the last run are taken up")
        }
        let differences = wanted.differences(from: configuration)
        let isReloadable: (String) -> Bool = { key in
            key.split(separator: ".").first.map { Self.reloadable.contains(String($0)) } ?? false
        }
        let report = ReloadReport(
            applied: differences.filter(isReloadable), ignored: differences.filter { !isReloadable($0) })
        for key in report.ignored {
            logger.warning("a changed setting needs a restart", metadata: ["key": "\(key)"])
        }
        guard !report.applied.isEmpty, !isDraining else {
            logger.notice("read the configuration again: no pool changed")
            return report
        }
        configuration.pools = wanted.pools
        logger.notice("took other pools over", metadata: ["keys": "\(report.applied.joined(separator: ", "))"])
        pool.undeclaredMax = configuration.pools.undeclaredMax
        perform(pool.reload(policy: PoolRules.table(configuration.pools), now: poolNow))
        // Images may have to be pulled, for which neither the next change nor the end of the engine may wait.
        spawn { core in
            var missing: Set<String> = []
            _ = await core.declarePools(&missing)
        }
        return report
    }
}
