import Foundation

/// The filter of system calls that containers get on a Podman engine.
package enum PodmanFilter<Narrowed: Sendable>: Sendable {
    /// The engine's own, narrowed.
    case narrowed(Narrowed)
    /// The engine's own, and why it stays as it is.
    case engines(reason: String)
}

extension DockerClient {
    /// What a container is made with on Podman.
    ///
    /// Podman reads filters of system calls from files of its machine, where Docker takes their text. Its default one
    /// lets a container make user namespaces, in which it has every capability, so that one is narrowed.
    ///
    /// - Throws: `EngineError` for what Podman would take and ignore, and for a filter that it cannot be given.
    func adapted(_ spec: ContainerSpec, to podman: PodmanRelease) async throws -> ContainerSpec {
        var spec = try spec.adaptedToPodman()
        let prefix = "seccomp="
        if let index = spec.securityOptions.firstIndex(where: { $0.hasPrefix(prefix) }) {
            guard let folder = options.seccompFolder else {
                throw EngineError(
                    .startFailed,
                    "Podman reads seccomp profiles from files, and this engine does not see those of this machine: "
                        + "name the profile as seccomp_profile in the section [containers] of its containers.conf, and "
                        + "remove sandbox.seccomp")
            }
            let text = Array(spec.securityOptions[index].dropFirst(prefix.count).utf8)
            spec.securityOptions[index] = prefix + (try Self.write(text, to: folder, "given.json"))
        } else if case .narrowed(let path) = try await podmanFilter({ try await filterFile(of: podman) }) {
            spec.securityOptions.append(prefix + path)
        }
        return spec
    }

    /// Why containers have Podman's own filter of system calls; nil where they have a narrower one, and on other engines.
    package func openFilterReason() async throws -> String? {
        guard let podman = try await podman(),
            case .engines(let reason) = try await podmanFilter({ try await filterFile(of: podman) })
        else { return nil }
        return reason
    }

    /// Reads the engine's own filter, which lies in a file of its machine, and narrows it.
    package func narrowedFilter(of podman: PodmanRelease) async throws -> PodmanFilter<[UInt8]> {
        var call = DockerCall(action: "describe itself", path: podman.path("/info"), retry: .always)
        call.isVersioned = true
        let path = try await decode(PodmanInfo.self, call).host?.security?.profile ?? ""
        guard !path.isEmpty else { return .engines(reason: "the engine does not say where it is") }
        guard let text = FileManager.default.contents(atPath: path) else {
            return .engines(reason: "\(path) cannot be read")
        }
        do {
            return .narrowed(try SeccompProfile(Array(text)).withoutNamespaces())
        } catch let error as EngineError {
            return .engines(reason: "\(path) cannot be narrowed: \(error.message)")
        }
    }

    private func filterFile(of podman: PodmanRelease) async throws -> PodmanFilter<String> {
        guard let folder = options.seccompFolder else {
            return .engines(reason: "the engine does not see the folders of this machine")
        }
        switch try await narrowedFilter(of: podman) {
        case .narrowed(let text): return .narrowed(try Self.write(text, to: folder, "engine.json"))
        case .engines(let reason): return .engines(reason: reason)
        }
    }

    /// Writes a file that the engine reads; a reader sees the whole of it or none.
    private static func write(_ text: [UInt8], to folder: String, _ name: String) throws -> String {
        let path = "\(folder)/\(name)"
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try Data(text).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw EngineError(.storage, "the seccomp profile \(path) cannot be written", cause: error)
        }
        return path
    }

    /// `POST /libpod/containers/{id}/update`: changes a container's limits on Podman.
    func updateContainer(_ id: String, _ update: ResourceUpdate, of podman: PodmanRelease) async throws {
        var call = try DockerCall(
            action: "change the limits of container \(id)", method: "POST",
            path: podman.path(DockerPath.container(id, "/update")), retry: .whenUnanswered
        ).sending(json: PodmanResources(update))
        call.isVersioned = true
        _ = try await send(call)
    }
}

/// The answer of `GET /libpod/info`, as far as it is used.
private struct PodmanInfo: Decodable, Sendable {
    struct Host: Decodable, Sendable { let security: Security? }

    struct Security: Decodable, Sendable {
        let profile: String?
        enum CodingKeys: String, CodingKey { case profile = "seccompProfilePath" }
    }

    let host: Host?
}

/// Limits in the form of the OCI runtime specification.
private struct PodmanResources: Encodable {
    struct Processors: Encodable {
        let quota: Int64?
        let period: Int64?
        let cpus: String?
    }

    struct Memory: Encodable {
        let limit: Int64?
        let swap: Int64?
    }

    struct Processes: Encodable { let limit: Int64 }

    let cpu: Processors?
    let memory: Memory?
    let pids: Processes?

    init(_ update: DockerClient.ResourceUpdate) {
        let quota = update.nanoCPUs.map { max(1000, $0 * DockerClient.quotaPeriodMicroseconds / 1_000_000_000) }
        cpu =
            quota == nil && update.processors == nil
            ? nil
            : Processors(
                quota: quota, period: quota.map { _ in DockerClient.quotaPeriodMicroseconds }, cpus: update.processors)
        memory =
            update.memoryBytes == nil && update.memorySwapBytes == nil
            ? nil : Memory(limit: update.memoryBytes, swap: update.memorySwapBytes)
        pids = update.processLimit.map(Processes.init)
    }
}

extension DockerClient {
    /// The time in which a container may use its part of the processors once.
    fileprivate static let quotaPeriodMicroseconds: Int64 = 100_000
}
