import Foundation
import SlipwayCore
import Testing

@Suite struct PoolStatesTests {
    @Test func theDocumentShowsTheTableThatIsEnforced() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        let page = try String(contentsOf: root.appending(path: "docs/pool-states.md"), encoding: .utf8)
        for phase in SandboxPhase.allCases {
            let row = try #require(page.split(separator: "\n").first { $0.hasPrefix("| `\(phase.rawValue)`") })
            let cells = row.split(separator: "|")
            let named = try #require(cells.last).split(separator: "`").filter { $0.allSatisfy(\.isLetter) }
            #expect(Set(named.map(String.init)) == Set(phase.successors.map(\.rawValue)))
            for next in SandboxPhase.allCases {
                let isDrawn = page.contains("    \(phase.rawValue) --> \(next.rawValue):")
                #expect(isDrawn == phase.successors.contains(next), "\(phase) to \(next)")
            }
        }
    }

    @Test func identifiersHaveOneShape() throws {
        let id = SandboxID()
        #expect(id.description.count == 30)
        #expect(SandboxID(id.description) == id)
        #expect(SandboxID("sbx_" + String(repeating: "u", count: 26)) == nil)
        #expect(SandboxID("job_" + id.description.dropFirst(4)) == nil)
        #expect(SandboxID(id.description + "0") == nil)
        #expect(SandboxID() != id)
    }

    @Test func aSpecialisationSurvivesItsCoding() throws {
        let tenant = try #require(TenantID("ann"))
        let value = Specialisation(tenant: tenant, environment: "e", preload: ["numpy"])
        let data = try JSONEncoder().encode(value)
        #expect(try JSONDecoder().decode(Specialisation.self, from: data) == value)
        #expect(String(decoding: data, as: UTF8.self).contains(#""tenant":"ann""#))
        let bad = Data(#"{"tenant":"A B","preload":[]}"#.utf8)
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(Specialisation.self, from: bad) }
    }
}
