import Foundation
import Logging
import Synchronization

/// Keeps installed environments: builds each once, however many wait, and forgets those that nobody uses.
///
/// On disk an environment is a sealed folder and a manifest, which lies in another folder. A folder has its name only when it is whole and
/// durable, so that no crash leaves half an environment behind that could be used. Where a container engine does not
/// see this machine's folders, the folder is in a volume of that engine, and the manifest here.
package final class EnvironmentStore: EnvironmentProvider {
    /// One build and those who wait for it.
    struct Build {
        let number: Int
        let key: EnvironmentKey
        let need: EnvironmentNeed
        let startedAt = Date()
        let log = BuildLog()
        var waiters: [Int: CheckedContinuation<String, any Error>] = [:]
        var task: Task<Void, Never>?
        /// Whether somebody asked for it who does not wait.
        var isOrdered = false
        /// Whether it has its place; before that it goes with the last one who waits for it.
        var hasBegun = false
    }

    /// Failed builds that are remembered.
    static let failuresMax = 256

    /// A build that failed.
    struct Failure {
        let key: EnvironmentKey
        let need: EnvironmentNeed
        let error: EngineError
        let log: String
        let at = ContinuousClock.now
        let date = Date()
    }

    /// Somebody who waits for a build.
    struct Waiter {
        let number: Int
        let continuation: CheckedContinuation<String, any Error>
        let listener: BuildLog.Listener?
    }

    struct State {
        /// Keys of needs seen lately.
        var keys: [EnvironmentNeed: EnvironmentKey] = [:]
        /// The environment that serves a key.
        var current: [String: EnvironmentManifest] = [:]
        /// Those that another one of the same key replaced.
        var replaced: [String: EnvironmentManifest] = [:]
        /// Until when an environment of open ranges serves although it could not be resolved again.
        var extended: [String: Date] = [:]
        var builds: [String: Build] = [:]
        var failures: [String: Failure] = [:]
        /// When an environment was handed to somebody who has no sandbox yet that holds it.
        var handedAt: [String: ContinuousClock.Instant] = [:]
        var leftovers: [String] = []
        /// Environments whose owner may still read them, and only a builder can change that.
        var unclosed: Set<String> = []
        var nextWaiter = 0
        /// What the volume was when it was last looked through; nil before, and then nothing in it is used.
        var surveyed: String?
        var survey: Task<Void, any Error>?
        var isClosed = false
    }

    /// The host's folder that sandboxes mount.
    package var rootFolder: String { folder.path }

    let options: EnvironmentOptions
    let builders: [String: any EnvironmentBuilder]
    let folder: EnvironmentFolder
    let logger: Logger
    let state: Mutex<State>
    let gate: FairGate

    /// Opens the store and reads what is installed.
    ///
    /// What earlier builds left behind is removed by `reconcile()`.
    ///
    /// - Throws: `.configuration` when the folders cannot be made or read.
    package init(
        options: EnvironmentOptions, builders: [any EnvironmentBuilder], logger: Logger
    ) async throws {
        self.options = options
        self.logger = logger
        gate = FairGate(places: options.buildsMax)
        self.builders = Dictionary(builders.map { ($0.runtime, $0) }, uniquingKeysWith: { first, _ in first })
        folder = try EnvironmentFolder(making: options.rootFolder, manifests: options.manifestFolder)
        var state = State()
        do {
            if FileManager.default.fileExists(atPath: options.workFolder) {
                try FileManager.default.removeItem(atPath: options.workFolder)
            }
            let volumes = self.builders.compactMapValues(\.volume)
            let found = try folder.read(engineID: options.engineID, volumes: volumes)
            state.leftovers = found.leftovers
            let sealing = Set(builders.filter(\.sealsForGroups).map(\.runtime))
            state.unclosed = Set(folder.close(found.manifests.filter { sealing.contains($0.runtime) }.map(\.id)))
            for manifest in found.manifests.sorted(by: { $0.createdAt < $1.createdAt }) {
                if let old = state.current.updateValue(manifest, forKey: manifest.key) { state.replaced[old.id] = old }
            }
        } catch {
            throw EngineError(.configuration, "cannot read the environments in \(options.rootFolder)", cause: error)
        }
        self.state = Mutex(state)
        for builder in builders { await builder.prepare() }
    }

    package func installed(_ need: EnvironmentNeed) -> String? {
        state.withLock { state in
            guard let key = self.key(of: need, &state), let found = state.current[key.text],
                found.volume == nil || state.surveyed != nil, isFresh(found, state)
            else { return nil }
            state.current[key.text]?.lastUsedAt = Date()
            state.handedAt[found.id] = .now
            return found.id
        }
    }

    package func provide(
        _ need: EnvironmentNeed, groupID: Int, listener: BuildLog.Listener?
    ) async throws -> String {
        if let id = installed(need) { return id }
        let waiter = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        let key = try state.withLock { state in
            guard let key = self.key(of: need, &state) else {
                throw EngineError(.dependency, "the runtime \(need.runtime) installs no requirements")
            }
            return key
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                join(key, need, groupID, Waiter(number: waiter, continuation: continuation, listener: listener))
                if Task.isCancelled { leave(key, waiter) }
            }
        } onCancel: {
            leave(key, waiter)
        }
    }

    package func path(of key: String, runtime: String) -> String {
        builders[runtime]?.path(of: key) ?? rootFolder + "/" + key
    }

    /// Ends running builds; those who wait hear that the engine stops.
    package func shutdown() async {
        let tasks = state.withLock { state in
            state.isClosed = true
            return state.builds.values.compactMap(\.task)
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    func key(of need: EnvironmentNeed, _ state: inout State) -> EnvironmentKey? {
        if let known = state.keys[need] { return known }
        guard let builder = builders[need.runtime] else { return nil }
        let key = EnvironmentKey(need, identity: builder.identity(of: need.image), options: options)
        if state.keys.count >= 4096 { state.keys = [:] }
        state.keys[need] = key
        return key
    }

    private func isFresh(_ manifest: EnvironmentManifest, _ state: State) -> Bool {
        guard manifest.isOpen else { return true }
        let now = Date()
        if let extended = state.extended[manifest.id], now < extended { return true }
        return now < manifest.createdAt.addingTimeInterval(options.openRangeTTL.seconds)
    }
}
