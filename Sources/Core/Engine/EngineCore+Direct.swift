import Foundation
import NIOCore

extension EngineCore {
    /// Runs a task of kind `handler` by the Swift handler of its name.
    func runDirect(_ job: ActiveJob) {
        guard let name = job.plan.handlerName, let handler = handlers[name] else {
            let known = handlers.keys.sorted().joined(separator: ", ")
            job.phase = .preparing
            fail(
                job,
                JobError(
                    kind: .startFailed,
                    message: "no handler '\(job.plan.handlerName ?? "")' is registered; there are: "
                        + (known.isEmpty ? "none" : known)))
            return
        }
        job.phase = .claiming
        let id = job.job.id
        spawn { await $0.startDirect(id, handler) }
    }

    private func startDirect(_ id: JobID, _ handler: any TaskHandler) async {
        guard let job = jobs[id] else { return }
        do {
            // Its submit is storing it.
            _ = try await job.committed.wait(upTo: .seconds(86_400), on: loop)
            guard jobs[id] === job, job.phase == .claiming else { return }
            if !job.repeatsAttempt { job.job.attempt += 1 }
            job.repeatsAttempt = false
            job.claimedAt = .now()
            job.job.timings.queued = seconds(from: job.submittedAt, to: job.claimedAt)
            let reference = TaskReference(
                job: id.description, attempt: job.job.attempt, nonce: TaskReference.makeNonce())
            job.reference = reference
            let claim = JobClaim(
                attempt: JobAttempt(id: id, attempt: job.job.attempt), sandbox: "direct",
                nonce: Array(reference.nonce.utf8), start: nil, bootID: folders.bootID, at: Date())
            let isClaimed: Bool
            do {
                isClaimed = try await store.perform(.claim(claim)) == .applied(true)
                noteStore(nil)
            } catch {
                guard jobs[id] === job, job.phase == .claiming else { return }
                let failure = error as? EngineError ?? EngineError(.internalFault, "\(error)")
                noteStore(failure)
                return giveUp(job, failure)
            }
            guard jobs[id] === job, job.phase == .claiming else { return }
            guard isClaimed else {
                throw EngineError(.internalFault, "the job's claim was not accepted by the store")
            }
            job.job.state = .running
            job.phase = .running
            job.startedAt = .now()
            job.job.startedAt = Date()
            job.hostDeadline =
                .now() + .nanoseconds(Int64((job.plan.timeoutSeconds + 1) * 1e9))
            job.emit(.update(.running, attempt: job.job.attempt, message: nil, error: nil))
            if job.job.cancelRequested {
                end(job, .cancelled)
                return
            }
            let input = try await directInput(of: job)
            guard jobs[id] === job, job.phase == .running else { return }
            if job.job.cancelRequested {
                end(job, .cancelled)
                return
            }
            let context = TaskContext(
                jobID: id, attempt: job.job.attempt, tenant: job.job.tenant, input: input,
                emitter: { type, value in await self.emitDirect(id, reference, type: type, value: value) })
            job.directTask = Task { await self.perform(handler, context, id, reference) }
        } catch {
            let failure = error as? EngineError ?? EngineError(.internalFault, "\(error)")
            if job.committed.isSet {
                failAttempt(job, JobError(kind: .lost, message: failure.message))
            } else {
                abort(job, failure)
            }
        }
    }

    private func directInput(of job: ActiveJob) async throws -> JSONValue {
        let input: ActiveJob.Input
        if let known = job.input { input = known } else { input = try await readInput(of: job) }
        let bytes =
            input.isZlib
            ? try PayloadCodec.inflated(zlib: input.bytes, limit: configuration.jobs.payloadInflatedMaxBytes)
            : input.bytes
        return try JSONValue(parsing: bytes)
    }

    private func perform(
        _ handler: any TaskHandler, _ context: TaskContext, _ id: JobID, _ reference: TaskReference
    ) async {
        let outcome: Result<TaskOutput, any Error>
        do {
            outcome = .success(try await handler.execute(context))
        } catch {
            outcome = .failure(error)
        }
        guard let job = jobs[id], job.reference == reference, job.phase == .running else { return }
        job.job.timings.run = seconds(from: job.startedAt, to: .now())
        switch outcome {
        case .success(let output):
            let (media, bytes) = output.encoded
            do {
                let kept = KeptPayload(inRow: try PayloadCodec.pack(bytes))
                end(job, Ending(state: .completed, media: media, plain: bytes, kept: kept))
            } catch {
                fail(job, JobError(kind: .exception, message: "the result cannot be packed: \(error)"))
            }
        case .failure(let error):
            if job.job.cancelRequested {
                end(job, .cancelled)
            } else {
                failAttempt(
                    job,
                    JobError(
                        kind: .exception, type: String(describing: Swift.type(of: error)), message: "\(error)"))
            }
        }
    }

    private func emitDirect(_ id: JobID, _ reference: TaskReference, type: String, value: [String: JSONValue]) {
        guard let job = jobs[id], job.reference == reference, job.phase == .running,
            job.events.count < configuration.jobs.eventsMax,
            JSONParser.isJSON(JSONValue.object(value).serialized(), depth: EventContent.depthMax)
        else { return }
        let content = EventContent(type: type, members: value)
        guard job.emittedBytes + content.sizeBytes <= ActiveJob.emittedLimitBytes else { return }
        job.emittedBytes += content.sizeBytes
        job.emit(content)
    }
}
