import Foundation
import SlipwayCore
import Testing

@Suite("JSON writer")
struct JSONWriterTests {
    private func text(_ write: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        write(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test("members and elements are separated by commas")
    func structure() {
        let written = text { writer in
            writer.object { writer in
                writer.name("a")
                writer.array { writer in
                    writer.value(1)
                    writer.object { _ in }
                    writer.array { _ in }
                    writer.null()
                }
                writer.name("b")
                writer.raw(Array("{\"x\":1}".utf8))
                writer.name(escaping: "c\"d")
                writer.value(true)
                writer.name("e")
                writer.plainString(Array("AA==".utf8))
            }
        }
        #expect(written == #"{"a":[1,{},[],null],"b":{"x":1},"c\"d":true,"e":"AA=="}"#)
    }

    @Test("every character of a string comes back")
    func strings() throws {
        var all = (0..<0x80).compactMap(UnicodeScalar.init).reduce(into: "") { $0.unicodeScalars.append($1) }
        all += "é€😀\u{2028}\u{FFFF}"
        let bytes = JSONValue.array([.string(all), .string("")]).serialized()
        #expect(try JSONValue(parsing: bytes) == .array([.string(all), .string("")]))
        #expect(text { $0.value("\u{1F}\t\"\\") } == #""\u001f\t\"\\""#)
    }

    @Test("numbers that JSON cannot hold become null")
    func numbers() {
        #expect(text { $0.value(Double.infinity) } == "null")
        #expect(text { $0.value(Double.nan) } == "null")
        #expect(text { $0.value(0.0001) } == "0.0001")
        #expect(text { $0.value(Int.min) } == "-9223372036854775808")
    }

    @Test("objects are sorted by name")
    func sorted() {
        let value: JSONValue = ["b": 1, "a": [true, nil], "c": ["z": 1.5, "y": "t"]]
        #expect(
            String(decoding: value.serialized(), as: UTF8.self) == #"{"a":[true,null],"b":1,"c":{"y":"t","z":1.5}}"#)
    }

    @Test(
        "times are RFC 3339 with milliseconds",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_400.5, "2000-02-29T00:00:00.500Z"),
            (1_740_830_400.25, "2025-03-01T12:00:00.250Z"), (-0.001, "1969-12-31T23:59:59.999Z"),
            (4_102_444_799.999, "2099-12-31T23:59:59.999Z"), (-62_167_219_200, "0000-01-01T00:00:00.000Z"),
            (1e18, "9999-12-31T23:59:59.999Z"),
        ] as [(Double, String)])
    func times(_ seconds: Double, _ expected: String) {
        #expect(RFC3339.text(Date(timeIntervalSince1970: seconds)) == expected)
    }
}
