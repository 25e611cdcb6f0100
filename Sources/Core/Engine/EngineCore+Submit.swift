import Foundation
import NIOCore

extension EngineCore {
    /// Inputs above this size are checked and packed on another thread.
    static let offloadBytes = 131_072
    /// Plain inputs above this size are packed while their tasks already run.
    static let packLaterBytes = 1 << 20

    /// A request that has passed every check, with its input packed unless that is done later.
    struct Accepted {
        var job: ActiveJob
        var key: IdempotencyClaim?
    }

    /// Submits a job and waits for its end, up to a limit.
    package func submit(
        _ request: JobRequest, tenant: TenantID, idempotency: IdempotencyKey?, waitingUpTo limit: Duration?,
        for caller: Caller = Caller()
    ) async throws -> JobOutcome {
        let (job, input): (ActiveJob, ActiveJob.Input)
        do {
            (job, input) = try await accept(request, tenant: tenant)
        } catch {
            let earlier = try await replayed(idempotency, of: tenant, or: error)
            return try await wait(for: earlier[0], tenant: tenant, upTo: limit ?? .zero, for: caller)
        }
        defer { giveBackPlace(of: job) }
        let key = try hold(idempotency, of: tenant)
        job.isKeyed = key != nil
        job.isAwaited = limit.map { $0 > .zero } ?? false
        job.input = input
        if let key {
            defer { release(idempotency, of: tenant) }
            job.keyClaim = key
            enter(job)
            if !job.isInserted { insert(job) }
            if let earlier = try await stored(job) {
                return try await wait(for: earlier, tenant: tenant, upTo: limit ?? .zero, for: caller)
            }
        } else {
            if job.isAwaited { hold(job) }
            enter(job)
            if !job.isInserted, !job.isHeld { insert(job) }
        }
        return try await answer(job, waitingUpTo: limit, for: caller)
    }

    /// Waits until a job with an idempotency key is stored, with its claim where a sandbox was free.
    ///
    /// - Returns: The job that the key got before, if it was used for the same request.
    private func stored(_ job: ActiveJob) async throws -> JobID? {
        do {
            _ = try await job.committed.wait(upTo: .seconds(86_400), on: loop)
            return nil
        } catch {
            switch job.refusal {
            case .replay(let ids)?: return ids.first
            case .keyReused?:
                throw EngineError(.keyReused, "this idempotency key was used with another request")
            case .done?, .applied?, .changed?, .missing?, nil: throw error
            }
        }
    }

    /// Submits several jobs, all or none, in one commit.
    package func submit(
        batch requests: [JobRequest], tenant: TenantID, idempotency: IdempotencyKey?
    ) async throws -> [Job] {
        guard (1...configuration.jobs.batchMax).contains(requests.count) else {
            throw EngineError(
                .invalidRequest, "a batch holds 1 to \(configuration.jobs.batchMax) jobs, this one \(requests.count)")
        }
        var accepted: [ActiveJob] = []
        defer { for job in accepted { giveBackPlace(of: job) } }
        do {
            try await accept(requests, tenant: tenant, into: &accepted)
        } catch {
            return try await self.jobs(replayed(idempotency, of: tenant, or: error), tenant: tenant)
        }
        let key = try hold(idempotency, of: tenant)
        defer { release(idempotency, of: tenant) }
        let earlier = try await insertKeyed(accepted, key: key)
        guard earlier.isEmpty else { return try await self.jobs(earlier, tenant: tenant) }
        return accepted.map(\.job.shown)
    }

    /// The jobs of an earlier request with this key, where that was the same one.
    ///
    /// What was accepted stands, whatever has filled up, gone away or changed since.
    package func replayed(_ key: IdempotencyKey?, of tenant: TenantID) async throws -> [JobID] {
        guard let key else { return [] }
        return try await store.jobs(of: key, tenant: tenant)
    }

    /// The same, one at least; throws the error of the request where there are none, or that cannot be said.
    private func replayed(
        _ key: IdempotencyKey?, of tenant: TenantID, or error: any Error
    ) async throws -> [JobID] {
        do {
            let earlier = try await replayed(key, of: tenant)
            if !earlier.isEmpty { return earlier }
        } catch {
            // What the request met first says more.
        }
        throw error
    }

