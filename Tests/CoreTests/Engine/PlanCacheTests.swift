import SlipwayCore
import Testing

@Suite("Encoded plans")
struct PlanCacheTests {
    private func plan(_ env: [String: String]) -> JobPlan {
        var request = JobRequest(task: .source("def main(): pass"))
        request.env = env
        return JobPlan(request, runtime: "docker", configuration: Configuration())
    }

    @Test("a plan is encoded once, a large one is not kept, and there are never many")
    func bounds() throws {
        var cache = PlanCache()
        let small = plan(["A": "x"])
        #expect(try cache.encoded(small) == small.encoded())
        #expect(try cache.encoded(small) == small.encoded())
        #expect(cache.count == 1)
        let large = plan(["A": String(repeating: "x", count: PlanCache.bytesMax)])
        #expect(try cache.encoded(large) == large.encoded())
        #expect(cache.count == 1)
        for number in 0..<2 * PlanCache.most { _ = try cache.encoded(plan(["A": "\(number)"])) }
        #expect(cache.count <= PlanCache.most)
    }
}
