import SlipwayCore
import Testing

@Suite struct WatchRoundsTests {
    private typealias Duties = WatchRounds.Duties

    @Test func runtimesAreAskedOftenAndLeftoversSoughtSeldom() {
        var rounds = WatchRounds()
        let duties = (1...120).map { round in
            let duties = rounds.next()
            if duties.sweeps { rounds.sweepEnded() }
            return (round, duties)
        }
        #expect(duties.filter(\.1.sweeps).map(\.0) == [60, 120])
        #expect(duties.filter(\.1.asksRuntimes).map(\.0) == Array(stride(from: 5, through: 120, by: 5)))
    }

    @Test func roundsGoOnWhileASweepHangsAndNoSecondOneBegins() {
        var rounds = WatchRounds()
        for _ in 1..<60 { _ = rounds.next() }
        let first = rounds.next()
        #expect(first == Duties(sweeps: true, asksRuntimes: true))
        let meanwhile = (61...300).map { _ in rounds.next() }
        #expect(meanwhile.filter(\.sweeps).isEmpty)
        #expect(meanwhile.filter(\.asksRuntimes).count == 48)
    }

    @Test func aSweepThatCouldNotBeginIsMadeUpForOnce() {
        var rounds = WatchRounds()
        for _ in 1...190 { _ = rounds.next() }
        rounds.sweepEnded()
        let late = rounds.next()
        #expect(late.sweeps)
        rounds.sweepEnded()
        let meanwhile = (192..<240).map { _ in rounds.next() }
        #expect(meanwhile.filter(\.sweeps).isEmpty)
        let next = rounds.next()
        #expect(next.sweeps)
    }
}
