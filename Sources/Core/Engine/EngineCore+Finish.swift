import Foundation
import NIOCore
import NIOPosix

extension EngineCore {
    /// How a job ends, before it is stored.
    struct Ending: Sendable {
        var state: JobState
        var error: JobError?
        var exitCode: Int?
        var usage: Job.Usage?
        var media: JobResult.Media?
        var plain: [UInt8] = []
        /// The result as it rests, and as callers over REST get it.
        var kept: KeptPayload?
        /// The files that the task left.
        var outputs: StoredOutputs?
    }

    /// The bytes of a result as the runner sent them.
    private struct Answer {
        let bytes: [UInt8]
        let isZlib: Bool
        /// How many bytes are said to come out of a zlib stream.
        let inflatedBytes: Int

        /// Writes them to their file, where they are many.
        ///
        /// A zlib stream is inflated while it is written, and becomes an artifact only if it is whole.
        func keep(
            as id: JobID, in artifacts: ArtifactStore, _ jobs: Configuration.Jobs, on threads: NIOThreadPool
        ) async throws -> (plain: [UInt8], kept: KeptPayload) {
            guard isZlib else {
                let kept = try await threads.runIfActive {
                    try artifacts.keep(
                        bytes, as: .result, of: id, inlineMaxBytes: jobs.inlineMaxBytes, keepsText: true)
                }
                return (bytes, kept)
            }
            async let inflated = threads.runIfActive {
                try PayloadCodec.inflated(zlib: bytes, limit: jobs.resultLimitBytes, expected: inflatedBytes)
            }
            async let draft = threads.runIfActive {
                try artifacts.packedDraft(zlib: bytes, inlineMaxBytes: jobs.inlineMaxBytes, keepsText: true)
            }
            let (plain, packed) = try await (inflated, draft)
            let kept = try await threads.runIfActive {
                try packed.publish(as: .result, of: id, plainSize: plain.count)
            }
            return (plain, kept)
        }
    }

    /// Takes the result of an attempt.
    func finish(_ job: ActiveJob, _ result: RunnerMessage.Result, body: ByteBuffer, sandbox: Sandbox) {
        var bytes = job.resultParts
        job.resultParts = []
        bytes.append(contentsOf: body.readableBytesView)
        guard job.outputs?.summary != nil || job.outputs == nil else {
            violated(sandbox, "RESULT before OUTPUTS")
            failAttempt(job, JobError(kind: .protocol, message: "the sandbox did not end the task's outputs"))
            return
        }
        guard bytes.count == result.sizeBytes, bytes.count <= configuration.jobs.resultLimitBytes else {
            violated(sandbox, "a result of \(bytes.count) bytes that announced \(result.sizeBytes)")
            failAttempt(job, JobError(kind: .protocol, message: "the sandbox announced another size of the result"))
            return
        }
        job.flushText()
        let elapsed = seconds(from: job.startedAt, to: .now())
        // Its result may have waited for this process to start.
        let told = job.isTakenBack ? result.runSeconds : nil
        job.job.timings.run = elapsed.map { min($0, told ?? $0) }
        var ending = Self.ending(of: result, job: job)
        if let cpu = result.cpuSeconds {
            ending.usage = Job.Usage(
                cpuSeconds: cpu, maxRSSBytes: result.maxRSSBytes ?? 0,
                sandboxMemoryPeakBytes: result.sandboxMemoryPeakBytes)
        }
        if ending.state == .error, mayRetry(job, ending.error) {
            retry(job, ending.error, acknowledging: sandbox.id)
            return
        }
        let answer = Answer(bytes: bytes, isZlib: result.isZlib, inflatedBytes: result.inflatedBytes)
        guard job.outputs != nil else { return finishKept(job, answer, ending) }
        keepOutputs(job, ending) { core, job, ending in core.finishKept(job, answer, ending) }
    }

    /// Goes on when the files that the task left, if any, are kept.
    private func finishKept(_ job: ActiveJob, _ answer: Answer, _ ending: Ending) {
        guard ending.state == .completed else { return end(job, ending) }
        packResult(job, answer, ending)
    }

    /// Packs a result for rest, on another thread when it is large, and ends the job with it.
    private func packResult(_ job: ActiveJob, _ answer: Answer, _ ending: Ending) {
        job.phase = .finishing
        let id = job.job.id
        if answer.bytes.count <= Self.offloadBytes, !answer.isZlib {
            var packed = ending
            do {
                packed.plain = answer.bytes
                packed.kept = KeptPayload(inRow: try PayloadCodec.pack(answer.bytes))
                finishPacked(id, .success(packed), ending)
            } catch {
                finishPacked(id, .failure(error), ending)
            }
            return
        }
        let (artifacts, jobs) = (artifacts, configuration.jobs)
        spawn { core in
            do {
                var packed = ending
                (packed.plain, packed.kept) = try await core.finishing {
                    try await answer.keep(as: id, in: artifacts, jobs, on: $0)
                }
                core.finishPacked(id, .success(packed), ending)
            } catch let error as EngineError where error.code == .storageFull {
                core.packLater(id, answer, ending, error)
            } catch {
                core.finishPacked(id, .failure(error), ending)
            }
        }
    }

