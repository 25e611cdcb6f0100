import Foundation
import SlipwayCore
import Testing

@Suite struct ConfigurationShowTests {
    private static let rich = """
        data: {directory: "/srv/a b", retention: 90s}
        environments:
          index_url: https://me:pa@ss@index.example/simple?token=abc
          extra_index_urls: ["https://b:c@other.example/simple"]
          find_links: [/wheels]
          ca_bundle: /etc/ca.pem
          cloudpickle: "==3.1.*"
        sandbox: {image_allow: ["a/*", "true", "#x"], memory: 1.5g, tmp: 100000000}
        pools:
          classes:
            - {name: one, image: "a:1", cpus: 0.5, max: 2, on_exhausted: cold}
            - {name: two}
        runner: {kill_grace: 0, heartbeat: 1.5}
        secrets: {A: {env: TOKEN_A}, b.c: {file: "/run/secrets/b"}}
        """

    @Test func shownConfigurationReadsBackTheSame() throws {
        var configuration = try Configuration.load(yaml: Self.rich)
        configuration.environments.indexURL = "https://index.example/simple"
        configuration.environments.extraIndexURLs = []
        for sources in [false, true] {
            let shown = configuration.render(sources: sources)
            #expect(try Configuration.load(yaml: shown) == configuration, "\(shown)")
        }
        #expect(try Configuration.load(yaml: Configuration().render()) == Configuration())
        #expect(configuration.runner.heartbeat == .milliseconds(1500))
        #expect(configuration.runner.killGrace == .zero)
    }

    @Test func secretsAreNotShown() throws {
        let configuration = try Configuration.load(yaml: Self.rich)
        for text in [configuration.render(sources: true), configuration.renderJSON(sources: true)] {
            for secret in ["pa@ss", "ss@", "me:pa", "token", "abc", "b:c"] {
                #expect(!text.contains(secret), "\(secret) is shown")
            }
            #expect(text.contains("https://REDACTED@index.example/simple?REDACTED"))
            #expect(text.contains("TOKEN_A"))
        }
    }

    @Test func sourcesAreShown() throws {
        let configuration = try Configuration.load(
            yaml: "gateway:\n  port: 1234\n", name: "my.yaml",
            environment: ["SLIPWAY_LOG_LEVEL": "error", "DOCKER_CPU_LIMIT": "3"])
        let lines = configuration.render(sources: true).split(separator: "\n")
        #expect(lines.contains("  port: 1234  # my.yaml:2"))
        #expect(lines.contains("  level: error  # $SLIPWAY_LOG_LEVEL"))
        #expect(lines.contains("  cpus: 3.0  # $DOCKER_CPU_LIMIT"))
        #expect(lines.contains("  host: 127.0.0.1"))
        #expect(!configuration.render().contains("#"))
    }

    @Test func jsonIsJSON() throws {
        let configuration = try Configuration.load(yaml: Self.rich)
        let plain = try JSONSerialization.jsonObject(with: Data(configuration.renderJSON().utf8)) as? [String: Any]
        #expect(plain?.count == Configuration.keys.count)
        #expect((plain?["data"] as? [String: Any])?["directory"] as? String == "/srv/a b")
        let text = configuration.renderJSON(sources: true)
        let both = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        let sources = both?["sources"] as? [String: String]
        #expect(sources?["data.directory"] == "config.yaml:1")
        #expect(sources?["log.level"] == "default")
    }

    @Test func differencesNameTheKeys() {
        var changed = Configuration()
        changed.gateway.port = 1
        changed.pools.defaults.max = 8
        #expect(changed.differences(from: Configuration()) == ["pools.defaults.max", "gateway.port"])
        #expect(changed != Configuration())
    }
}
