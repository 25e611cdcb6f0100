import ArgumentParser
import Foundation
import SlipwayCore

/// Checks what the engine needs.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check the container engine and this machine, each with a verdict and the remedy.",
        discussion: "Ends with 1 when a check fails; warnings do not count.")

    @OptionGroup var common: CommonOptions

    @Flag(name: .long, help: "Start one sandbox too, and say what it has.")
    var deep = false

    func run() async throws {
        let findings = await findings()
        let worst = findings.map(\.verdict).max() ?? .ok
        if common.json {
            let value: JSONValue = [
                "verdict": .string(worst.rawValue), "checks": .array(findings.map(\.json)),
            ]
            try Console.json(value.serialized())
        } else {
            for finding in findings { try Console.out(finding.text) }
        }
        if worst == .fail { throw CommandExit(CommandExit.failed) }
    }

    private func findings() async -> [Finding] {
        let settings: Configuration
        do {
            settings = try common.configuration()
        } catch {
            return [
                .fail(
                    "configuration", (CommandExit(error)?.message ?? "\(error)").replacing("\n", with: "; "),
                    "run `slipway config check`")
            ]
        }
        var findings: [Finding] = [.ok("configuration", common.configurationPath ?? "the defaults")]
        findings += await engineFindings(settings)
        findings += HostChecks(configuration: settings).findings()
        findings += await NetworkChecks(configuration: settings).findings()
        if deep {
            let logger = common.logger(settings, level: .critical)
            findings.append(await SandboxCheck(configuration: settings, logger: logger).finding())
        }
        return findings
    }

    private func engineFindings(_ settings: Configuration) async -> [Finding] {
        let boundary = "tasks run as local processes, which is no security boundary"
        if settings.runtime.default == .process {
            return [.warn("runtime", boundary, "set runtime.default: docker where a container engine can be had")]
        }
        do {
            let environment = ProcessInfo.processInfo.environment
            let endpoint = try DockerEndpoint.resolve(settings.docker, environment: environment)
            if case .unix(let path) = endpoint.address, settings.runtime.default == .auto, settings.docker.host == nil,
                environment["DOCKER_HOST"] == nil, !FileManager.default.fileExists(atPath: path)
            {
                return [
                    .warn("runtime", "no container engine is here: \(boundary)", "start Docker, or set DOCKER_HOST")
                ]
            }
            var options = DockerClient.Options()
            options.retryBudget = .seconds(2)
            let client = DockerClient(endpoint: endpoint, options: options)
            var findings = await EngineChecks(client: client, configuration: settings).findings()
            // What follows needs an engine that answers.
            if findings.first?.verdict != .fail {
                findings += await RegistryChecks(client: client, images: settings.images).findings()
            }
            await client.shutdown()
            return findings + TransportChecks(endpoint: endpoint, settings: settings.docker).findings()
        } catch {
            return [.fail("container engine", CommandExit(error)?.message ?? "\(error)", "change docker.host")]
        }
    }
}
