import SlipwayCore
import SlipwayGateway
import Testing

/// The shares as a reference, which expectations can change.
private final class Shares {
    private var shares: FairShares

    init(limitBytes: Int) { shares = FairShares(limitBytes: limitBytes) }

    var usedBytes: Int { shares.usedBytes }
    var waiting: Int { shares.waiting }
    func take(_ bytes: Int, of tenant: TenantID) -> Bool { shares.take(bytes, of: tenant) }
    func line(up bytes: Int, of tenant: TenantID) -> Int { shares.line(up: bytes, of: tenant) }
    func leave(_ number: Int, of tenant: TenantID) -> [Int]? { shares.leave(number, of: tenant) }
    func giveBack(_ bytes: Int, of tenant: TenantID) -> [Int] { shares.giveBack(bytes, of: tenant) }
}

/// Which tenant may hold how much of what all share, and who comes next.
@Suite("Fair shares of room")
struct FairSharesTests {
    private let a: TenantID
    private let b: TenantID
    private let c: TenantID

    init() throws {
        a = try #require(TenantID("a"))
        b = try #require(TenantID("b"))
        c = try #require(TenantID("c"))
    }

    @Test("one tenant holds half at most, and leaves the other half to those that come later")
    func half() {
        let shares = Shares(limitBytes: 256)
        let taken = [65, 65, 65, 61].map { shares.take($0, of: a) }
        #expect(taken == [true, false, false, true])
        #expect(shares.usedBytes == 126)
        let waiting = shares.line(up: 65, of: a)
        #expect(!shares.take(1, of: a), "it stands behind its tenant's others")
        #expect(shares.take(1, of: b) && shares.take(63, of: b))
        #expect(shares.giveBack(61, of: a) == [])
        // With 64 held by others it would leave 62 to them and hold 130.
        #expect(shares.leave(waiting, of: a) == [])
        #expect(shares.usedBytes == 129)
    }

    @Test("what tenants hold is never more than what they leave when they take it")
    func several() {
        let shares = Shares(limitBytes: 120)
        for (tenant, most) in [(a, 60), (b, 30), (c, 15)] {
            var held = 0
            while shares.take(5, of: tenant) { held += 5 }
            #expect(held == most)
        }
        #expect(shares.usedBytes == 105)
    }

    @Test("a tenant that holds nothing may take all that is free, and more than there is when nobody holds anything")
    func largest() {
        let shares = Shares(limitBytes: 100)
        #expect(shares.take(10, of: a) && shares.take(90, of: b))
        #expect(shares.giveBack(10, of: a) == [] && shares.giveBack(90, of: b) == [])
        #expect(shares.take(300, of: a))
        #expect(!shares.take(1, of: b))
        let large = shares.line(up: 300, of: b)
        #expect(shares.giveBack(300, of: a) == [large])
        #expect(shares.giveBack(300, of: b) == [])
        #expect(shares.usedBytes == 0 && shares.waiting == 0)
    }

    @Test("a line of large requests does not stand before another tenant's small one")
    func smallOnes() {
        let shares = Shares(limitBytes: 100)
        #expect(shares.take(70, of: c))
        let large = (0..<3).map { _ in shares.line(up: 40, of: a) }
        #expect(shares.take(20, of: b), "what is free is enough for it and not for those that wait")
        #expect(shares.giveBack(70, of: c) == [large[0]])
        #expect(shares.take(10, of: b))
        #expect(shares.giveBack(40, of: a) == [large[1]])
        #expect(shares.waiting == 1)
    }

    @Test("whoever would hold more does not overtake one for whom there is no room yet")
    func overtaking() {
        let shares = Shares(limitBytes: 100)
        #expect(shares.take(50, of: a) && shares.take(20, of: b))
        let waiting = shares.line(up: 40, of: c)
        #expect(!shares.take(1, of: a), "a would hold 51, and c 40")
        #expect(shares.take(1, of: b), "b would hold 21")
        #expect(shares.giveBack(50, of: a) == [waiting])
        #expect(shares.usedBytes == 61)
    }