    /// Jobs of a tenant, as they are now.
    package func jobs(_ ids: [JobID], tenant: TenantID) async throws -> [Job] {
        var found: [Job] = []
        for id in ids { found.append(try await job(id, tenant: tenant)) }
        return found
    }

    /// Checks the requests of a batch and makes their jobs.
    private func accept(
        _ requests: [JobRequest], tenant: TenantID, into accepted: inout [ActiveJob]
    ) async throws {
        try checkClasses(of: requests, tenant)
        // All at once: batches that come together would else keep each other from their last ones.
        try takePlaces(for: requests, of: tenant)
        defer {
            let refused = requests.reduce(0) { $0 + $1.heldBytes } - accepted.reduce(0) { $0 + $1.heldBytes }
            giveBackPlaces(requests.count - accepted.count, bytes: refused, of: tenant)
        }
        var faults: [EngineError.Fault] = []
        var first: EngineError?
        for (index, request) in requests.enumerated() {
            if index % Self.batchStride == Self.batchStride - 1 { await letOthersGo() }
            do {
                let (job, input) = try await accept(request, tenant: tenant, hasPlace: true)
                job.input = input
                job.isKeyed = true
                accepted.append(job)
            } catch let error as EngineError where !error.faults.isEmpty {
                first = first ?? error
                faults += error.faults.map {
                    EngineError.Fault(pointer: "/jobs/\(index)\($0.pointer)", code: $0.code, detail: $0.detail)
                }
            }
        }
        if let first { throw EngineError(first.code, first.message, faults: faults) }
    }

    /// Checks a request and makes its job, which has a place among its tenant's jobs; nothing is stored yet.
    private func accept(_ request: JobRequest, tenant: TenantID, hasPlace: Bool = false) async throws -> (
        ActiveJob, ActiveJob.Input
    ) {
        try await awaitRecovery()
        guard !isDraining else {
            throw EngineError(
                .draining, "the engine is shutting down and takes no more jobs", retryAfterSeconds: 5)
        }
        if let fault = storeFault ?? waitingResults.fault { throw fault }
        guard !isDiskLow else {
            throw EngineError(
                .storageFull, "the disk has less free space than data.min_free, so no job is accepted",
                retryAfterSeconds: 10)
        }
        let runtimeName = request.task.kind == .handler ? "direct" : request.handler ?? defaultRuntime
        guard runtimeFaults[runtimeName] == nil else {
            throw EngineError(
                .unavailable, "the \(runtimeName) runtime does not answer at present", retryAfterSeconds: 2)
        }
        guard runtimeName != "process" || tenant == .default || !configuration.runtime.trustedTenantsOnly else {
            throw EngineError(
                .notAllowed,
                "local processes are no security boundary and serve the tenant 'default' only: name another handler, or "
                    + "ask the operator about runtime.trusted_tenants_only")
        }
        try validator.check(request)
        try checkNetwork(of: request, runtimeName)
        let mounts = try await resolveMounts(of: request, runtimeName)
        var plan = JobPlan(request, runtime: runtimeName, configuration: configuration)
        plan.mounts = mounts
        try checkCapacity(for: plan, of: tenant)
        try await admitImage(of: request, plan)
        try checkClass(of: plan, request, tenant)
        // Taken before the next wait, in which other requests of the tenant come.
        if !hasPlace { try takePlaces(for: [request], of: tenant) }
        let (stored, input): (StoredArtifact?, ActiveJob.Input)
        do {
            (stored, input) = try await pack(request.task.input)
        } catch {
            if !hasPlace { giveBackPlaces(1, bytes: request.heldBytes, of: tenant) }
            throw error
        }
        let job = ActiveJob(
            job: Job(
                id: JobID(), tenant: tenant, name: request.name, kind: request.task.kind, handler: runtimeName,
                state: .queued, createdAt: Date(), labels: request.labels),
            plan: plan, maxAttempts: request.retry.maxAttempts, backoffSeconds: request.retry.backoff.seconds,
            priority: request.priority, now: .now(),
            queueSeconds: (request.queueTimeout ?? configuration.jobs.queueTimeout).seconds)
        job.storedInput = stored
        if stored == nil { job.unpackedInput = input.bytes }
        job.isReserved = true
        job.heldBytes = request.heldBytes
        counters.submitted += 1
        return (job, input)
    }

