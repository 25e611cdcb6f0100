import Foundation
import Logging
import NIOPosix

/// Puts an engine together from its configuration.
struct EngineAssembly {
    let configuration: Configuration
    let handlers: [any TaskHandler]
    let logger: Logger
    let environment: [String: String]

    /// Makes every part; the first that cannot be made ends it.
    func parts(executor: LoopExecutor, offload: NIOThreadPool) async throws -> EngineParts {
        let folders = try EngineFolders(configuration: configuration, environment: environment)
        let artifacts = try ArtifactStore(options: .init(folder: folders.artifacts.path))
        let store = try JobStore(options: storeOptions(folders), artifacts: artifacts)
        do {
            return try await parts(folders, store, artifacts, executor: executor, offload: offload)
        } catch {
            // Its threads must not work on beside whoever tries again.
            store.close()
            throw error
        }
    }

    private func parts(
        _ folders: EngineFolders, _ store: JobStore, _ artifacts: ArtifactStore, executor: LoopExecutor,
        offload: NIOThreadPool
    ) async throws -> EngineParts {
        let engineID = try engineID(in: store)
        let runner = try RunnerFiles.install(below: folders.data.appendingPathComponent("runner")).path
        do {
            try RunnerByteCode.removeDrafts(in: folders.data.appendingPathComponent("runner").path)
        } catch {
            logger.warning("leftovers of the runner could not be removed", metadata: ["reason": "\(error)"])
        }
        var runtimes: [String: any SandboxRuntime] = [:]
        var mps = MPSService(configuration.gpus.mps, environment: environment)
        let choice = try chooseRuntime()
        let client = choice == "docker" ? try dockerClient(folders) : nil
        let networks = client.flatMap { egressNetworks($0, engineID) }
        let environments = try await environmentStore(
            folders, engineID: engineID, client: client, networks: networks)
        if let client {
            var options = DockerRuntime.Options(
                engineID: engineID, runnerFolder: runner, environmentsFolder: environments.rootFolder,
                heartbeatSeconds: configuration.runner.heartbeat.seconds,
                reconnectSeconds: configuration.runner.redial.seconds, seccompProfile: try seccompProfile())
            options.hugePages = configuration.runner.hugePages
            options.ociRuntime = configuration.runtime.ociRuntime
            options.oomScoreAdjustment = configuration.sandbox.oomScoreAdj
            options.transport = configuration.docker.supervisorTransport(to: client.endpoint)
            options.sharesFolders = configuration.docker.sharesFolders(with: client.endpoint)
            options.nameServers = configuration.network.egress.dns
            options.offersEgress = offersEgress
            options.hostPorts = configuration.network.hostPorts.map(\.port)
            options.hostConnections = configuration.network.hostConnections
            options.mounts = mountPolicy(folders, client.endpoint)
            options.registries = RegistryGuard(
                patterns: configuration.sandbox.imageAllow, registries: configuration.images.registries.map(\.host))
            if mps != nil, !options.sharesFolders {
                logger.warning("gpus.mps is not used: the container engine cannot mount folders of this machine")
                mps = nil
            }
            options.mps = mps
            let puller = ImagePuller(
                client: client, options: .init(configuration.images),
                registries: RegistryDirectory(configuration.images.registries, environment: environment), logger: logger
            )
            runtimes["docker"] = DockerRuntime(
                client: client, options: options, networks: networks, puller: puller, logger: logger)
        } else {
            // Only where it is the engine's own runtime: beside containers, a caller could leave them by naming it.
            var options = ProcessRuntime.Options(
                python: configuration.runtime.python, runnerFolder: runner,
                heartbeatSeconds: configuration.runner.heartbeat.seconds,
                reconnectSeconds: configuration.runner.redial.seconds)
            options.hugePages = configuration.runner.hugePages
            runtimes["process"] = ProcessRuntime(options: options, folder: folders.sandboxes.path, logger: logger)
            logger.warning(
                "no container engine is used: tasks run as local processes, which is no security boundary")
        }
        let named = Dictionary(handlers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let secrets = SecretDirectory(configuration.secrets, environment: environment)
        return EngineParts(
            executor: executor, configuration: configuration, store: store, artifacts: artifacts,
            runtimes: runtimes, defaultRuntime: choice, environments: environments, client: client, handlers: named,
            secrets: secrets,
            validator: RequestChecker(
                configuration: configuration, handlers: Array(named.keys), runtimes: Array(runtimes.keys),
                secrets: secrets),
            policy: PoolRules.table(configuration.pools), logger: logger, folders: folders, offload: offload,
            nvidia: NvidiaSMI(environment: environment), mps: mps)
    }

    /// The changes that may wait for the job store, all tenants' together: `jobs.queue_max` is for each.
    private static let writesMax = 100_000

    private func storeOptions(_ folders: EngineFolders) -> JobStore.Options {
        var options = JobStore.Options(
            path: folders.data.appendingPathComponent("jobs.sqlite").path,
            busyTimeoutMilliseconds: Int(configuration.store.busyTimeout.seconds * 1000),
            walBytes: configuration.store.walPrewarmBytes, commitBatchMax: configuration.store.commitBatchMax,
            queueMax: max(configuration.jobs.queueMax, Self.writesMax), readers: 4,
            flushIntervalMilliseconds: Int(configuration.store.flushInterval.seconds * 1000),
            flushDelayMilliseconds: Int(configuration.store.flushDelay.seconds * 1000),
            flushBatch: configuration.store.flushBatch, checkLimitBytes: 64 << 20)
        options.isUrgent = configuration.store.realtime
        return options
    }

    private func dockerClient(_ folders: EngineFolders) throws -> DockerClient {
        let endpoint = try endpoint()
        var options = DockerClient.Options()
        if configuration.docker.sharesFolders(with: endpoint) {
            options.seccompFolder = folders.data.appendingPathComponent("seccomp").path
        }
        options.timeouts = CurlTimeouts(
            connect: configuration.docker.connectTimeout, total: configuration.docker.requestTimeout)
        options.retry = RetryPolicy(
            maxAttempts: configuration.docker.retries + 1, baseDelay: configuration.docker.retryBase)
        options.circuit = CircuitBreaker(
            failureThreshold: configuration.docker.circuitFailures,
            initialCooldown: configuration.docker.circuitCooldown,
            maximumCooldown: configuration.docker.circuitCooldown)
        options.maxRemovals = configuration.docker.removingMax
        return DockerClient(endpoint: endpoint, options: options)
    }

    private func endpoint() throws -> DockerEndpoint {
        try DockerEndpoint.resolve(configuration.docker, environment: environment)
    }

    /// `auto` takes Docker where its socket is, whether it answers at this moment or not: a job must not lose its
    /// isolation because an engine restarts.
    private func chooseRuntime() throws -> String {
        switch configuration.runtime.default {
        case .docker: return "docker"
        case .process: return "process"
        case .auto:
            guard case .unix(let path) = try endpoint().address else { return "docker" }
            let isNamed = configuration.docker.host != nil || environment["DOCKER_HOST"] != nil
            return isNamed || FileManager.default.fileExists(atPath: path) ? "docker" : "process"
        }
    }

    /// Whether some job could ask for the mode `egress`.
    private var offersEgress: Bool {
        configuration.network.modes(besides: configuration.sandbox.network).contains(.egress)
    }

    /// The networks of the mode `egress`, where jobs or builders could be in one.
    private func egressNetworks(_ client: DockerClient, _ engineID: String) -> EgressNetworks? {
        guard offersEgress || configuration.environments.network == DockerEnvironmentBuilder.egress else { return nil }
        return EgressNetworks(
            client: client, engineID: engineID, settings: configuration.network.egress, logger: logger)
    }

    /// What jobs may mount; nil where the container engine's folders are not those of this machine.
    private func mountPolicy(_ folders: EngineFolders, _ endpoint: DockerEndpoint) -> MountPolicy? {
        guard configuration.docker.sharesFolders(with: endpoint) else { return nil }
        var protected = [folders.data.path, folders.artifacts.path, folders.sandboxes.path]
        if case .unix(let socket) = endpoint.address { protected.append(socket) }
        return MountPolicy(
            allow: configuration.sandbox.mountAllow, writable: configuration.sandbox.mountWritable,
            protected: protected)
    }

    func seccompProfile() throws -> String? {
        guard let path = configuration.sandbox.seccomp else { return nil }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw EngineError(.configuration, "sandbox.seccomp: cannot read \(path)")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// The engine's identifier belongs to its data folder: only its own leftovers are ever removed.
    private func engineID(in store: JobStore) throws -> String {
        if let known = try store.metaBlocking("engine_id") { return known }
        let made = UUID().uuidString.lowercased()
        try store.performBlocking(.setMeta(key: "engine_id", value: made))
        return made
    }
}

extension PoolRules {
    /// The rules of each class of sandboxes as the configuration has them.
    static func table(_ pools: Configuration.Pools) -> @Sendable (SandboxClass) -> PoolRules {
        { sandboxClass in
            let policy = pools.policy(of: sandboxClass).policy
            return PoolRules(
                minIdle: policy.minIdle, max: policy.max, idleTTL: policy.idleTTL.seconds, maxUses: policy.maxUses,
                maxAge: policy.maxAge.seconds,
                onExhausted: .init(rawValue: policy.onExhausted.rawValue) ?? .queue,
                startBackoff: policy.startBackoff.seconds, startBackoffMax: policy.startBackoffMax.seconds,
                startingMax: pools.startingMax,
                // Local processes cannot be frozen.
                pauseAfter: sandboxClass.runtime == SandboxClass.processRuntime
                    ? 0 : policy.pauseAfter?.seconds ?? 0)
        }
    }
}