    @Test("of those who wait the tenant that will hold the least comes first, of several the one that came first")
    func order() {
        let shares = Shares(limitBytes: 100)
        #expect(shares.take(100, of: c))
        let numbers = [(a, 20), (b, 10), (a, 10), (b, 10)].map { shares.line(up: $0.1, of: $0.0) }
        #expect(shares.waiting == 4)
        #expect(shares.giveBack(100, of: c) == [numbers[1], numbers[0], numbers[3], numbers[2]])
        #expect(shares.usedBytes == 50)
        let equal = Shares(limitBytes: 100)
        #expect(equal.take(100, of: c))
        let turns = [a, b, a, b].map { equal.line(up: 10, of: $0) }
        #expect(equal.giveBack(100, of: c) == turns)
    }

    @Test("whoever leaves lets those in that waited behind it, and leaves once")
    func leaving() {
        let shares = Shares(limitBytes: 100)
        #expect(shares.take(60, of: c))
        let large = shares.line(up: 60, of: a)
        let small = shares.line(up: 30, of: a)
        #expect(shares.leave(large, of: a) == [small])
        #expect(shares.leave(large, of: a) == nil)
        #expect(shares.leave(small, of: a) == nil)
        #expect(shares.usedBytes == 90 && shares.waiting == 0)
    }

    @Test("nobody is lost, whatever comes and goes")
    func all() {
        let shares = Shares(limitBytes: 1000)
        var random = Steps(state: 7)
        var held: [(bytes: Int, tenant: TenantID)] = []
        var waiting: [Int: (bytes: Int, tenant: TenantID)] = [:]
        for _ in 0..<5000 {
            let (bytes, tenant) = (1 + random.next() % 400, [a, b, c][random.next() % 3])
            var admitted: [Int] = []
            switch random.next() % 4 {
            case 0 where !held.isEmpty, 1 where !held.isEmpty:
                let gone = held.remove(at: random.next() % held.count)
                admitted = shares.giveBack(gone.bytes, of: gone.tenant)
            case 2 where !waiting.isEmpty:
                let number = waiting.keys.sorted()[random.next() % waiting.count]
                admitted = shares.leave(number, of: waiting[number]?.tenant ?? a) ?? [-1]
                waiting[number] = nil
            default:
                if shares.take(bytes, of: tenant) {
                    held.append((bytes, tenant))
                } else {
                    waiting[shares.line(up: bytes, of: tenant)] = (bytes, tenant)
                }
            }
            for number in admitted { if let next = waiting.removeValue(forKey: number) { held.append(next) } }
            #expect(shares.usedBytes == held.reduce(0) { $0 + $1.bytes } && shares.usedBytes <= 1000)
            #expect(shares.waiting == waiting.count)
            #expect(waiting.isEmpty || !held.isEmpty, "somebody waits for nobody")
        }
    }

    /// Numbers that look random and are the same in each run.
    private struct Steps {
        var state: UInt64

        mutating func next() -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33)
        }
    }
}

/// How slow a transfer may be that holds room.
@Suite("The least rate of transfers")
struct LeastRateTests {
    @Test("ten seconds for all, and one more for every 16 KiB")
    func timeLeft() {
        let rate = LeastRate()
        #expect(rate.timeLeft(after: .zero, bytes: 0) == .seconds(10))
        #expect(rate.timeLeft(after: .seconds(10), bytes: 0) == .zero)
        #expect(rate.timeLeft(after: .seconds(12), bytes: 0) == .seconds(-2))
        #expect(rate.timeLeft(after: .seconds(12), bytes: 32 << 10) == .zero)
        #expect(rate.timeLeft(after: .seconds(12), bytes: 40 << 10) == .milliseconds(500))
    }

    @Test("pauses of a transfer that was quick before do not make it too slow")
    func pauses() {
        let rate = LeastRate()
        #expect(rate.timeLeft(after: .seconds(59), bytes: 1 << 20) > .zero)
        #expect(rate.timeLeft(after: .seconds(59), bytes: 64 << 10) < .zero)
    }

    @Test("bytes that trickle do not keep a transfer going", arguments: [1, 100, 4000])
    func trickle(_ bytesEachSecond: Int) {
        let rate = LeastRate()
        let end = (1...3600).first { rate.timeLeft(after: .seconds($0), bytes: $0 * bytesEachSecond) <= .zero }
        #expect((10...14).contains(end ?? 0))
    }
}