    /// Packs an input for rest, checks one that came packed, and keeps the form that travels.
    ///
    /// - Returns: No stored form where that is made later.
    private func pack(_ input: TaskSpec.Input) async throws -> (StoredArtifact?, ActiveJob.Input) {
        let limits = PackLimits(configuration.jobs)
        let size =
            switch input {
            case .plain(let bytes): bytes.count
            case .packed(let text): text.count
            }
        if size <= Self.offloadBytes, let packed = try limits.packQuickly(input) { return packed }
        if case .plain(let bytes) = input, size > Self.packLaterBytes {
            try limits.check(plain: bytes)
            return (nil, .init(bytes: bytes, isZlib: false))
        }
        return try await offload.runIfActive { try limits.pack(input) }
    }

    /// Takes an idempotency key for the time until its commit.
    private func hold(_ key: IdempotencyKey?, of tenant: TenantID) throws -> IdempotencyClaim? {
        guard let key else { return nil }
        guard keysInFlight.insert("\(tenant)/\(key.text)").inserted else {
            throw EngineError(
                .keyInFlight, "a request with this idempotency key is being committed", retryAfterSeconds: 1)
        }
        return IdempotencyClaim(key: key.text, requestHash: key.requestHash)
    }

    private func release(_ key: IdempotencyKey?, of tenant: TenantID) {
        if let key { keysInFlight.remove("\(tenant)/\(key.text)") }
    }

    /// Stores jobs as queued before anything runs; gives the earlier jobs when the key was used for them.
    private func insertKeyed(_ accepted: [ActiveJob], key: IdempotencyClaim?) async throws -> [JobID] {
        var rows: [JobRow] = []
        let outcome: StoreOutcome
        do {
            for job in accepted {
                try await makeInputDurable(job)
                rows.append(try row(of: job))
                job.isInserted = true
            }
            outcome = try await store.perform(.insert(rows, idempotency: key))
        } catch {
            discardInputs(of: accepted)
            throw error
        }
        switch outcome {
        case .replay(let ids):
            discardInputs(of: accepted)
            return ids
        case .keyReused:
            discardInputs(of: accepted)
            throw EngineError(.keyReused, "this idempotency key was used with another request")
        case .done, .applied, .changed, .missing:
            for (index, job) in accepted.enumerated() {
                // The rest is stored: where the engine stops meanwhile, its next start takes it up.
                if index % Self.batchStride == Self.batchStride - 1 { await letOthersGo() }
                guard !isStopped else { break }
                job.accept()
                enter(job)
                unload(job)
            }
            return []
        }
    }

    /// Removes input files of jobs that were not accepted.
    func discardInputs(of jobs: [ActiveJob]) {
        let ids = jobs.filter(needsDurableFile).map(\.job.id)
        guard !ids.isEmpty else { return }
        let artifacts = artifacts
        spawn { core in
            do {
                try await core.offload.runIfActive { for id in ids { try artifacts.remove(id, .input) } }
            } catch {
                core.logger.warning("a refused input could not be removed", metadata: ["reason": "\(error)"])
            }
        }
    }

    /// Lets the first commit of a job wait for the job's end, whose commit then covers both.
    ///
    /// Nobody has been told of the job, and whoever submitted it waits for its end anyway. A longer job, or one that
    /// waits for longer, is stored when `jobs.claim_hold` is over.
    private func hold(_ job: ActiveJob) {
        let limit = configuration.jobs.claimHold
        guard limit > .zero, configuration.jobs.claim == .overlapped, job.job.kind != .handler, !needsDurableFile(job)
        else { return }
        job.isHeld = true
        let id = job.job.id
        loop.scheduleTask(in: .nanoseconds(Int64(limit.seconds * 1e9))) {
            self.assumeIsolated { core in
                guard let job = core.jobs[id], job.isHeld else { return }
                core.release(job)
            }
        }
    }

