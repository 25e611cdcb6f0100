import Foundation
import SlipwayCore
import Synchronization
import Testing

/// Gathers what a build says.
final class Heard: Sendable {
    private let heard = Mutex("")
    var text: String { heard.withLock { $0 } }
    func take(_ text: String) { heard.withLock { $0 += text } }
}

@Suite("What builds say")
struct BuildLogTests {
    @Test("who comes late hears what was said before, and everybody hears the same")
    func late() {
        let log = BuildLog()
        let (early, late, gone) = (Heard(), Heard(), Heard())
        log.listen(1, early.take)
        log.listen(3, gone.take)
        log.append("one\n")
        log.forget(3)
        log.listen(2, late.take)
        log.append("two\n")
        #expect(early.text == "one\ntwo\n")
        #expect(late.text == "one\ntwo\n")
        #expect(gone.text == "one\n")
        #expect(log.text == "one\ntwo\n")
    }

    @Test("a flood ends with a line that says so")
    func flood() {
        let log = BuildLog()
        let ear = Heard()
        log.listen(1, ear.take)
        let line = String(repeating: "x", count: 1023) + "\n"
        for _ in 0..<1000 { log.append(line) }
        #expect(log.text.utf8.count <= BuildLog.limitBytes + 100)
        #expect(log.text.hasSuffix("is left out]\n"))
        #expect(ear.text == log.text)
    }
}
