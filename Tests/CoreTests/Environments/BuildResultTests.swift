import Foundation
import SlipwayCore
import Testing

/// What a builder answers whose Python is a tenant's: it may say anything, at any length.
@Suite("What builders answer")
struct BuildResultTests {
    private func result(_ answer: [String: Any]) throws -> BuildResult {
        try JSONDecoder().decode(BuildResult.self, from: try JSONSerialization.data(withJSONObject: answer))
    }

    private let long = String(repeating: "d", count: 3_000_000)

    @Test(
        "what it says of a failure is short in the error, whatever its length",
        arguments: ["missing", "python", "invalid", "compile", "offline", "too_large", "project", "failed", "internal"])
    func failure(_ kind: String) throws {
        let result = try result([
            "ok": false, "kind": kind, "detail": long, "culprit": long, "installer": long,
            "lines": Array(repeating: String(long.prefix(10_000)), count: 200),
            "interpreter": ["executable": long, "version": long, "abi": long, "libc": long, "pip": true],
        ])
        #expect(result.lines?.count == 20)
        let message = BuildFailure(result, ["x==1"], image: "python:3.11").error.message
        #expect(message.utf8.count <= 16_384, "\(message.utf8.count)")
        #expect(message.hasPrefix("cannot install x==1: "))
    }

    @Test("one character of many scalars is cut, too")
    func scalars() throws {
        let result = try result(["ok": false, "detail": "e" + String(repeating: "\u{301}", count: 1_000_000)])
        #expect(result.detail?.unicodeScalars.count == 500)
    }

    @Test("what it installed is listed up to a limit, and no size is beyond what can be summed")
    func manifest() throws {
        let packages = (0..<3000).map {
            ["name": "p\($0)", "version": "1", "hashes": Array(repeating: "h", count: 200)]
        }
        let many = Dictionary(uniqueKeysWithValues: (0..<3000).map { ("p\($0)", "1") })
        let full = try result(["ok": true, "versions": many, "packages": packages, "bytes": Int.max])
        #expect(full.versions?.count == 2000)
        #expect(full.packages?.count == 2000)
        #expect(full.packages?.allSatisfy { $0.hashes.count == 100 } == true)
        #expect(full.bytes == 1 << 44)
        let texts = try result([
            "ok": true, "versions": ["x": long], "bytes": -1,
            "packages": [["name": long, "version": long, "hashes": [long]]],
        ])
        #expect(texts.versions?["x"]?.count == 500)
        #expect(texts.packages?.first?.requirement.count ?? 0 < 2000)
        #expect(texts.bytes == 0)
    }

    @Test("what is of usual length stays as it is")
    func usual() throws {
        let result = try result([
            "ok": true, "versions": ["x": "1"], "bytes": 1000, "log": "done", "installer": "pip", "lines": ["a", "b"],
            "packages": [["name": "x", "version": "1", "hashes": ["sha256:ab"]]], "names": ["one"],
        ])
        #expect(result.versions == ["x": "1"] && result.bytes == 1000 && result.log == "done")
        #expect(result.installer == "pip" && result.lines == ["a", "b"] && result.names == ["one"])
        #expect(result.packages == [EnvironmentPackage(name: "x", version: "1", hashes: ["sha256:ab"])])
        #expect(result.interpreter == nil && result.kind == nil)
    }
}
