import Foundation
import SlipwayCore
import TestSupport
import Testing

extension LiveJobs {
    /// Declared classes, preloaded modules and what is told about them.
    @Suite(
        "Pools", .serialized,
        .engines {
            var small = PoolClass(name: "small", policy: $0.pools.defaults)
            small.memoryBytes = 300 << 20
            small.preload = ["decimal", "no_such_module"]
            small.policy.max = 2
            $0.pools.classes = [small]
            $0.pools.defaults.minIdle = 0
        })
    struct PoolTests {
        private static let look = """
            import sys
            LOADED = sorted(set(sys.modules) & {'decimal', 'fractions'})
            def main():
                return LOADED
            """

        private static func isLoaded(_ job: JobOutcome) -> [String] {
            guard case .array(let items)? = job.value else { return [] }
            return items.compactMap { if case .string(let text) = $0 { text } else { nil } }
        }

        @Test("a request is rounded up to a declared class, and finds its modules imported", arguments: runtimesHere)
        func rounded(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            try await waitUntil("a stem cell of the class waits") {
                await engine.engine.pools().contains { $0.name == "small" && $0.stem == 1 }
            }
            let outcome = try await engine.run(source: Self.look) { $0.resources.memoryBytes = 200 << 20 }
            #expect(Self.isLoaded(outcome) == ["decimal"], "\(outcome.summary)")
            #expect(outcome.job.start == .stem)
            // While it is being cleaned, the next stem cell would be taken.
            try await waitUntil("the sandbox is free again") {
                await engine.engine.pools().contains { $0.name == "small" && $0.warm == 1 && $0.busy == 0 }
            }
            let again = try await engine.run(source: Self.look) { $0.resources.memoryBytes = 250 << 20 }
            #expect(again.job.start == .warm && again.job.sandbox == outcome.job.sandbox)
            let other = try await engine.run(source: Self.look)
            #expect(Self.isLoaded(other) == [] && other.job.sandbox != outcome.job.sandbox)
            guard runtime == "docker" else { return }
            let limit = """
                import os
                def main():
                    for name in ('memory/memory.limit_in_bytes', 'memory.max'):
                        path = '/sys/fs/cgroup/' + name
                        if os.path.exists(path): return int(open(path).read())
                """
            let measured = try await engine.run(source: limit) { $0.resources.memoryBytes = 200 << 20 }
            #expect(measured.value == .integer(300 << 20), "\(measured.summary)")
        }

        @Test("a job's own modules are imported ahead beside those of its class", arguments: runtimesHere)
        func ownModules(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let outcome = try await engine.run(source: Self.look) {
                $0.resources.memoryBytes = 200 << 20
                $0.preload = ["fractions"]
            }
            #expect(Self.isLoaded(outcome) == ["decimal", "fractions"], "\(outcome.summary)")
        }

        @Test("a module that cannot be imported is told to the job and in the pool's status", arguments: runtimesHere)
        func errors(_ runtime: String) async throws {
            let engine = try await sharedEngine(runtime)
            let outcome = try await engine.run(source: Self.look) { $0.preload = ["fractions", "nowhere_to_be_found"] }
            #expect(Self.isLoaded(outcome) == ["decimal", "fractions"], "fractions imports decimal")
            let events = try await engine.events(outcome.job.id)
            let failures = events.filter { $0["type"] == "preload_error" }
            #expect(failures.map { $0["module"] } == ["nowhere_to_be_found"])
            let message = String(describing: failures.first?["message"])
            #expect(message.contains("ModuleNotFoundError"))
            let plain = try await engine.run(source: Self.look)
            #expect(try await engine.events(plain.job.id).allSatisfy { $0["type"] != "preload_error" })
            let pool = try #require(await engine.engine.pools().first { $0.name == "small" })
            #expect(pool.preloadErrors.map(\.module) == ["no_such_module"])
            #expect(await engine.engine.pools(for: .default).first { $0.name == "small" }?.preloadErrors.count == 1)
        }
    }
}
