import Foundation
import SlipwayCore
import Testing

/// The files that are made from the declaration of the keys.
///
/// With `SLIPWAY_TEST_WRITE_REFERENCE=1` in the environment the tests write them anew before they compare.
@Suite(.serialized) struct ConfigurationDefaultsTests {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    static let shipped = root.appending(path: "config.yaml")
    static let reference = root.appending(path: "docs/config.md")
    static let marker = "<!-- The rest is made from the declaration of the keys: edit those instead. -->\n\n"
    static let writes = ProcessInfo.processInfo.environment["SLIPWAY_TEST_WRITE_REFERENCE"] == "1"

    @Test func shippedFileEqualsTheBuiltInDefaults() throws {
        if Self.writes { try Data(ConfigurationReference.yaml().utf8).write(to: Self.shipped) }
        let configuration = try Configuration.load(path: Self.shipped.path, environment: [:])
        #expect(configuration == Configuration())
        #expect(configuration.differences(from: Configuration()) == [])
        #expect(try String(contentsOf: Self.shipped, encoding: .utf8) == ConfigurationReference.yaml())
    }

    @Test func shippedFileHoldsEveryKey() throws {
        let document = YAMLDocument(parsing: try Data(contentsOf: Self.shipped), origin: .file("config.yaml"))
        let root = try #require(document.root)
        let leaves = Configuration.keys.flatMap(\.leaves)
        #expect(leaves.count > 100)
        for leaf in leaves {
            #expect(root.find(leaf.path[...]) != nil, "\(leaf.path.joined(separator: ".")) is missing")
        }
    }

    @Test func shippedFileLeavesTheDockerVariablesInForce() throws {
        let variables = ["DOCKER_MEM_LIMIT": "2g", "DOCKER_CPU_LIMIT": "2.0", "DOCKER_HOST": "tcp://engine:2376"]
        let configuration = try Configuration.load(path: Self.shipped.path, environment: variables)
        #expect(configuration.sandbox.memoryBytes == 2 << 30)
        #expect(configuration.sandbox.cpus == 2)
        #expect(configuration.docker.host == "tcp://engine:2376")
    }

    @Test func everyKeyIsDocumented() throws {
        var text = try String(contentsOf: Self.reference, encoding: .utf8)
        let marker = try #require(text.range(of: Self.marker))
        if Self.writes {
            text.replaceSubrange(marker.upperBound..., with: ConfigurationReference.markdown())
            try Data(text.utf8).write(to: Self.reference)
        }
        for leaf in Configuration.keys.flatMap(\.leaves) {
            let path = leaf.path.joined(separator: ".")
            #expect(text.contains("# `\(path)`") || text.contains("## \(path)\n"), "\(path) is not documented")
            #expect(text.contains("`\(leaf.variable)`"), "\(leaf.variable) is not documented")
            #expect(
                !leaf.about.isEmpty && !leaf.tune.isEmpty, "\(path) does not say what it means and when to change it")
        }
        let made = try #require(text.range(of: Self.marker))
        #expect(String(text[made.upperBound...]) == ConfigurationReference.markdown())
    }

    @Test func variablesAreDistinct() {
        let variables = Configuration.keys.flatMap(\.leaves).map(\.variable)
        #expect(Set(variables).count == variables.count)
        #expect(variables.contains("SLIPWAY_POOLS_DEFAULTS_MIN_IDLE"))
    }

    @Test func defaultsFitTogether() throws {
        #expect(try Configuration.load(yaml: "") == Configuration())
        #expect(try Configuration.load(yaml: "# nothing but a comment\n") == Configuration())
        #expect(try Configuration.load(yaml: "gateway:\n  # port: 1\nlimits:\n") == Configuration())
    }

    @Test func aFewDefaultsAreWhatTheContractSays() {
        let configuration = Configuration()
        #expect(configuration.gateway.requestLineMaxBytes == 8192)
        #expect(configuration.gateway.headerCountMax == 100)
        #expect(configuration.gateway.headerBytesMax == 16_384)
        #expect(configuration.gateway.headerTimeout == .seconds(10))
        #expect(configuration.gateway.jsonBodyMaxBytes == 1 << 20)
        #expect(configuration.gateway.jsonDepthMax == 32)
        #expect(configuration.jobs.payloadEncodedMaxBytes == 64 << 20)
        #expect(configuration.jobs.payloadInflatedMaxBytes == 256 << 20)
        #expect(configuration.jobs.resultLimitBytes == 64 << 20)
        #expect(configuration.jobs.logLimitBytes == 1 << 20)
        #expect(configuration.jobs.queueMax == 100_000)
        #expect(configuration.jobs.batchMax == 1000)
        #expect(configuration.gateway.submitRate == 6000)
        #expect(configuration.data.retention == .seconds(7 * 86_400))
        #expect(configuration.data.idempotencyRetention == .seconds(86_400))
        #expect(configuration.sandbox.userRange.first + configuration.sandbox.userRange.count <= 65_536)
        #expect(configuration.sandbox.groupRange.first + configuration.sandbox.groupRange.count <= 65_536)
    }
}
