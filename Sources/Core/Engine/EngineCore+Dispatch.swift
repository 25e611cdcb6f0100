import Foundation
import NIOCore

extension EngineCore {
    /// Takes a job into the engine and looks for its place to run.
    func enter(_ job: ActiveJob) {
        if jobs.updateValue(job, forKey: job.job.id) == nil {
            if job.isReserved { job.isReserved = false } else { takePlace(of: job) }
            if !feeds.isEmpty { job.feed = feeds[job.job.tenant] }
        }
        job.turn = nextTurn
        nextTurn += 1
        if job.events.isEmpty {
            job.emit(.update(.queued, attempt: job.job.attempt, message: nil, error: nil), at: job.job.createdAt)
        }
        if job.job.kind == .handler {
            runDirect(job)
        } else if let place = readyPlace(of: job) {
            requestSandbox(job, place.sandboxClass, place.specialisation)
        } else {
            job.phase = .preparing
            let id = job.job.id
            spawn { await $0.prepare(id) }
        }
    }

    /// Asks the pool for a sandbox; a free one is granted within this call.
    func requestSandbox(_ job: ActiveJob, _ sandboxClass: SandboxClass, _ specialisation: Specialisation) {
        guard !isDraining else {
            // It stays queued: the next start takes it up.
            job.phase = .waiting
            return
        }
        // Before its tenant's limits may keep it back: what waits for them needs its environment as well.
        job.environment = specialisation.environment
        guard admit(job, Place(sandboxClass: sandboxClass, specialisation: specialisation)) else { return }
        let request = RequestID(nextRequest)
        nextRequest += 1
        job.request = request
        job.phase = .waiting
        job.sandboxClass = sandboxClass
        requests[request] = job
        tellPool(.request(request, sandboxClass, specialisation, priority: job.priority, weight: 1, turn: job.turn))
        if let message = waitsFor(job) {
            job.emit(.update(.queued, attempt: job.job.attempt, message: message, error: nil))
        }
    }

    /// Gives a job its sandbox: claims it durably and sends START.
    func dispatch(_ job: ActiveJob, to sandbox: Sandbox, start: Job.Start) {
        if let wanted = job.plan.python, let hello = sandbox.hello, hello.pythonMinor != wanted {
            tellPool(.released(sandbox.id, slot: job.slot, clean: true, reason: "the Python versions differ"))
            fail(
                job,
                JobError(
                    kind: .protocol, type: "PythonMismatch",
                    message: "the callable was pickled by Python \(wanted), but the image "
                        + "\(sandbox.sandboxClass.image.isEmpty ? "of this runtime" : sandbox.sandboxClass.image) has "
                        + "Python \(hello.pythonMinor): use an image with Python \(wanted), or send source"))
            return
        }
        guard fits(job, sandbox) else {
            tellPool(.released(sandbox.id, slot: job.slot, clean: true, reason: "it lacks cloudpickle"))
            job.phase = .preparing
            learn(sandbox)
            let id = job.job.id
            spawn { await $0.prepare(id) }
            return
        }
        guard let input = job.input else {
            sandbox.slot(of: job).job = job
            job.phase = .claiming
            let (id, sandboxID) = (job.job.id, sandbox.id)
            spawn { await $0.loadInput(of: id, then: sandboxID, start) }
            return
        }
        claim(job, for: sandbox, start: start, input: input)
    }

    private func claim(_ job: ActiveJob, for sandbox: Sandbox, start: Job.Start, input: ActiveJob.Input) {
        if !job.repeatsAttempt { job.job.attempt += 1 }
        job.repeatsAttempt = false
        job.isSent = false
        let reference = TaskReference(
            job: job.job.id.description, attempt: job.job.attempt, nonce: TaskReference.makeNonce())
        job.reference = reference
        discountInput(of: job)
        job.claimedAt = .now()
        job.phase = .claiming
        job.job.state = .starting
        job.job.sandbox = sandbox.id.description
        job.job.start = start
        job.job.gpus = gpuGrant(of: sandbox)
        job.job.timings.queued = seconds(from: job.submittedAt, to: job.claimedAt)
        sandbox.slot(of: job).job = job
        counters.starts[start, default: 0] += 1
        if !sandbox.preloadErrors.isEmpty { tellPreloadErrors(of: sandbox, to: job) }
        let id = job.job.id
        if mayOverlap(job), job.isHeld {
            job.heldClaim = reference
            sendStart(job, in: sandbox, input: input)
        } else if mayOverlap(job) {
            storeClaim(job) { core, result in core.claimed(id, reference, result, overlapped: true) }
            sendStart(job, in: sandbox, input: input)
        } else {
            storeClaim(job) { core, result in core.claimed(id, reference, result, overlapped: false) }
        }
    }