    /// Tries again to write a result for which there was no room; where too much waits for it already, the result is lost.
    private func packLater(_ id: JobID, _ answer: Answer, _ ending: Ending, _ error: EngineError) {
        let isFirst = waitingResults.fault == nil
        guard waitingResults.keep(answer.bytes.count, of: id, because: error) else {
            return finishPacked(id, .failure(error), ending)
        }
        if isFirst {
            logger.error("results wait for room on the disk, and no job is accepted", metadata: ["reason": "\(error)"])
        }
        loop.scheduleTask(in: .seconds(1)) {
            self.assumeIsolated { core in
                guard !core.isStopped else { return }
                guard let job = core.jobs[id], job.phase == .finishing else { return core.leaveWaiting(id) }
                core.packResult(job, answer, ending)
            }
        }
    }

    private func leaveWaiting(_ id: JobID) {
        if waitingResults.leave(id) { logger.notice("the disk has room for results again") }
    }

    private func finishPacked(_ id: JobID, _ result: Result<Ending, any Error>, _ unpacked: Ending) {
        leaveWaiting(id)
        guard let job = jobs[id], job.phase == .finishing else {
            if case .success(let ending) = result { return discardFiles(of: id, ending, journal: nil) }
            return discardFiles(of: id, unpacked, journal: nil)
        }
        switch result {
        case .success(let ending):
            end(job, ending)
        case .failure(let error):
            let failure = error as? EngineError
            let isDisk = failure?.code == .storageFull || failure?.code == .storage
            var ending = Ending(
                state: .error,
                error: JobError(
                    kind: isDisk ? .lost : .protocol,
                    message: "the result cannot be kept: \(failure?.message ?? "\(error)")"))
            ending.outputs = unpacked.outputs
            end(job, ending)
        }
    }

    /// Ends a job in a state without a result.
    func end(_ job: ActiveJob, _ state: JobState) { end(job, Ending(state: state)) }

    /// Ends a job with an error of the engine.
    func fail(_ job: ActiveJob, _ error: JobError) {
        end(job, Ending(state: .error, error: failureWords.cut(error)))
    }

    /// Stores the end of a job and tells everybody who waits for it.
    func end(_ job: ActiveJob, _ ending: Ending) {
        guard job.phase != .ended else { return }
        job.phase = .finishing
        job.directTask = nil
        if let request = job.request {
            requests[request] = nil
            job.request = nil
            tellPool(.cancelRequest(request))
        }
        guard job.job.state.allows(ending.state) else {
            logger.error(
                "an illegal transition was refused",
                metadata: ["job": "\(job.job.id)", "from": "\(job.job.state)", "to": "\(ending.state)"])
            return
        }
        let now = Date()
        job.flushText()
        job.job.finishedAt = now
        job.job.error = ending.error
        job.job.exitCode = ending.exitCode
        job.job.usage = ending.usage
        job.job.timings.total = seconds(from: job.submittedAt, to: .now())
        job.emit(.update(ending.state, attempt: job.job.attempt, message: nil, error: ending.error), at: now)
        storeEnd(job, ending, at: now)
    }

    private func storeEnd(_ job: ActiveJob, _ ending: Ending, at now: Date) {
        let id = job.job.id
        guard job.hasJournal else {
            commitEnd(id, ending, nil, at: now)
            return
        }
        let inlineMax = configuration.jobs.inlineMaxBytes
        let (events, artifacts) = (job.events, artifacts)
        let pack: @Sendable () throws -> StoredArtifact = {
            try artifacts.keep(
                Journal.encode(events), as: .journal, of: id, inlineMaxBytes: inlineMax, keepsText: false
            ).stored
        }
        // Short ones are packed here; what has to be written, or takes long, elsewhere.
        guard Journal.isLong(events, bytes: inlineMax / 2) else {
            storeEnd(id, ending, Result(catching: pack), at: now)
            return
        }
        spawn { core in
            let journal: Result<StoredArtifact, any Error>
            do {
                journal = .success(try await core.finishing { try await $0.runIfActive(pack) })
            } catch {
                journal = .failure(error)
            }
            core.storeEnd(id, ending, journal, at: now)
        }
    }

    private func storeEnd(
        _ id: JobID, _ ending: Ending, _ journal: Result<StoredArtifact, any Error>, at now: Date
    ) {
        switch journal {
        case .success(let journal):
            commitEnd(id, ending, journal, at: now)
        case .failure(let error):
            // Better an end without its logs than none.
            logger.error("a job's logs could not be stored", metadata: ["job": "\(id)", "reason": "\(error)"])
            commitEnd(id, ending, nil, at: now)
        }
    }

