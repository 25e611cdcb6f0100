import SlipwayCore
import Testing

/// Documents made to exhaust their reader: each is refused at its first step beyond a limit.
@Suite struct YAMLBombTests {
    private func refusal(_ text: String) -> ConfigurationFault? {
        let document = YAMLDocument(parsing: Array(text.utf8), origin: .file("bomb"))
        #expect(document.root == nil)
        return document.faults.last
    }

    @Test func billionLaughs() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...20 {
            let alias = "*a\(level - 1)"
            text += "a\(level): &a\(level) [" + Array(repeating: alias, count: 10).joined(separator: ", ") + "]\n"
        }
        let document = YAMLDocument(parsing: Array(text.utf8), origin: .file("bomb"))
        #expect(document.faults.count == 21 + 200)
        #expect(document.faults.contains { $0.message.contains("aliases") })
        #expect(throws: ConfigurationError.self) { try Configuration.load(yaml: text) }
    }

    @Test(arguments: ["[", "{a: ", "- ", "? ", "[{a: "])
    func deepNesting(_ opener: String) {
        let fault = refusal(String(repeating: opener, count: 100_000))
        #expect(fault?.message.contains("deeper than 32") == true, "\(String(describing: fault))")
    }

    @Test func depthAtTheLimitIsRead() {
        let deep = String(repeating: "[", count: 33) + String(repeating: "]", count: 33)
        #expect(YAMLDocument(parsing: Array(deep.utf8), origin: .file("f")).faults == [])
        #expect(refusal("[" + deep + "]")?.message.contains("deeper than 32") == true)
    }

    @Test func manyValues() {
        let fits = "[" + Array(repeating: "1", count: YAMLDocument.nodeLimit - 1).joined(separator: ",") + "]"
        #expect(YAMLDocument(parsing: Array(fits.utf8), origin: .file("f")).faults == [])
        #expect(refusal(fits.dropLast() + ",1]")?.message.contains("more than 20000 values") == true)
        #expect(refusal(String(repeating: "- \n", count: 300_000))?.message.contains("more than 20000") == true)
    }

    @Test func tooManyBytes() {
        let comment = "#" + String(repeating: "x", count: YAMLDocument.byteLimit - 2) + "\n"
        #expect(YAMLDocument(parsing: Array(comment.utf8), origin: .file("f")).faults == [])
        #expect(refusal(comment + "a")?.message.contains("larger than 1m") == true)
    }

    @Test func manyFaultsAreBounded() {
        let text = "log:\n" + (0..<9000).map { "  key\($0): 1\n" }.joined()
        let error = #expect(throws: ConfigurationError.self) { try Configuration.load(yaml: text) }
        #expect(error?.faults.count == 200)
    }

    @Test func anEndlessFileIsReadToTheLimitOnly() {
        let error = #expect(throws: ConfigurationError.self) {
            try Configuration.load(path: "/dev/zero", environment: [:])
        }
        #expect(error?.faults.first?.message.contains("larger than 1m") == true)
    }
}