    /// Whether START may leave before the claim is durable.
    ///
    /// Only for a first attempt without an idempotency key, whose claim is its first commit: a job that was accepted
    /// before could run twice.
    private func mayOverlap(_ job: ActiveJob) -> Bool {
        configuration.jobs.claim == .overlapped && job.job.attempt == 1 && !job.isKeyed && !job.isInserted
    }

    /// Commits a claim that was held back.
    func releaseClaim(_ job: ActiveJob) {
        guard let reference = job.heldClaim else { return }
        job.heldClaim = nil
        let id = job.job.id
        storeClaim(job) { core, result in core.claimed(id, reference, result, overlapped: true) }
    }

    private func storeClaim(
        _ job: ActiveJob,
        then next: @escaping @Sendable (isolated EngineCore, Result<StoreOutcome, EngineError>) -> Void
    ) {
        if job.isInserted {
            let claim = JobClaim(
                attempt: JobAttempt(id: job.job.id, attempt: job.job.attempt), sandbox: job.job.sandbox ?? "",
                nonce: Array((job.reference?.nonce ?? "").utf8), start: job.job.start, bootID: folders.bootID,
                at: Date())
            commit(.claim(claim), of: job.job.id, then: next)
            return
        }
        job.isInserted = true
        do {
            let row = try row(of: job)
            guard !needsDurableFile(job) else { return insertLarge(job, row, then: next) }
            commit(.insert([row], idempotency: job.keyClaim), then: next)
        } catch {
            next(self, .failure(error as? EngineError ?? EngineError(.internalFault, "\(error)")))
        }
    }

    /// Goes on when a claim is durable.
    private func claimed(
        _ id: JobID, _ reference: TaskReference, _ result: Result<StoreOutcome, EngineError>, overlapped: Bool
    ) {
        guard let job = jobs[id] else { return }
        if case .success(let outcome) = result, outcome.isRefusal {
            noteStore(nil)
            refuse(job, outcome)
            return
        }
        guard job.reference == reference else {
            // The attempt is over already; whether the job is stored still has to be said.
            switch result {
            case .success: job.accept()
            case .failure(let error): if !job.committed.isSet { abort(job, error) }
            }
            return
        }
        switch result {
        case .success(.applied(false)):
            // Somebody else moved the row: only a fault of ours can do that.
            logger.error("a claim found its job in another state", metadata: ["job": "\(id)"])
            giveUp(job, EngineError(.internalFault, "the job's claim was not accepted by the store"))
        case .success:
            noteStore(nil)
            job.accept()
            guard !overlapped, job.phase == .claiming else { return }
            guard let sandbox = job.sandbox(in: sandboxes), let input = job.input else {
                retryUnstarted(job)
                return
            }
            sendStart(job, in: sandbox, input: input)
        case .failure(let error):
            noteStore(error)
            giveUp(job, error)
        }
    }