    /// Stores a job that was held back; nothing else about it may be committed before.
    func release(_ job: ActiveJob) {
        guard job.isHeld else { return }
        job.isHeld = false
        guard !job.isInserted else { return }
        if job.heldClaim != nil { releaseClaim(job) } else { insert(job) }
    }

    /// Stores a job that could not be claimed at once.
    private func insert(_ job: ActiveJob) {
        job.isInserted = true
        do {
            let id = job.job.id
            let row = try row(of: job)
            guard !needsDurableFile(job) else {
                return insertLarge(job, row) { core, result in core.inserted(id, result) }
            }
            commit(.insert([row], idempotency: job.keyClaim)) { core, result in core.inserted(id, result) }
        } catch {
            abort(job, error as? EngineError ?? EngineError(.internalFault, "\(error)"))
        }
    }

    /// Stores a job as it is now, once its large input is on disk, and then what has become of it meanwhile.
    func insertLarge(
        _ job: ActiveJob, _ row: JobRow,
        then next: @escaping @Sendable (isolated EngineCore, Result<StoreOutcome, EngineError>) -> Void
    ) {
        job.waitingChanges = []
        let id = job.job.id
        spawn { core in
            guard let job = core.jobs[id] else { return }
            do {
                try await core.makeInputDurable(job)
                var row = row
                row.input = job.storedInput
                core.commit(.insert([row], idempotency: job.keyClaim), then: next)
                let changes = job.waitingChanges ?? []
                job.waitingChanges = nil
                for change in changes { change(core) }
                core.unload(job)
            } catch {
                job.waitingChanges = nil
                next(core, .failure(error as? EngineError ?? EngineError(.internalFault, "\(error)")))
            }
        }
    }

    /// Commits a change of a job's row: behind the row, where that still waits for its large input, and behind a return
    /// to the queue that the store has yet to take.
    func commit(
        _ operation: StoreOperation, of id: JobID,
        then next: @escaping @Sendable (isolated EngineCore, Result<StoreOutcome, EngineError>) -> Void
    ) {
        guard let job = jobs[id], job.waitingChanges != nil else { return commit(operation, then: next) }
        job.waitingChanges?.append { core in core.commit(operation, of: id, then: next) }
    }

    /// Notes that a job's row is durable, or that it could not be stored.
    func inserted(_ id: JobID, _ result: Result<StoreOutcome, EngineError>) {
        guard let job = jobs[id] else { return }
        switch result {
        case .success(let outcome) where outcome.isRefusal:
            noteStore(nil)
            refuse(job, outcome)
        case .success:
            noteStore(nil)
            job.accept()
            unload(job)
        case .failure(let error):
            noteStore(error)
            abort(job, error)
        }
    }

    /// Takes back a job that the store did not take, because its idempotency key had been used before.
    func refuse(_ job: ActiveJob, _ outcome: StoreOutcome) {
        job.refusal = outcome
        discardInputs(of: [job])
        abort(job, EngineError(.keyReused, "this idempotency key was used before"))
    }

    /// Whether the input needs its file before the row, or is not packed yet.
    func needsDurableFile(_ job: ActiveJob) -> Bool {
        guard let stored = job.storedInput else { return job.unpackedInput != nil }
        return stored.encodedSize > configuration.jobs.inlineMaxBytes
    }

    /// Packs a large input, where that is still to be done, and writes its file; afterwards the row need not carry it.
    func makeInputDurable(_ job: ActiveJob) async throws {
        let id = job.job.id
        let artifacts = artifacts
        if let plain = job.unpackedInput {
            let inlineMax = configuration.jobs.inlineMaxBytes
            job.storedInput = try await offload.runIfActive {
                try artifacts.keep(plain, as: .input, of: id, inlineMaxBytes: inlineMax, keepsText: false).stored
            }
            job.unpackedInput = nil
            return
        }
        guard needsDurableFile(job), let text = job.storedInput?.inline else { return }
        try await offload.runIfActive { try artifacts.writeDurably(id, .input, text: text) }
        job.storedInput?.inline = nil
    }

