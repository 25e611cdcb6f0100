import Logging
import Synchronization

/// Pulls images: each once, however many wait for it, and no more at a time than may be.
package final class ImagePuller: Sendable {
    /// When and how images are pulled.
    package struct Options: Sendable {
        package var policy: Configuration.Images.Pull
        package var timeout: Duration
        package var stall: Duration
        package var pullsMax: Int
        /// How long a failed pull is answered from memory.
        package var failureMemory = Duration.seconds(5)

        package init(_ images: Configuration.Images) {
            policy = images.pull
            timeout = images.pullTimeout
            stall = images.pullStall
            pullsMax = images.pullsMax
        }
    }

    /// What somebody who waits is told.
    package typealias Listener = @Sendable (String) -> Void

    private struct Waiter {
        let continuation: CheckedContinuation<Void, any Error>
        let listener: Listener
    }

    private struct Pull {
        var waiters: [UInt64: Waiter] = [:]
        var task: Task<Void, Never>?
        var text = ""
        let started = ContinuousClock.now
        var toldAt: ContinuousClock.Instant?
    }

    private struct State {
        var pulls: [String: Pull] = [:]
        var failures: [String: (error: EngineError, at: ContinuousClock.Instant)] = [:]
        var nextWaiter: UInt64 = 0
    }

    package let options: Options
    private let client: DockerClient
    private let registries: RegistryDirectory
    private let logger: Logger
    private let state = Mutex(State())
    private let gate: FairGate

    package init(client: DockerClient, options: Options, registries: RegistryDirectory, logger: Logger) {
        gate = FairGate(places: options.pullsMax)
        self.client = client
        self.options = options
        self.registries = registries
        self.logger = logger
    }

    /// Pulls an image, or waits for the pull that is under way; the last who stops waiting ends it.
    ///
    /// - Parameter tenant: Who asks; where pulls have to wait, tenants take turns. Nil is the operator.
    /// - Throws: `EngineError` that names the image and what to change; `CancellationError`.
    package func pull(_ reference: String, for tenant: TenantID?, listener: @escaping Listener) async throws {
        let number = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                join(reference, number, tenant, Waiter(continuation: continuation, listener: listener))
                if Task.isCancelled { leave(reference, number) }
            }
        } onCancel: {
            leave(reference, number)
        }
    }

    private func join(_ reference: String, _ number: UInt64, _ tenant: TenantID?, _ waiter: Waiter) {
        enum Step {
            case wait(String)
            case fail(EngineError)
        }
        let step = state.withLock { state -> Step in
            if let failure = state.failures[reference], failure.at.duration(to: .now) < options.failureMemory {
                return .fail(failure.error)
            }
            var pull = state.pulls[reference] ?? Pull()
            pull.waiters[number] = waiter
            if pull.task == nil { pull.task = Task { await self.run(reference, for: tenant) } }
            state.pulls[reference] = pull
            return .wait(pull.text)
        }
        switch step {
        case .wait(let text): if !text.isEmpty { waiter.listener(text) }
        case .fail(let error): waiter.continuation.resume(throwing: error)
        }
    }

    private func leave(_ reference: String, _ number: UInt64) {
        let (waiter, task) = state.withLock { state -> (Waiter?, Task<Void, Never>?) in
            let waiter = state.pulls[reference]?.waiters.removeValue(forKey: number)
            guard waiter != nil, let pull = state.pulls[reference], pull.waiters.isEmpty else { return (waiter, nil) }
            // Whoever comes next begins anew; the engine has kept the layers that were whole.
            state.pulls[reference] = nil
            return (waiter, pull.task)
        }
        task?.cancel()
        waiter?.continuation.resume(throwing: CancellationError())
    }

    private func run(_ reference: String, for tenant: TenantID?) async {
        let outcome: Result<Void, any Error>
        do {
            try await gate.run(for: tenant) {
                try Task.checkCancellation()
                try await fetch(reference)
            }
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        // A pull that was given up has no waiters, and its place may be another one's by now.
        if Task.isCancelled { return }
        finish(reference, outcome)
    }

    private func fetch(_ reference: String) async throws {
        tell(reference, "pulling image \(reference)", isFirst: true)
        logger.info("pulling an image", metadata: ["image": "\(reference)"])
        try await client.pullImage(
            reference, credentials: try registries.credentials(for: ImageName(reference).registry),
            total: options.timeout, idle: options.stall
        ) { progress in
            self.tell(reference, "pulling image \(reference): \(progress.text)", isFirst: false)
        }
        logger.info("pulled an image", metadata: ["image": "\(reference)"])
    }

    private func finish(_ reference: String, _ outcome: Result<Void, any Error>) {
        let waiters = state.withLock { state -> [Waiter] in
            if case .failure(let error as EngineError) = outcome, error.code != .containerEngineUnavailable {
                if state.failures.count >= 256 { state.failures = [:] }
                state.failures[reference] = (error, .now)
            }
            return (state.pulls.removeValue(forKey: reference)?.waiters.values).map(Array.init) ?? []
        }
        for waiter in waiters { waiter.continuation.resume(with: outcome) }
    }

    /// Passes progress on: often at first, then less and less, so that a long pull does not fill anybody's events.
    private func tell(_ reference: String, _ text: String, isFirst: Bool) {
        let listeners = state.withLock { state -> [Listener] in
            guard var pull = state.pulls[reference], pull.text != text else { return [] }
            let now = ContinuousClock.now
            let pause = max(.seconds(1), pull.started.duration(to: now) / 10)
            if let told = pull.toldAt, !isFirst, told.duration(to: now) < pause { return [] }
            pull.text = text
            pull.toldAt = now
            state.pulls[reference] = pull
            return pull.waiters.values.map(\.listener)
        }
        for listener in listeners { listener(text) }
    }
}