    /// Sends START, unless the job was cancelled meanwhile.
    private func sendStart(_ job: ActiveJob, in sandbox: Sandbox, input: ActiveJob.Input) {
        guard let reference = job.reference, sandbox.slot(of: job).job === job else { return }
        if job.job.cancelRequested {
            releaseUnused(sandbox, job)
            end(job, .cancelled)
            return
        }
        var env = job.plan.env
        env["SLIPWAY_JOB_ID"] = job.job.id.description
        env["SLIPWAY_ATTEMPT"] = String(job.job.attempt)
        for name in job.plan.secrets {
            guard let value = secrets.value(of: name) else {
                releaseUnused(sandbox, job)
                logger.error("a secret has no value: look at its source", metadata: ["secret": "\(name)"])
                return fail(job, Self.missing(secret: name))
            }
            env[name] = value
        }
        guard fits(env, of: job) else {
            releaseUnused(sandbox, job)
            return fail(job, Self.tooLongEnvironment)
        }
        let start = RunnerCommand.Start(
            reference: reference, slot: job.slot, kind: job.job.kind, name: job.job.name,
            timeoutSeconds: job.plan.timeoutSeconds,
            env: env, isZlib: input.isZlib, inflatedLimitBytes: configuration.jobs.payloadInflatedMaxBytes,
            resultLimitBytes: configuration.jobs.resultLimitBytes,
            logLimitBytes: configuration.jobs.logLimitBytes, python: job.plan.python, openFiles: job.plan.openFiles)
        guard sandbox.send(.start(start, input: input.bytes)) else {
            sandbox.slot(of: job).job = nil
            lose(sandbox, reason: "its connection was lost")
            retryUnstarted(job)
            return
        }
        job.isSent = true
        job.phase = .running
        job.job.state = .running
        job.startedAt = .now()
        job.job.startedAt = Date()
        job.job.timings.start = seconds(from: job.claimedAt, to: job.startedAt)
        job.hostDeadline =
            .now() + .nanoseconds(Int64((job.plan.timeoutSeconds + hostGraceSeconds) * 1e9))
        if input.bytes.count > ActiveJob.inputKeptBytes, let stored = job.storedInput, stored.inline == nil {
            job.input = nil
        }
        job.emit(
            .update(.running, attempt: job.job.attempt, message: nil, error: nil),
            at: job.job.startedAt ?? Date())
    }

    /// Whether START can hold a task's variables: a secret may have grown since its job was submitted.
    private func fits(_ env: [String: String], of job: ActiveJob) -> Bool {
        if job.plan.env.isEmpty, job.plan.secrets.isEmpty { return true }
        return EnvironmentSize.bytes(of: env) <= EnvironmentSize.limitBytes + EnvironmentSize.ownBytes
    }

    private static func missing(secret name: String) -> JobError {
        JobError(
            kind: .startFailed, type: "SecretMissing",
            message: "the secret '\(name)' has no value: the gateway cannot read its source (secrets.\(name))")
    }

    private static var tooLongEnvironment: JobError {
        JobError(
            kind: .startFailed, type: "EnvironmentTooLarge",
            message: "the task's variables and the values of its secrets have more than \(EnvironmentSize.limitBytes) "
                + "bytes as JSON: a secret is longer than when the job was submitted")
    }

    /// Gives a sandbox back that ran nothing.
    func releaseUnused(_ sandbox: Sandbox, _ job: ActiveJob) {
        sandbox.slot(of: job).job = nil
        tellPool(.released(sandbox.id, slot: job.slot, clean: true, reason: "not used"))
    }

    /// How much later than the runner the host itself ends a job.
    var hostGraceSeconds: Double { configuration.runner.killGrace.seconds + 4 }

    private func loadInput(of id: JobID, then sandboxID: SandboxID, _ start: Job.Start) async {
        guard let job = jobs[id] else { return }
        do {
            let input = try await readInput(of: job)
            guard let sandbox = sandboxes[sandboxID], sandbox.slot(of: job).job === job, job.phase == .claiming else {
                // Whoever lost the sandbox meanwhile has put the job back, and it may be in another one by now.
                if !sandboxes.values.contains(where: { $0.slot(of: job).job === job }) { retryUnstarted(job) }
                return
            }
            job.input = input
            claim(job, for: sandbox, start: start, input: input)
        } catch {
            guard !isDraining else { return }
            if let sandbox = sandboxes[sandboxID], sandbox.slot(of: job).job === job { releaseUnused(sandbox, job) }
            let failure = error as? EngineError
            fail(
                job,
                JobError(
                    kind: failure?.code == .artifactCorrupt ? .artifactCorrupt : .lost,
                    message: failure?.message ?? "the task's input cannot be read: \(error)"))
        }
    }

    func seconds(from start: NIODeadline?, to end: NIODeadline?) -> Double? {
        guard let start, let end else { return nil }
        return max(0, Double((end - start).nanoseconds) * 1e-9)
    }
}

extension ActiveJob {
    /// The sandbox that runs the job.
    func sandbox(in sandboxes: [SandboxID: Sandbox]) -> Sandbox? {
        guard let text = job.sandbox, let id = SandboxID(text), let sandbox = sandboxes[id],
            sandbox.slot(of: self).job === self
        else { return nil }
        return sandbox
    }
}