    /// Answers a submitter when the job is durable, and with its end when that comes in time.
    private func answer(
        _ job: ActiveJob, waitingUpTo limit: Duration?, for caller: Caller
    ) async throws -> JobOutcome {
        guard let limit, limit > .zero else {
            _ = try await job.committed.wait(upTo: .seconds(86_400), on: loop)
            return JobOutcome(job: job.job.shown, result: nil)
        }
        // The end is committed after the claim, in the same order, so its arrival covers both.
        if let outcome = try await end(of: job, upTo: limit, for: caller) { return outcome }
        _ = try await job.committed.wait(upTo: .seconds(86_400), on: loop)
        return JobOutcome(job: job.job.shown, result: nil)
    }

    /// The row of a job as it is now.
    func row(of job: ActiveJob) throws -> JobRow {
        JobRow(
            job: job.job, maxAttempts: job.maxAttempts, backoffMilliseconds: Int(job.backoffSeconds * 1000),
            priority: job.priority, timeoutMilliseconds: Int(job.plan.timeoutSeconds * 1000),
            queueDeadlineMilliseconds: Int64(Date().timeIntervalSince1970 * 1000)
                + (job.queueDeadline - .now()).nanoseconds / 1_000_000,
            options: try plans.encoded(job.plan), nonce: job.reference.map { Array($0.nonce.utf8) },
            bootID: folders.bootID, input: job.storedInput)
    }
}

/// How inputs are checked and packed, apart from the engine's state.
private struct PackLimits: Sendable {
    let encoded: Int
    let inflated: Int
    let inline: Int

    init(_ jobs: Configuration.Jobs) {
        encoded = jobs.payloadEncodedMaxBytes
        inflated = jobs.payloadInflatedMaxBytes
        inline = jobs.inlineMaxBytes
    }

    func check(plain bytes: [UInt8]) throws {
        guard bytes.count <= inflated else {
            throw EngineError(.payloadTooLarge, "the task's input has \(bytes.count) bytes, more than \(inflated)")
        }
    }

    /// The most bytes that come out of a packed input on the engine's loop, and that stay in memory in plain form: a
    /// batch may hold very many that are much smaller packed.
    private static let quickBytes = 32_768

    /// Packs a small input; nil where so much comes out of a packed one that it would keep others waiting.
    func packQuickly(_ input: TaskSpec.Input) throws -> (StoredArtifact, ActiveJob.Input)? {
        guard case .packed(let text) = input else { return try pack(input) }
        do {
            let bytes = try PayloadCodec.unpack(
                text: text, inflatedLimit: min(inflated, Self.quickBytes), encodedLimit: encoded)
            let packed = PackedPayload(text: text, plainSize: bytes.count)
            return (StoredArtifact(packed, inline: true), .init(bytes: bytes, isZlib: false))
        } catch let error as EngineError where error.code == .payloadTooLarge && inflated > Self.quickBytes {
            return nil
        } catch let error as EngineError where error.code == .invalidRequest {
            throw EngineError(.invalidRequest, error.message, faults: PayloadCodec.inTask(error.faults))
        }
    }

    func pack(_ input: TaskSpec.Input) throws -> (StoredArtifact, ActiveJob.Input) {
        switch input {
        case .plain(let bytes):
            try check(plain: bytes)
            let packed = try PayloadCodec.pack(bytes)
            return (StoredArtifact(packed, inline: true), .init(bytes: bytes, isZlib: false))
        case .packed(let text):
            do {
                let packed = try PayloadCodec.admit(text: text, inflatedLimit: inflated, encodedLimit: encoded)
                let zlib = try PayloadCodec.decodeBase64(text)
                return (StoredArtifact(packed, inline: true), .init(bytes: zlib, isZlib: true))
            } catch let error as EngineError where error.code == .invalidRequest {
                throw EngineError(.invalidRequest, error.message, faults: PayloadCodec.inTask(error.faults))
            }
        }
    }
}
