import SlipwayCore
import Testing

@Suite struct ProcessorPinTests {
    private let one = ProcessorList([1])
    private let other = ProcessorList([2])
    private let pause = ProcessorPin.pauseSeconds

    /// A sandbox that is kept to a processor.
    private func pinned() -> ProcessorPin {
        var pin = ProcessorPin()
        pin.keep(to: one)
        _ = pin.nextChange(at: 0)
        pin.succeeded()
        return pin
    }

    @Test func aSandboxIsKeptAndLetGoAgain() {
        var pin = ProcessorPin()
        let none = pin.nextChange(at: 0)
        #expect(none == nil && !pin.isPinned && pin.place == nil)
        pin.keep(to: one)
        let first = pin.nextChange(at: 0)
        let twice = pin.nextChange(at: 0)
        #expect(first == .keep(one) && twice == nil, "one change at a time")
        #expect(pin.isPinned && pin.place == one && !pin.isSettled)
        pin.succeeded()
        #expect(pin.isSettled)
        pin.free()
        let second = pin.nextChange(at: 1)
        #expect(second == .free && !pin.isPinned)
        pin.succeeded()
        #expect(!pin.isPinned && pin.place == nil && !pin.isWorn)
    }

    @Test func aWishThatChangesMeanwhileIsFollowed() {
        var pin = ProcessorPin()
        pin.keep(to: one)
        _ = pin.nextChange(at: 0)
        pin.free()
        pin.succeeded()
        let next = pin.nextChange(at: 0)
        #expect(next == .free)
    }

    @Test func aRefusedPinLeavesTheSandboxAsItWasUntilItIsBusyAgain() {
        var pin = ProcessorPin()
        pin.keep(to: one)
        _ = pin.nextChange(at: 0)
        pin.failed(isRefused: true, at: 0)
        let none = pin.nextChange(at: pause)
        #expect(none == nil && !pin.isPinned && !pin.isWorn)
        pin.keep(to: other)
        let early = pin.nextChange(at: pause - 1)
        let late = pin.nextChange(at: pause)
        #expect(early == nil && late == .keep(other))
        pin.succeeded()
        #expect(pin.failures == 0 && pin.isSettled)
    }

    @Test func aPinWithoutAnAnswerIsTriedAgainAndMayBeInForce() {
        var pin = ProcessorPin()
        pin.keep(to: one)
        _ = pin.nextChange(at: 0)
        pin.failed(isRefused: false, at: 0)
        #expect(pin.isPinned && pin.place == one)
        pin.free()
        let early = pin.nextChange(at: pause - 1)
        let late = pin.nextChange(at: pause)
        #expect(early == nil && late == .free, "it may be kept to it for all that is known")
        pin.succeeded()
        #expect(!pin.isPinned)
    }

    @Test("a sandbox that cannot be let go is worn after some tries, and counts as kept", arguments: [true, false])
    func worn(isRefused: Bool) {
        var pin = pinned()
        pin.free()
        for round in 1...ProcessorPin.triesMax {
            #expect(!pin.isWorn)
            let change = pin.nextChange(at: Double(round) * pause)
            #expect(change == .free)
            pin.failed(isRefused: isRefused, at: Double(round) * pause)
            #expect(pin.isPinned)
        }
        let more = pin.nextChange(at: 1e9)
        #expect(pin.isWorn && more == nil)
    }

    @Test func aRuntimeThatKeepsNoSandboxIsLeftAloneAfterSomeTries() {
        var pin = ProcessorPin()
        for round in 1...ProcessorPin.triesMax {
            pin.keep(to: one)
            let change = pin.nextChange(at: Double(round) * pause)
            #expect(change == .keep(one))
            pin.failed(isRefused: true, at: Double(round) * pause)
        }
        pin.keep(to: one)
        let more = pin.nextChange(at: 1e9)
        #expect(more == nil && !pin.isWorn && !pin.isPinned)
    }

    @Test func aMoveThatIsRefusedLeavesItWhereItWas() {
        var pin = pinned()
        pin.keep(to: other)
        let move = pin.nextChange(at: 0)
        #expect(move == .keep(other))
        pin.failed(isRefused: true, at: 0)
        let none = pin.nextChange(at: pause)
        #expect(none == nil && pin.place == one && pin.isPinned)
    }

    @Test func aSandboxThatWasFoundKeptIsLetGo() {
        var pin = ProcessorPin(kept: one)
        #expect(pin.isPinned && pin.isSettled)
        pin.free()
        let change = pin.nextChange(at: 0)
        #expect(change == .free)
    }

    @Test func aPlaceThatOthersShareIsGivenUpForAFreeOne() {
        let all = ProcessorList(0...3)
        #expect(all.lessTaken(than: one, beside: [one, other]) == ProcessorList([3]))
        #expect(all.lessTaken(than: one, beside: [other]) == nil, "it is alone there")
        #expect(all.lessTaken(than: one, beside: [one, all]) == ProcessorList([3]))
        let crowd = (0...3).map { ProcessorList([$0]) }
        #expect(all.lessTaken(than: one, beside: crowd) == nil, "nowhere are fewer")
        #expect(ProcessorList([1]).lessTaken(than: one, beside: [one]) == nil)
    }
}
