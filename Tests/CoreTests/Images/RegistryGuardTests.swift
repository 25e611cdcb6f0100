import Foundation
import SlipwayCore
import Synchronization
import Testing

@Suite("Registries that jobs may name")
struct RegistryGuardTests {
    private func refusal(
        _ registry: String, patterns: [String] = ["*"], registries: [String] = [],
        _ addresses: [RegistryAddress] = [.v4(0x0808_0808)]
    ) async -> EngineError? {
        let checker = RegistryGuard(patterns: patterns, registries: registries) { _ in addresses }
        do {
            try await checker.check(registry)
            return nil
        } catch {
            return error as? EngineError
        }
    }

    @Test(
        "addresses in any notation, ports and this machine are refused without asking anybody",
        arguments: [
            "127.0.0.1", "127.0.0.1:5000", "10.1.2.3:53", "169.254.169.254:80", "localhost", "localhost:5000",
            "LOCALHOST",
            "x.localhost", "localhost.", "127.1", "0x7f.1", "2130706433:80", "1.1.1.1", "registry.example.org:5000",
            "registry.example.org:443", "host:80",
        ])
    func refused(_ registry: String) async throws {
        let checker = RegistryGuard(patterns: ["*", "*/*", "127.*", "slipway/*"], registries: []) { host in
            Issue.record("\(host) was looked up")
            return []
        }
        let error = await #expect(throws: EngineError.self) { try await checker.check(registry) }
        #expect(error?.code == .notAllowed)
        #expect(error?.faults.map { "\($0.pointer) \($0.code)" } == ["/image not-allowed"])
        #expect(error?.message.contains("sandbox.image_allow") == true)
    }

    @Test(
        "a name passes when all its addresses are public, or none is known",
        arguments: [
            ([.v4(0x0808_0808)], true), ([], true), ([.v4(0x0A00_0001)], false), ([.v4(0x7F00_0001)], false),
            ([.v4(0xA9FE_A9FE)], false), ([.v4(0xAC10_0001)], false), ([.v4(0xC0A8_0101)], false),
            ([.v4(0x6440_0001)], false), ([.v4(0)], false), ([.v4(0xE000_0001)], false),
            ([.v4(0x0808_0808), .v4(0x0A00_0001)], false),
            ([.v6([0x2A, 0] + [UInt8](repeating: 1, count: 14))], true),
            ([.v6([UInt8](repeating: 0, count: 15) + [1])], false),
            ([.v6([UInt8](repeating: 0, count: 16))], false),
            ([.v6([0xFE, 0x80] + [UInt8](repeating: 1, count: 14))], false),
            ([.v6([0xFC] + [UInt8](repeating: 1, count: 15))], false),
            ([.v6([0x20, 0x02, 0x0A, 0, 0, 1] + [UInt8](repeating: 0, count: 10))], false),
            ([.v6([UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 10, 0, 0, 1])], false),
            ([.v6([UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 8, 8, 8, 8])], true),
            ([.v6([0, 0x64, 0xFF, 0x9B] + [UInt8](repeating: 0, count: 8) + [127, 0, 0, 1])], false),
        ] as [([RegistryAddress], Bool)])
    func addresses(_ addresses: [RegistryAddress], _ passes: Bool) async {
        let error = await refusal("registry.example.org", addresses)
        #expect((error == nil) == passes, "\(addresses)")
        if let error { #expect(error.code == .notAllowed) }
    }

    @Test("what the operator named is left alone, and a pattern names a registry only by its own name")
    func named() async {
        let inner: [RegistryAddress] = [.v4(0x0A00_0001)]
        #expect(await refusal("docker.io", inner) == nil)
        #expect(await refusal("127.0.0.1:5000", patterns: ["127.0.0.1:5000/*"]) == nil)
        #expect(await refusal("reg.corp", patterns: ["*", "reg.corp/team/x:1"], inner) == nil)
        #expect(await refusal("reg.corp", registries: ["reg.corp"], inner) == nil)
        #expect(await refusal("reg.corp", patterns: ["reg.*", "reg.corp*", "reg.corporation/*"], inner) != nil)
        #expect(await refusal("reg.corp:80", patterns: ["reg.corp/*"], registries: ["reg.corp"]) != nil)
    }

    @Test("lookups that never end hold a few threads and nobody for long")
    func slow() async throws {
        let gate = Mutex(true)
        let checker = RegistryGuard(patterns: ["*"], registries: []) { _ in
            while gate.withLock({ $0 }) { usleep(10_000) }
            return []
        }
        let codes = await withTaskGroup(of: EngineError.Code?.self) { group in
            for number in 0..<12 {
                group.addTask {
                    do {
                        try await checker.check("r\(number).example.org")
                        return nil
                    } catch { return (error as? EngineError)?.code }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(codes == [EngineError.Code?](repeating: .unavailable, count: 12))
        gate.withLock { $0 = false }
    }

    @Test("this machine's own name service is asked")
    func resolver() {
        #expect(!RegistryAddress.all(of: "localhost").isEmpty)
        #expect(RegistryAddress.all(of: "localhost").allSatisfy { !$0.isPublic })
    }
}
