import Foundation
import SlipwayCore

/// Looks at the container engine.
struct EngineChecks {
    let client: DockerClient
    let configuration: Configuration

    /// The findings; the first alone when the engine does not answer.
    func findings() async -> [Finding] {
        let version: DockerVersion
        let info: DockerInfo
        do {
            try await client.ping()
            (version, info) = (try await client.version(), try await client.info())
        } catch {
            let reason = CommandExit(error)?.message ?? "\(error)"
            return [
                .fail(
                    "container engine", reason,
                    "start Docker, or name its address in docker.host or DOCKER_HOST; without one, set "
                        + "runtime.default: process, which is no security boundary")
            ]
        }
        return [engine(version)] + [runc(version), containerd(version)].compactMap { $0 }
            + [
                cgroup(info), users(info), await seccomp(info), limits(info), ociRuntime(info, version), await image(),
            ].compactMap { $0 }
    }

    private func engine(_ version: DockerVersion) -> Finding {
        let name = version.isPodman ? "Podman" : "Docker"
        let text = "\(name) \(version.version), API \(version.apiVersion), at \(client.endpoint)"
        guard let api = DockerAPIVersion(version.apiVersion), api >= .oldest else {
            return .fail("container engine", text, "API \(DockerAPIVersion.oldest) is needed: Docker 20.10 or later")
        }
        return .ok("container engine", text)
    }

    private func runc(_ version: DockerVersion) -> Finding? {
        guard let text = version.componentVersion("runc") else { return nil }
        guard let hole = version.runcHole else { return .ok("runc", text) }
        return .warn("runc", hole.text, hole.remedy)
    }

    /// CVE-2024-25621: folders of containerd that other users of the host can enter.
    private func containerd(_ version: DockerVersion) -> Finding? {
        guard let text = version.componentVersion("containerd") else { return nil }
        let floor = [
            ReleaseNumber(1, 7, 29), ReleaseNumber(2, 0, 7), ReleaseNumber(2, 1, 5), ReleaseNumber(2, 2, 0),
        ]
        if let number = ReleaseNumber(text), number.has(fixedIn: floor) { return .ok("containerd", text) }
        return .warn(
            "containerd", "\(text): CVE-2024-25621 (folders that other users of the host can enter) may be open",
            "upgrade containerd to 1.7.29, 2.0.7, 2.1.5 or later, or make sure that the fix was backported")
    }

    private func cgroup(_ info: DockerInfo) -> Finding {
        let text = "version \(info.cgroupVersion ?? "unknown"), driver \(info.cgroupDriver ?? "unknown")"
        guard info.cgroupVersion == "2" else {
            return .warn(
                "cgroups", text,
                "boot with systemd.unified_cgroup_hierarchy=1: limits hold here too, but version 2 accounts memory better"
            )
        }
        return .ok("cgroups", text)
    }

    private func users(_ info: DockerInfo) -> Finding {
        if info.isRootless { return .ok("user namespaces", "the engine runs without root") }
        if info.usesUserNamespaces { return .ok("user namespaces", "root in a container is another user on the host") }
        return .warn(
            "user namespaces", "root in a container is root on the host, with three capabilities left",
            "run a rootless engine, or start it with userns-remap, as one more line of defence")
    }

    private func seccomp(_ info: DockerInfo) async -> Finding {
        let option = info.securityOptions?.first { $0.contains("name=seccomp") }
        guard let option, !option.contains("unconfined") else {
            return .fail(
                "seccomp", option == nil ? "the engine filters no system calls" : "the engine's profile is unconfined",
                "use a kernel and an engine with seccomp, and the engine's default profile")
        }
        if let profile = configuration.sandbox.seccomp { return .ok("seccomp", profile) }
        return await podmanSeccomp() ?? .ok("seccomp", "the engine's default profile")
    }

    /// Podman's default profile lets a container make user namespaces; nil on other engines.
    private func podmanSeccomp() async -> Finding? {
        do {
            guard let podman = try await client.podman() else { return nil }
            var reason = "the engine does not see the folders of this machine"
            if configuration.docker.sharesFolders(with: client.endpoint) {
                switch try await client.narrowedFilter(of: podman) {
                case .narrowed:
                    return .ok("seccomp", "the engine's default profile, without namespaces, mounts and keyrings")
                case .engines(let found): reason = found
                }
            }
            return .warn(
                "seccomp", "the engine's default profile, which lets tasks make user namespaces: \(reason)",
                "name a narrower one as seccomp_profile in the section [containers] of the engine's containers.conf")
        } catch {
            return .fail("seccomp", CommandExit(error)?.message ?? "\(error)", "see the container engine")
        }
    }

    private func limits(_ info: DockerInfo) -> Finding {
        let known = [("memory", info.limitsMemory), ("cpus", info.limitsCPU), ("pids", info.limitsPIDs)]
        let missing = known.filter { $0.1 == false }.map(\.0)
        guard missing.isEmpty else {
            return .fail(
                "limits", "not enforced here: \(missing.joined(separator: ", "))",
                "enable these cgroup controllers in the kernel (for memory: cgroup_enable=memory)")
        }
        guard info.limitsSwap != false else {
            return .warn(
                "limits", "memory, cpus and pids; swap is not limited", "boot with swapaccount=1, or turn swap off")
        }
        return .ok("limits", "memory, swap, cpus and pids")
    }

    private func ociRuntime(_ info: DockerInfo, _ version: DockerVersion) -> Finding? {
        guard let wanted = configuration.runtime.ociRuntime else { return nil }
        guard !version.isPodman else {
            return .fail(
                "OCI runtime", "Podman does not heed \(wanted) on its Docker-compatible socket, so nothing starts",
                "name it as runtime in the section [engine] of its containers.conf, and remove runtime.oci_runtime")
        }
        guard info.runtimeNames.contains(wanted) else {
            return .fail(
                "OCI runtime", "the engine has no '\(wanted)'; it has \(info.runtimeNames.joined(separator: ", "))",
                "install it and add it to the engine's daemon.json, or change runtime.oci_runtime")
        }
        return .ok("OCI runtime", wanted)
    }

    private func image() async -> Finding {
        let name = configuration.sandbox.image
        do {
            guard let details = try await client.inspectImage(name) else {
                if configuration.images.pull != .never, !ImageName(name).isBuiltLocally {
                    return .warn(
                        "base image", "the engine does not have \(name); it will be pulled at the start",
                        "docker pull or load it, so that the first jobs need not wait for it")
                }
                return .fail(
                    "base image", "the engine does not have \(name)",
                    "run `make images` in slipway's source folder, docker pull or load it, or change sandbox.image")
            }
            let python = details.environment.first { $0.hasPrefix("PYTHON_VERSION=") }.map { $0.dropFirst(15) }
            let version = python.map { ", Python \($0)" } ?? ""
            return .ok("base image", "\(name), \(details.architecture)\(version)")
        } catch {
            return .fail("base image", CommandExit(error)?.message ?? "\(error)", "see the container engine")
        }
    }
}
