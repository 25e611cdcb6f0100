import SlipwayCore
import Testing

@Suite("JSON parser")
struct JSONParserTests {
    private func parse(_ text: String, depth: Int = 32) throws(JSONParseError) -> JSONNode {
        try JSONDocument(parsing: Array(text.utf8), limits: .init(depth: depth)).root
    }

    private func fault(_ bytes: [UInt8], depth: Int = 32) -> JSONParseError? {
        do throws(JSONParseError) {
            _ = try JSONDocument(parsing: bytes, limits: .init(depth: depth))
            return nil
        } catch {
            return error
        }
    }

    @Test("values of every kind come out as they went in")
    func values() throws {
        let text = #" {"a":[1,-2,3.5,1e3,true,false,null,"x"],"b":{},"c":"\u00e9\n\ud83d\ude00\/","d":[]} "#
        let value = try JSONValue(parsing: Array(text.utf8))
        #expect(
            value == [
                "a": [1, -2, 3.5, 1000.0, true, false, nil, "x"], "b": [:], "c": "é\n😀/", "d": [],
            ])
    }

    @Test("the bytes of a member are taken as they came")
    func slices() throws {
        let node = try parse(#"{"x":1, "task" : { "b" : [ 1 , 2 ] , "a":"\u0041" } ,"z":"AA=="}"#)
        let task = try #require(node["task"])
        #expect(String(decoding: task.raw, as: UTF8.self) == #"{ "b" : [ 1 , 2 ] , "a":"\u0041" }"#)
        #expect(node["z"]?.unescapedBytes.map(Array.init) == Array("AA==".utf8))
        #expect(task["a"]?.unescapedBytes == nil)
        #expect(task["a"]?.string == "A")
        #expect(task["b"]?.elements.compactMap(\.integer) == [1, 2])
        #expect(node.members.map(\.name) == ["x", "task", "z"])
    }

    @Test(
        "faults carry their offset",
        arguments: [
            ("", JSONParseError.Reason.empty, 0), ("  \n", .empty, 3), ("{", .truncated, 1), ("[1,", .truncated, 3),
            ("\"abc", .truncated, 4), ("tru", .truncated, 3), ("1.", .truncated, 2), ("{} x", .trailingData, 3),
            ("1 2", .trailingData, 2), ("[1,]", .syntax, 3), ("{\"a\":1,}", .syntax, 7), ("{a:1}", .syntax, 1),
            ("01", .syntax, 1), ("-x", .syntax, 1), ("+1", .syntax, 0), ("NaN", .syntax, 0), ("nul1", .syntax, 0),
            (".5", .syntax, 0), ("1.e3", .syntax, 2), ("'a'", .syntax, 0), ("[1 2]", .syntax, 3),
            ("\"a\nb\"", .syntax, 2), (#""\x""#, .syntax, 1), (#""\u12g4""#, .syntax, 5),
            (#""\ud800""#, .loneSurrogate, 1), (#""\udc00""#, .loneSurrogate, 1),
            (#""\ud800\u0041""#, .loneSurrogate, 1), (#"{"a":1,"b":2,"a":3}"#, .duplicateKey, 13),
            (#"{"a":1,"\u0061":3}"#, .duplicateKey, 7), ("// x", .syntax, 0), ("\u{FEFF}{}", .syntax, 0),
        ] as [(String, JSONParseError.Reason, Int)])
    func faults(_ text: String, _ reason: JSONParseError.Reason, _ offset: Int) {
        let found = fault(Array(text.utf8))
        #expect(found?.reason == reason)
        #expect(found?.offset == offset)
    }

    @Test(
        "bytes that are not UTF-8 are refused wherever they stand in a string",
        arguments: [
            [0x80], [0xC0, 0x80], [0xC3], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF0, 0x80, 0x80, 0x80],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82], [0xFF], [0xE2, 0x28, 0xA1],
        ] as [[UInt8]])
    func invalidUTF8(_ sequence: [UInt8]) {
        for prefix in 0..<17 {
            let lead = [UInt8](repeating: UInt8(ascii: "a"), count: prefix)
            let found = fault([0x22] + lead + sequence + [0x22])
            #expect(found?.reason == .invalidUTF8)
            #expect(found?.offset == prefix + 1)
        }
    }

    @Test("special bytes are found at every position of an eight-byte word")
    func alignment() throws {
        for prefix in 0..<20 {
            let lead = String(repeating: "x", count: prefix)
            for content in ["\\\"", "\\\\", "é", "€", "😀", "\\u0000", "\u{7F}"] {
                let node = try parse("[\"\(lead)\(content)yz\"]")
                let decoded = try #require(node.elements.map(\.string).first ?? nil)
                #expect(decoded.utf8.count > prefix + 2)
                #expect(decoded.hasPrefix(lead) && decoded.hasSuffix("yz"))
            }
            #expect(fault(Array("\"\(lead)\u{1}\"".utf8))?.offset == prefix + 1)
        }
    }

    @Test("depth and the number of values are capped")
    func caps() {
        let nested = { (count: Int) in
            [UInt8](repeating: 0x5B, count: count) + [UInt8](repeating: 0x5D, count: count)
        }
        #expect(fault(nested(32)) == nil)
        #expect(fault(nested(33))?.reason == .tooDeep)
        #expect(fault(nested(33))?.offset == 32)
        #expect(fault([UInt8](repeating: 0x5B, count: 1_000_000))?.reason == .tooDeep)
        #expect(throws: JSONParseError.self) {
            try JSONDocument(parsing: Array("[1,2,3]".utf8), limits: .init(values: 3))
        }
    }

    @Test("an object of many members finds its duplicate")
    func manyMembers() throws {
        let members = (0..<1000).map { "\"k\($0)\":\($0)" }
        #expect(fault(Array("{\(members.joined(separator: ","))}".utf8)) == nil)
        let twice = "{\(members.joined(separator: ",")),\"k7\":0}"
        #expect(fault(Array(twice.utf8))?.reason == .duplicateKey)
        #expect(fault(Array(twice.utf8))?.offset == twice.utf8.count - 7)
    }

    @Test("names that differ in normalisation only are two names, but not in a Swift dictionary")
    func normalisation() {
        let text = Array("{\"\u{E9}\":1,\"e\u{301}\":2}".utf8)
        #expect(fault(text) == nil)
        #expect(throws: EngineError.self) { try JSONValue(parsing: text) }
    }

    @Test("numbers keep their kind; what no number type holds is refused")
    func numbers() throws {
        #expect(try JSONValue(parsing: Array("9223372036854775807".utf8)) == .integer(.max))
        #expect(try JSONValue(parsing: Array("-9223372036854775808".utf8)) == .integer(.min))
        #expect(try JSONValue(parsing: Array("9223372036854775808".utf8)) == .number(9_223_372_036_854_775_808))
        #expect(try JSONValue(parsing: Array("1.0".utf8)) == .number(1))
        #expect(throws: EngineError.self) { try JSONValue(parsing: Array("1e999".utf8)) }
        #expect(try parse("2.5").integer == nil)
    }
}
