import Foundation
import SlipwayCore

/// Tries the credentials of every configured registry, from where the container engine is.
struct RegistryChecks {
    let client: DockerClient
    let images: Configuration.Images

    func findings() async -> [Finding] {
        guard images.pull != .never else { return [] }
        let directory = RegistryDirectory(images.registries, environment: ProcessInfo.processInfo.environment)
        var findings: [Finding] = []
        for registry in images.registries { findings.append(await finding(registry.host, directory)) }
        return findings
    }

    private func finding(_ host: String, _ directory: RegistryDirectory) async -> Finding {
        let name = "registry \(host)"
        do {
            guard let credentials = try directory.credentials(for: host) else {
                return .warn(name, "no credentials", "add username and password to images.registries")
            }
            try await client.tryCredentials(credentials)
            return .ok(name, "it takes the credentials of \(credentials.username)")
        } catch {
            return .fail(
                name, CommandExit(error)?.message ?? "\(error)",
                "check host, username and password in images.registries, and the engine's way to the registry")
        }
    }
}
