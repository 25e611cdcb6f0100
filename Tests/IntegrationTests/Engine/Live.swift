import SlipwayCore
import TestSupport
import Testing

/// What runs on live engines and is about jobs, one test after the other: two cores run two engines well, and no more.
@Suite("Live engines, jobs", .serialized)
enum LiveJobs {}

/// What runs on live engines and is about sandboxes, their limits and what may happen to them; beside the other.
@Suite("Live engines, sandboxes", .serialized)
enum LiveSandboxes {}

/// Engines that the tests of a suite share; each is started when it is first asked for.
actor SharedEngines {
    @TaskLocal static var current: SharedEngines?

    private let tweak: @Sendable (inout Configuration) -> Void
    private let handlers: [any TaskHandler]
    private var engines: [String: TestEngine] = [:]

    init(handlers: [any TaskHandler], tweak: @escaping @Sendable (inout Configuration) -> Void) {
        self.handlers = handlers
        self.tweak = tweak
    }

    func engine(_ runtime: String) async throws -> TestEngine {
        if let known = engines[runtime] { return known }
        let made = try await TestEngine.start(runtime, handlers: handlers, tweak: tweak)
        engines[runtime] = made
        return made
    }

    /// Stops them all; whatever one leaves behind is a failure.
    func shutdown() async throws {
        for (runtime, engine) in engines {
            let left = try await engine.shutdown()
            #expect(left == [], "the \(runtime) engine left something behind")
        }
        engines = [:]
    }
}

/// Gives a suite its shared engines, and checks at its end that nothing of them is left.
struct EngineTrait: SuiteTrait, TestScoping {
    var handlers: [any TaskHandler] = []
    var tweak: @Sendable (inout Configuration) -> Void = { _ in }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let engines = SharedEngines(handlers: handlers, tweak: tweak)
        try await SharedEngines.$current.withValue(engines) { try await function() }
        try await engines.shutdown()
    }
}

extension Trait where Self == EngineTrait {
    static func engines(
        handlers: [any TaskHandler] = [], _ tweak: @escaping @Sendable (inout Configuration) -> Void = { _ in }
    ) -> Self { EngineTrait(handlers: handlers, tweak: tweak) }
}

/// The suite's engine of a runtime.
func sharedEngine(_ runtime: String) async throws -> TestEngine {
    try await #require(SharedEngines.current).engine(runtime)
}

/// The runtimes that can be had here; that docker is missing is reported by a skipped test.
let runtimesHere = ContainerEngine.answers ? ["docker", "process"] : ["process"]

/// Whether tests that need containers can run.
@Sendable func hasContainers() -> Bool { ContainerEngine.answers }