    private func commitEnd(_ id: JobID, _ ending: Ending, _ journal: StoredArtifact?, at now: Date) {
        guard let job = jobs[id] else { return }
        let finish = JobFinish(
            attempt: JobAttempt(id: id, attempt: job.job.attempt), state: ending.state, error: ending.error,
            exitCode: ending.exitCode, usage: ending.usage, timings: job.job.timings, startedAt: job.job.startedAt,
            finishedAt: now, result: ending.kept?.stored, resultMedia: ending.media, journal: journal,
            outputs: ending.outputs, gpus: job.job.gpus)
        if job.isInserted {
            commit(.finish(finish), of: id) { core, outcome in core.ended(id, ending, outcome, journal, at: now) }
            return
        }
        // It ended before it was stored: both in one commit, the row first.
        job.isInserted = true
        job.isHeld = false
        job.heldClaim = nil
        do {
            let insert = StoreOperation.insert([try row(of: job)], idempotency: job.keyClaim)
            commit(insert, .finish(finish)) { core, inserted, finished in
                core.endedUnstored(id, ending, inserted, finished, journal, at: now)
            }
        } catch {
            abort(job, error as? EngineError ?? EngineError(.internalFault, "\(error)"))
        }
    }

    /// Goes on when row and end of a job were committed together; without its row the job was never accepted.
    private func endedUnstored(
        _ id: JobID, _ ending: Ending, _ inserted: Result<StoreOutcome, EngineError>,
        _ finished: Result<StoreOutcome, EngineError>, _ journal: StoredArtifact?, at now: Date
    ) {
        guard let job = jobs[id] else { return }
        switch inserted {
        case .success(let outcome) where outcome.isRefusal:
            refuse(job, outcome)
            discardFiles(of: id, ending, journal: journal)
        case .success:
            ended(id, ending, finished, journal, at: now)
        case .failure(let error):
            noteStore(error)
            discardFiles(of: id, ending, journal: journal)
            abort(job, error)
        }
    }

    /// Goes on when the end of a job is durable, or tries again when the disk has no room.
    private func ended(
        _ id: JobID, _ ending: Ending, _ outcome: Result<StoreOutcome, EngineError>, _ journal: StoredArtifact?,
        at now: Date
    ) {
        guard let job = jobs[id] else { return }
        switch outcome {
        case .failure(let error):
            noteStore(error)
            loop.scheduleTask(in: .seconds(1)) {
                self.assumeIsolated { $0.commitEnd(id, ending, journal, at: now) }
            }
        case .success(let outcome):
            noteStore(nil)
            if outcome != .applied(true) {
                logger.error("the end of a job was not accepted by the store", metadata: ["job": "\(id)"])
                discardFiles(of: id, ending, journal: journal)
            }
            settle(job, ending)
        }
    }

    /// Tells everybody that a job has ended for good.
    private func settle(_ job: ActiveJob, _ ending: Ending) {
        job.phase = .ended
        job.job.state = ending.state
        acknowledge(job)
        switch ending.state {
        case .completed: counters.completed += 1
        case .cancelled: counters.cancelled += 1
        case .error, .queued, .starting, .running: counters.failed += 1
        }
        forget(job)
        let result = ending.media.map { JobResult(media: $0, bytes: ending.plain, exitCode: ending.exitCode) }
        let outcome = JobOutcome(job: job.job, result: result, packedText: ending.kept?.text)
        job.accept()
        job.tell(outcome)
        job.ended.succeed(outcome)
        job.endFollowers()
    }

    /// Lets the runner drop the result, which is durable here.
    private func acknowledge(_ job: ActiveJob) {
        guard job.isSent, let reference = job.reference, let text = job.job.sandbox, let id = SandboxID(text) else {
            return
        }
        if let sandbox = sandboxes[id] { acknowledge(reference, in: sandbox) }
    }

    /// Takes a job out of the engine's memory.
    func forget(_ job: ActiveJob) {
        job.imageTask?.cancel()
        guard jobs.removeValue(forKey: job.job.id) != nil else { return }
        discountInput(of: job)
        leaveTenant(job)
        giveBackPlaces(1, bytes: job.heldBytes, of: job.job.tenant)
    }

    /// Ends a job whose submission could not be stored: nobody was told that it was accepted.
    func abort(_ job: ActiveJob, _ error: EngineError) {
        if let request = job.request {
            requests[request] = nil
            job.request = nil
            tellPool(.cancelRequest(request))
        }
        if let sandbox = job.sandbox(in: sandboxes) {
            if job.phase == .running, let reference = job.reference {
                sandbox.slot(of: job).cleaning = reference
                sandbox.slot(of: job).job = nil
                sandbox.send(.cancel(reference, reason: "cancelled"))
            } else {
                releaseUnused(sandbox, job)
            }
        }
        if job.phase == .finishing { acknowledge(job) }
        job.phase = .ended
        forget(job)
        discardInputs(of: [job])
        job.committed.fail(error)
        job.ended.fail(error)
        job.endFollowers()
    }
}
