import SlipwayCore
import Testing

/// Counters over all classes: they only grow, whatever classes come and go.
@Suite struct PoolMemoryTests {
    @Test func whatAForgottenClassCountedStaysInTheSums() throws {
        var bench = PoolBench(PoolBench.rules(max: 2, idleTTL: 5))
        var last = (grants: 0, waits: 0, destroyed: 0)
        for round in 1...3 {
            bench.ask("ann")
            let grant = try #require(bench.answerAll().first)
            bench.release(grant.sandbox)
            bench.ask("ann")
            let again = try #require(bench.answerAll().first)
            bench.release(again.sandbox)
            bench.now += 6
            bench.send(.tick)
            _ = bench.answerAll()
            bench.now += 700
            bench.send(.tick)
            #expect(bench.status == nil, "the class is forgotten")
            let sums = bench.machine.statusForSums(now: bench.now)
            let now = sums.reduce((grants: 0, waits: 0, destroyed: 0)) { sum, pool in
                (
                    sum.grants + pool.hits.cold + pool.hits.warm, sum.waits + pool.waits.count,
                    sum.destroyed + (pool.destroyed["idle"] ?? 0)
                )
            }
            #expect(now.grants == 2 * round && now.waits == 2 * round && now.destroyed == round, "\(now)")
            #expect(now.grants > last.grants && sums.count == 1)
            last = now
        }
    }

    @Test func theCountsOfFewKindsAreKept() throws {
        var bench = PoolBench(PoolBench.rules(idleTTL: 1))
        for number in 0..<300 {
            var other = PoolBench.sandboxClass
            other.image = "image-\(number)"
            bench.ask("ann", of: other)
            for grant in bench.answerAll() { bench.release(grant.sandbox) }
            bench.now += 2
            bench.send(.tick)
            _ = bench.answerAll()
            bench.now += 600
            bench.send(.tick)
        }
        let kept = bench.machine.statusForSums(now: bench.now)
        #expect(kept.count == 256 && kept.last?.image == "image-299" && kept.allSatisfy { $0.hits.cold == 1 })
    }
}
