import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// The runner's byte code, which the image's own Python writes.
    @Suite("Byte code of the runner", .serialized, .engines(), .enabled("no container engine answers", hasContainers))
    struct ByteCodeTests {
        @Test("it is made once for an image, and later sandboxes of the image run from it")
        func compiled() async throws {
            let engine = try await sharedEngine("docker")
            func run(tmp: Int) async throws -> JSONValue? {
                var request = JobRequest(
                    task: .source(
                        """
                        def main():
                            import os
                            return sorted(os.listdir("/opt/slipway/runner")), sum(
                                name.endswith(".pyc")
                                for name in os.listdir("/opt/slipway/runner/__pycache__")
                            ) if os.path.isdir("/opt/slipway/runner/__pycache__") else 0
                        """))
                request.resources.tmpBytes = tmp
                return try await engine.run(request).value
            }
            let first = try await run(tmp: 40 << 20)
            let runner = engine.folder.path + "/data/runner"
            try await waitUntil("the runner is compiled", within: .seconds(60)) {
                let folders = try FileManager.default.contentsOfDirectory(atPath: runner)
                guard let copies = folders.first(where: { $0.hasSuffix(".bytecode") }) else { return false }
                let names = try FileManager.default.contentsOfDirectory(atPath: runner + "/" + copies)
                return names.contains { !$0.hasPrefix("draft-") }
            }
            let second = try await run(tmp: 41 << 20)
            guard case .array(let before)? = first, case .array(let after)? = second,
                case .integer(let none) = before[1], case .integer(let some) = after[1]
            else {
                Issue.record("\(String(describing: first)) \(String(describing: second))")
                return
            }
            #expect(none == 0)
            #expect(some > 10)
        }
    }
}
