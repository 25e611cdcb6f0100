import Foundation
import SlipwayCore

/// Looks at the way to the container engine: addresses, certificates, and what carries the tasks' frames.
struct TransportChecks {
    let endpoint: DockerEndpoint
    let settings: Configuration.Docker

    func findings() -> [Finding] { [connection(), key(), transport()].compactMap { $0 } }

    private func connection() -> Finding? {
        guard !endpoint.isLocal else { return nil }
        guard let tls = endpoint.tls else {
            return .warn(
                "engine connection", "\(endpoint) without TLS: whoever reaches the port is root on its machine",
                "start the engine with --tlsverify and set docker.tls_ca, docker.tls_cert and docker.tls_key, or reach "
                    + "it through a tunnel")
        }
        guard tls.verifiesPeer else {
            return .warn(
                "engine connection", "TLS to \(endpoint), whose certificate is not checked",
                "set DOCKER_TLS_VERIFY=1, or docker.tls_ca")
        }
        guard tls.clientCertificatePath != nil else {
            return .warn(
                "engine connection", "TLS to \(endpoint) without a client certificate",
                "an engine that asks for none gives root to everybody: start it with --tlsverify")
        }
        return .ok("engine connection", "TLS to \(endpoint), both sides checked")
    }

    private func key() -> Finding? {
        guard let path = endpoint.tls?.clientKeyPath else { return nil }
        var status = stat()
        guard stat(path, &status) == 0 else {
            return .fail("engine key", "\(path) cannot be read", "change docker.tls_key or DOCKER_CERT_PATH")
        }
        guard status.st_mode & 0o077 == 0 else {
            return .warn("engine key", "\(path) can be read by other users", "chmod 600 \(path)")
        }
        return .ok("engine key", path)
    }

    private func transport() -> Finding {
        let files = settings.sharesFolders(with: endpoint) ? "folders of this machine" : "volumes of the engine"
        switch settings.supervisorTransport(to: endpoint) {
        case .unix:
            guard endpoint.isLocal else {
                return .warn(
                    "transport", "sockets of this machine, with an engine at \(endpoint); files from \(files)",
                    "right only where that address is this machine; else set docker.transport: attach")
            }
            return .ok("transport", "sockets of this machine; files from \(files)")
        case .attach: return .ok("transport", "the containers' standard input and output; files from \(files)")
        }
    }
}
