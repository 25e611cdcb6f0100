import Foundation
import SlipwayCore
import Testing

@Suite("Published holes of the container engine")
struct KnownHoleTests {
    private func version(runc: String) throws -> DockerVersion {
        let text = #"{"Version":"27.0","ApiVersion":"1.46","Components":[{"Name":"runc","Version":"\#(runc)"}]}"#
        return try JSONDecoder().decode(DockerVersion.self, from: Data(text.utf8))
    }

    @Test("an old runc is told with what to do", arguments: ["1.1.5+ds1", "1.2.7", "1.3.2", "v1.1.12", "unknown"])
    func old(_ runc: String) throws {
        let hole = try #require(try version(runc: runc).runcHole)
        #expect(hole.text.hasPrefix("\(runc): CVE-2025-31133"))
        #expect(hole.remedy.contains("1.2.8"))
    }

    @Test("a runc with the fixes is not", arguments: ["1.2.8", "1.2.9", "1.3.3", "1.4.0", "1.5.1", "2.0.0"])
    func fixed(_ runc: String) throws {
        #expect(try version(runc: runc).runcHole == nil)
    }

    @Test("an engine without runc has no such hole")
    func none() throws {
        let version = try JSONDecoder().decode(
            DockerVersion.self, from: Data(#"{"Version":"5.0","ApiVersion":"1.41"}"#.utf8))
        #expect(version.runcHole == nil)
    }
}
