import Foundation

extension EnvironmentStore {
    /// What a tenant has: environments that are ready, being built, and those that could not be, used last first.
    package func status(of tenant: TenantID) -> [EnvironmentStatus] {
        let name = tenant.description
        return state.withLock { state in
            let ready = state.current.values.map { EnvironmentStatus($0, isReplaced: false) }
            let replaced = state.replaced.values.map { EnvironmentStatus($0, isReplaced: true) }
            let mine = Set(
                (Array(state.current.values) + Array(state.replaced.values)).filter { $0.tenant == name }.map(\.id))
            var all = (ready + replaced).filter { mine.contains($0.id) }
            for (key, build) in state.builds where build.need.tenant == tenant {
                all.append(Self.status(key, build.key, build.need, .building, build.startedAt, build.log.text))
            }
            for (key, failure) in state.failures where failure.need.tenant == tenant && state.builds[key] == nil {
                var status = Self.status(
                    key, failure.key, failure.need, .failed, failure.date, failure.log)
                status.error = failure.error.message
                all.append(status)
            }
            return all.sorted { ($0.lastUsedAt ?? $0.createdAt, $0.id) > ($1.lastUsedAt ?? $1.createdAt, $1.id) }
        }
    }

    /// The key of what a need names, before anything is built; nil when its runtime installs nothing.
    package func keyText(of need: EnvironmentNeed) -> String? {
        state.withLock { key(of: need, &$0)?.text }
    }

    private static func status(
        _ id: String, _ key: EnvironmentKey, _ need: EnvironmentNeed, _ state: EnvironmentStatus.State, _ date: Date,
        _ log: String
    ) -> EnvironmentStatus {
        var status = EnvironmentStatus(
            id: id, key: id, state: state, requirements: key.requirements, runtime: need.runtime,
            image: need.image.reference, createdAt: date)
        status.project = need.project?.path
        status.log = log
        return status
    }
}
