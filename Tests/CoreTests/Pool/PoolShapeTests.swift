import SlipwayCore
import Testing

/// Which declared class a request runs in.
@Suite struct PoolShapeTests {
    private static let yaml = """
        sandbox: {image: base, cpus: 1, memory: 512m}
        pools:
          classes:
            - {name: large, cpus: 4, memory: 4g}
            - {name: middle, cpus: 2, memory: 1g}
            - {name: numpy, image: example/numpy, memory: 1g, preload: [numpy]}
            - {name: plain, image: example/numpy, memory: 1g}
            - {name: small, image: example/small, memory: 128m}
            - {name: wide, memory: 1g, cpus: 2, network: bridge}
        """

    private let configuration: Configuration

    init() throws { configuration = try Configuration.load(yaml: Self.yaml) }

    private func plan(
        image: String? = nil, network: String? = nil, preload: [String] = [],
        _ resources: ResourceRequest = ResourceRequest()
    ) -> JobPlan {
        var request = JobRequest(task: .source(""))
        request.image = image
        request.network = network
        request.preload = preload
        request.resources = resources
        return JobPlan(request, runtime: "docker", configuration: configuration)
    }

    @Test func valuesAreRoundedUpToTheNextClass() {
        let plan = plan(ResourceRequest(cpus: 1.3, memoryBytes: 600 << 20))
        #expect(plan.pool == "middle")
        #expect(plan.cpus == 2 && plan.memoryBytes == 1 << 30)
        #expect(self.plan(ResourceRequest(memoryBytes: 2 << 30)).pool == "large")
        #expect(self.plan(ResourceRequest(cpus: 2, memoryBytes: 1 << 30)).pool == "middle")
    }

    @Test func whatNoClassCoversKeepsItsSize() {
        let plan = plan(ResourceRequest(cpus: 8, memoryBytes: 1 << 30))
        #expect(plan.pool == nil && plan.cpus == 8 && plan.memoryBytes == 1 << 30)
        #expect(self.plan(image: "other", ResourceRequest(cpus: 1)).pool == nil)
        #expect(self.plan(network: "bridge", ResourceRequest(cpus: 3)).pool == nil)
        #expect(self.plan(network: "bridge", ResourceRequest(cpus: 1.5)).pool == "wide")
        #expect(self.plan(ResourceRequest(gpus: .init(count: 1))).pool == nil)
        #expect(self.plan(ResourceRequest(pids: 100_000)).pool == nil)
    }

    @Test func theDefaultSizeStaysWhatItIs() {
        let plan = plan()
        #expect(plan.pool == nil && plan.memoryBytes == 512 << 20)
        #expect(self.plan(ResourceRequest(cpus: 1, memoryBytes: 512 << 20)).pool == nil)
    }

    @Test func aClassOfAnImageServesThoseWhoAskForNothingElse() {
        #expect(plan(image: "example/small").pool == "small")
        #expect(plan(image: "example/small").memoryBytes == 128 << 20)
        #expect(plan(image: "example/small", ResourceRequest(memoryBytes: 256 << 20)).pool == nil)
    }

    @Test func modulesChooseBetweenEqualClasses() {
        #expect(plan(image: "example/numpy").pool == "plain")
        let numpy = plan(image: "example/numpy", preload: ["numpy"])
        #expect(numpy.pool == "numpy" && numpy.preload == ["numpy"] && numpy.poolPreload == ["numpy"])
        let more = plan(image: "example/numpy", preload: ["scipy", "numpy"])
        #expect(more.pool == "plain" && more.preload == ["scipy", "numpy"])
    }

    @Test func classesOfOnePlanAreToldApart() {
        let image = ResolvedImage(reference: "example/numpy", digest: "sha256:1")
        let plain = plan(image: "example/numpy").sandboxClass(image: image, ociRuntime: nil)
        let numpy = plan(image: "example/numpy", preload: ["numpy"]).sandboxClass(image: image, ociRuntime: nil)
        #expect(plain != numpy && numpy.preload == ["numpy"] && numpy.pool == "numpy")
    }

    @Test func aStoredPlanOfAnEarlierReleaseIsRead() throws {
        var text = String(decoding: try plan().encoded(), as: UTF8.self)
        #expect(!text.contains("\"pool\""), "what is not set is not stored: \(text)")
        text = text.replacing("\"preload\":[]", with: "\"preload\":[\"numpy\"]")
        #expect(try JobPlan(decoding: Array(text.utf8)).preload == ["numpy"])
    }

    @Test func aClassKnowsUnderWhichKeyItsRulesStand() throws {
        let configuration = try Configuration.load(
            yaml: "pools: {defaults: {start_timeout: 9s}, classes: [{name: a}, {name: b, start_timeout: 3m}]}",
            environment: [:])
        var sandboxClass = PoolBench.sandboxClass
        #expect(configuration.pools.policy(of: sandboxClass).key == "pools.defaults")
        sandboxClass.pool = "b"
        let (policy, key) = configuration.pools.policy(of: sandboxClass)
        #expect(policy.startTimeout == .seconds(180) && key == "pools.classes[1]")
        sandboxClass.pool = "gone"
        #expect(configuration.pools.policy(of: sandboxClass).policy.startTimeout == .seconds(9))
    }
}
