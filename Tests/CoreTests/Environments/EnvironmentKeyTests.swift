import SlipwayCore
import Testing

@Suite("Keys of environments")
struct EnvironmentKeyTests {
    static let options = EnvironmentOptions(
        configuration: Configuration(), dataFolder: "/nowhere", engineID: "e", environment: [:])

    static func need(_ requirements: [String] = ["numpy"], tenant: String = "a") throws -> EnvironmentNeed {
        EnvironmentNeed(
            tenant: try #require(TenantID(tenant)), runtime: "docker",
            image: ResolvedImage(reference: "i", digest: "sha256:1"), requirements: requirements,
            needsCloudpickle: false)
    }

    static func key(
        _ need: EnvironmentNeed, identity: String = "sha256:1", options: EnvironmentOptions = options
    ) -> String {
        EnvironmentKey(need, identity: identity, options: options).text
    }

    @Test("a key is 24 hexadecimal digits, the same for the same need")
    func shape() throws {
        let key = Self.key(try Self.need())
        #expect(key.utf8.count == 24)
        #expect(key.allSatisfy { $0.isHexDigit && !$0.isUppercase })
        #expect(key == Self.key(try Self.need()))
        #expect(Self.key(try Self.need(["b", "a>=1,<2"])) == Self.key(try Self.need(["A <2, >=1", "B"])))
    }

    @Test("everything that changes what is installed changes the key")
    func parts() throws {
        let need = try Self.need()
        var other = need
        other.runtime = "process"
        var index = Self.options
        index.indexURL = "https://index.example"
        var extra = Self.options
        extra.extraIndexURLs = ["https://index.example"]
        var links = Self.options
        links.findLinks = ["https://index.example"]
        var own = need
        own.indexURL = "https://other.example"
        var tree = need
        tree.project = ProjectTree(path: "/a", digest: "1")
        var changed = need
        changed.project = ProjectTree(path: "/a", digest: "2")
        var moved = need
        moved.project = ProjectTree(path: "/b", digest: "1")
        let keys = [
            Self.key(need), Self.key(try Self.need(tenant: "b")), Self.key(other),
            Self.key(need, identity: "sha256:2"), Self.key(try Self.need(["numpy", "scipy"])),
            Self.key(need.withCloudpickle), Self.key(need, options: index), Self.key(need, options: extra),
            Self.key(need, options: links), Self.key(own), Self.key(tree), Self.key(changed), Self.key(moved),
        ]
        #expect(Set(keys).count == keys.count)
    }

    @Test("neighbouring values cannot be shifted into one another")
    func separation() throws {
        #expect(Self.key(try Self.need(["ab", "c"])) != Self.key(try Self.need(["a", "bc"])))
        var first = Self.options
        first.indexURL = "https://i"
        var second = Self.options
        second.extraIndexURLs = ["https://i"]
        #expect(Self.key(try Self.need(), options: first) != Self.key(try Self.need(), options: second))
    }

    @Test("cloudpickle comes along within the configured versions, unless the job names one itself")
    func cloudpickle() throws {
        let plain = EnvironmentKey(try Self.need([]).withCloudpickle, identity: "x", options: Self.options)
        #expect(plain.requirements == ["cloudpickle" + Configuration().environments.cloudpickle])
        #expect(!plain.isOpen)
        let own = EnvironmentKey(
            try Self.need(["CloudPickle==2.2.1"]).withCloudpickle, identity: "x", options: Self.options)
        #expect(own.requirements == ["cloudpickle==2.2.1"])
        var options = Self.options
        options.cloudpickle = "==3.0.0"
        #expect(
            Self.key(try Self.need([]).withCloudpickle) != Self.key(try Self.need([]).withCloudpickle, options: options)
        )
    }

    @Test("an index that a job names is as good as the configured one")
    func jobIndex() throws {
        var options = Self.options
        options.indexURL = "https://index.example"
        var need = try Self.need()
        need.indexURL = "https://index.example"
        #expect(Self.key(need) == Self.key(try Self.need(), options: options))
    }

    @Test("with hashes, what the engine adds stands apart")
    func hashes() throws {
        let hash = "--hash=sha256:" + String(repeating: "a", count: 64)
        let hashed = EnvironmentKey(
            try Self.need(["numpy==2.0 \(hash)"]).withCloudpickle, identity: "x", options: Self.options)
        #expect(hashed.isHashed)
        #expect(!hashed.isOpen)
        #expect(hashed.requirements.count == 2)
        let plain = EnvironmentKey(try Self.need(["numpy==2.0"]).withCloudpickle, identity: "x", options: Self.options)
        #expect(!plain.isHashed)
        #expect(plain.text != hashed.text)
    }

    @Test("an environment is open when a requirement is")
    func openness() throws {
        #expect(!EnvironmentKey(try Self.need(["a==1"]), identity: "x", options: Self.options).isOpen)
        #expect(EnvironmentKey(try Self.need(["a==1", "b>=2"]), identity: "x", options: Self.options).isOpen)
    }
}
