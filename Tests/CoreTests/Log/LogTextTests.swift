import SlipwayCore
import Testing

@Suite("Texts in logs")
struct LogTextTests {
    @Test("nothing that somebody else chose begins a line or a field of its own")
    func forged() {
        let forged = "x\n2026-01-31T12:00:00.000Z error slipway: the disk is full key=value"
        #expect(!LogText.message(forged).contains("\n"))
        let value = LogText.value(forged)
        #expect(value == #""x\n2026-01-31T12:00:00.000Z error slipway: the disk is full key=value""#)
        for text in ["\r", "\u{85}", "\u{2028}", "\u{2029}", "\u{1B}[2K", "\u{0}", "\u{7F}", "\u{9B}A", "\u{202E}x"] {
            let safe = LogText.value("a" + text + "b")
            #expect(safe.hasPrefix("\"a\\") && safe.hasSuffix("b\""), "\(safe.debugDescription)")
            #expect(!LogText.message("a" + text).unicodeScalars.contains { text.unicodeScalars.first == $0 })
        }
        #expect(LogText.value(#"a" level="error"#) == #""a\" level=\"error""#)
        #expect(LogText.value(#"\n x"#) == #""\\n x""#)
        #expect(LogText.key("a b=c\n") == "a_b_c_")
    }

    @Test("plain texts stay as they are", arguments: ["job_01JD", "127.0.0.1:80", "größe", "a\\b", "1.5s"])
    func plain(_ text: String) {
        #expect(LogText.value(text) == text)
        #expect(LogText.message("the \(text) is there") == "the \(text) is there")
        #expect(LogText.value("") == "\"\"")
    }
}
