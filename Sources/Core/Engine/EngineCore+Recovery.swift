import Foundation
import NIOCore

/// A sandbox as the job store remembers it, so that a restarted engine can take it back.
struct SandboxMemory: Codable, Sendable {
    var sandboxClass: SandboxClass
    var specialisation: Specialisation?
    var userIDs: [Int]
}

/// What the job store says of an earlier process of this engine.
struct Inheritance: Sendable {
    /// Jobs that have not ended.
    var rows: [JobRow]
    /// Sandboxes that were not removed.
    var sandboxes: [SandboxRecord]
}

extension EngineCore {
    /// Remembers a sandbox durably, before any claim that names it: the store commits in order.
    func remember(_ sandbox: Sandbox, peer: Int32) {
        let memory = SandboxMemory(
            sandboxClass: sandbox.sandboxClass, specialisation: sandbox.specialisation, userIDs: sandbox.userIDs)
        do {
            let key = String(decoding: try JSONEncoder().encode(memory), as: UTF8.self)
            let record = SandboxRecord(
                id: sandbox.id.description, runtime: sandbox.sandboxClass.runtime,
                container: sandbox.handle?.reference, tenant: sandbox.specialisation?.tenant, poolKey: key,
                socketPath: sandbox.folder, pid: Int(peer), createdAt: Date())
            sandbox.peer = peer
            commit(.putSandbox(record)) { core, result in core.noteFailure(result) }
        } catch {
            logger.error("a sandbox could not be remembered", metadata: ["reason": "\(error)"])
        }
    }

    /// Forgets a sandbox that is gone.
    func forget(_ id: SandboxID) {
        commit(.removeSandboxes([id.description])) { core, result in core.noteFailure(result) }
    }

    /// Takes the jobs that an earlier process left into memory, so that whoever asks for one finds it from the start.
    func load() async throws {
        let (store, inlineMax) = (store, configuration.jobs.inlineMaxBytes)
        var found = try await offload.runIfActive {
            var kept = 0
            let rows = try store.unfinishedBlocking { row in
                // As for jobs that are submitted: beyond the most that is kept, inputs are read again from their rows.
                guard let input = row.input, let text = input.inline, input.encodedSize <= inlineMax else { return }
                if kept + text.count > Self.inputsKeptMax { row.input?.inline = nil } else { kept += text.count }
            }
            return Inheritance(rows: rows, sandboxes: try store.sandboxesBlocking())
        }
        for (index, row) in found.rows.enumerated() {
            do {
                let job = try activeJob(of: row)
                // The job has them now.
                found.rows[index].options = []
                found.rows[index].input = nil
                job.inputKept = row.input?.inline?.count ?? 0
                inputsKept += job.inputKept
                jobs[job.job.id] = job
                takePlace(of: job)
                job.phase = .recovering
                job.beginAnew()
                job.emit(.update(.queued, attempt: 0, message: nil, error: nil), at: job.job.createdAt)
            } catch {
                logger.error(
                    "a stored job cannot be read", metadata: ["job": "\(row.job.id)", "reason": "\(error)"])
            }
        }
        // Before any sandbox is started, so that no two have the same users.
        for record in found.sandboxes { userIDs.reserve(Self.memory(of: record)?.userIDs ?? []) }
        inheritance = found
    }

    private static func memory(of record: SandboxRecord) -> SandboxMemory? {
        // One that another release wrote in another form is a leftover like those that nobody remembers.
        try? JSONDecoder().decode(SandboxMemory.self, from: Data(record.poolKey.utf8))
    }

    func giveUserIDs(of record: SandboxRecord) {
        if let own = Self.memory(of: record)?.userIDs, !own.isEmpty { userIDs.give(own) }
    }

    /// A job that was loaded and not taken up yet.
    private func inherited(_ row: JobRow) -> ActiveJob? {
        guard let job = jobs[row.job.id], job.phase == .recovering else { return nil }
        return job
    }

    /// Takes up what an earlier process of this engine left: jobs, and sandboxes that still run them.
    func recover() async {
        let (rows, records) = (inheritance?.rows ?? [], inheritance?.sandboxes ?? [])
        inheritance = nil
        var claimed: [String: [JobRow]] = [:]
        for row in rows where row.job.state != .queued { claimed[row.job.sandbox ?? "", default: []].append(row) }
        await withDiscardingTaskGroup { group in
            for record in records {
                guard let claims = claimed.removeValue(forKey: record.id) else {
                    leftovers.append(record)
                    continue
                }
                let rows = claims.sorted { $0.claimedAt > $1.claimedAt }
                charge(rows, in: record)
                group.addTask { await self.takeBack(record, running: rows) }
            }
        }
        for row in claimed.values.joined() { settleLost(row, "the engine was restarted while the task ran") }
        await removeLeftovers()
        for row in rows where row.job.state == .queued { reenter(row) }
        if !rows.isEmpty {
            logger.notice("took up jobs of an earlier run", metadata: ["jobs": "\(rows.count)"])
        }
    }

    /// Charges jobs that may still run to their tenants, before any other job can ask for what they take.
    ///
    /// One that turns out to be lost leaves the books when it ends or goes back to the queue.
    private func charge(_ rows: [JobRow], in record: SandboxRecord) {
        guard let demand = Self.memory(of: record)?.sandboxClass.demand else { return }
        for row in rows {
            guard let job = inherited(row) else { continue }
            tenantLedger.charge(job.job.id, of: job.job.tenant, demand)
        }
    }

    private func takeBack(_ record: SandboxRecord, running rows: [JobRow]) async {
        let reason = "the engine was restarted and the sandbox did not come back"
        guard let id = SandboxID(record.id), let runtime = runtimes[record.runtime],
            let memory = Self.memory(of: record), let specialisation = memory.specialisation,
            let reference = record.container, let pid = record.pid
        else {
            leftovers.append(record)
            for row in rows { settleLost(row, reason) }
            return
        }
        let handle = SandboxHandle(id: id, reference: reference)
        let sandbox = Sandbox(
            id: id, sandboxClass: memory.sandboxClass, userIDs: memory.userIDs,
            folder: folders.sandboxFolder(id).path)
        sandbox.handle = handle
        sandbox.specialisation = specialisation
        sandbox.peer = Int32(truncatingIfNeeded: pid)
        do {
            if case .gone(let why) = try await runtime.inspect(handle) {
                throw EngineError(.lost, why)
            }
        } catch let error as EngineError where error.code == .lost {
            leftovers.append(record)
            for row in rows { settleLost(row, "\(reason): \(error.message)") }
            return
        } catch {
            logger.warning("a sandbox's condition is not known", metadata: ["reason": "\(error)"])
        }
        sandboxes[id] = sandbox
        do {
            let link = makeLink(of: sandbox, runtime)
            try await link.listen(isolation: self)
            try await openRelay(of: sandbox)
            link.expect(peer: sandbox.peer)
            sandbox.relay?.expect(peer: sandbox.peer)
            guard
                let hello = try await sandbox.helloSignal.wait(upTo: configuration.runner.reconnectGrace, on: loop)
            else { throw EngineError(.lost, reason) }
            sandbox.hello = hello
            noteKept(sandbox)
            adopt(sandbox, specialisation, hello, rows)
        } catch {
            tellPool(.adopted(id, memory.sandboxClass, specialisation, leased: [0], uses: 1))
            tellPool(.lost(id, reason: "\(error)"))
            for row in rows { settleLost(row, reason) }
        }
    }

    /// Goes on with the jobs of a sandbox that came back.
    ///
    /// - Parameter rows: Its claims, the latest first: more than it has places, where it went on while results of tasks
    ///   before were being stored.
    private func adopt(
        _ sandbox: Sandbox, _ specialisation: Specialisation, _ hello: RunnerMessage.Hello, _ rows: [JobRow]
    ) {
        let known = Set(hello.running + hello.results + hello.queued)
        var free = sandbox.slots.map(\.index).filter { !hello.busySlots.contains($0) }
        var unstarted: [ActiveJob] = []
        for (index, row) in rows.enumerated() {
            guard let job = inherited(row) else { continue }
            let reference = TaskReference(
                job: job.job.id.description, attempt: job.job.attempt,
                nonce: String(decoding: row.nonce ?? [], as: UTF8.self))
            var place = hello.places[reference].flatMap { sandbox.slots.indices.contains($0) ? $0 : nil }
            if place == nil, known.contains(reference), !free.isEmpty {
                // Its task is gone and swept; only its result is still to come.
                place = free.removeFirst()
            }
            guard place != nil || !known.contains(reference) && index < sandbox.slots.count else {
                settleLost(row, "the engine was restarted before the result was stored")
                continue
            }
            job.reference = reference
            Self.resumeQueueTime(of: job, row)
            if let place {
                job.slot = place
                goOn(job, in: sandbox)
            } else {
                job.phase = .claiming
                unstarted.append(job)
            }
        }
        let taken = sandbox.slots.filter { $0.job != nil }
        sandbox.link?.send(.welcome(resume: taken.compactMap { $0.job?.reference }))
        for slot in taken {
            guard let job = slot.job, let reference = job.reference, job.job.cancelRequested else { continue }
            sandbox.send(.cancel(reference, reason: "cancelled"))
        }
        tellPool(
            .adopted(sandbox.id, sandbox.sandboxClass, specialisation, leased: taken.map(\.index), uses: rows.count))
        if taken.isEmpty, !known.isEmpty {
            tellPool(.lost(sandbox.id, reason: "it ran something that the engine does not know"))
        }
        // The runner has never seen these attempts: START did not leave the earlier process.
        for job in unstarted { retryUnstarted(job) }
    }

    private func goOn(_ job: ActiveJob, in sandbox: Sandbox) {
        job.isSent = true
        job.isTakenBack = true
        job.phase = .running
        job.job.state = .running
        job.startedAt = Self.instant(of: job.job.startedAt ?? job.job.createdAt)
        job.job.startedAt = job.job.startedAt ?? Date()
        job.hostDeadline = .now() + .nanoseconds(Int64((job.plan.timeoutSeconds + hostGraceSeconds) * 1e9))
        sandbox.slot(of: job).job = job
        job.job.gpus = gpuGrant(of: sandbox)
        job.emit(.update(.running, attempt: job.job.attempt, message: "the engine was restarted", error: nil))
        logger.notice(
            "a running task was taken back",
            metadata: ["job": "\(job.job.id)", "sandbox": "\(sandbox.id)"])
    }

    /// Ends, or tries again, a job whose sandbox did not come back.
    private func settleLost(_ row: JobRow, _ reason: String) {
        guard let job = inherited(row) else { return }
        job.phase = .claiming
        Self.resumeQueueTime(of: job, row)
        if job.job.cancelRequested {
            end(job, .cancelled)
        } else {
            counters.lost += 1
            failAttempt(job, JobError(kind: .lost, message: reason))
        }
    }

    /// Gives a claimed job what it had left of its time in the queue when it was claimed: since then none has passed.
    private static func resumeQueueTime(of job: ActiveJob, _ row: JobRow) {
        job.claimedAt = .now()
        guard let end = row.queueDeadlineMilliseconds else { return }
        let left = Double(end) / 1000 - row.claimedAt.timeIntervalSince1970
        job.queueDeadline = .now() + .nanoseconds(Int64(min(max(0, left), 1e9) * 1e9))
    }

    private func reenter(_ row: JobRow) {
        guard let job = inherited(row) else { return }
        // The row's attempt is the next one, unless none has begun.
        job.repeatsAttempt = job.job.attempt > 0
        let now = Date().timeIntervalSince1970 * 1000
        if job.job.cancelRequested {
            end(job, .cancelled)
        } else if let notBefore = row.notBeforeMilliseconds, Double(notBefore) > now {
            job.phase = .backingOff
            scheduleReentry(job.job.id, after: (Double(notBefore) - now) / 1000)
        } else {
            enter(job)
        }
    }

    /// When something of an earlier process was, by this one's clock: for what is shown, never for a deadline.
    private static func instant(of date: Date) -> NIODeadline {
        let age = max(0, Date().timeIntervalSince(date))
        let uptime = NIODeadline.now().uptimeNanoseconds
        return .uptimeNanoseconds(uptime - UInt64(min(Double(uptime), age * 1e9)))
    }

    private func activeJob(of row: JobRow) throws -> ActiveJob {
        let plan = try JobPlan(decoding: row.options)
        let now = Date().timeIntervalSince1970 * 1000
        let queueSeconds = row.queueDeadlineMilliseconds.map { max(0, (Double($0) - now) / 1000) } ?? 86_400
        let job = ActiveJob(
            job: row.job, plan: plan, maxAttempts: row.maxAttempts,
            backoffSeconds: Double(row.backoffMilliseconds) / 1000, priority: row.priority, now: .now(),
            queueSeconds: queueSeconds)
        job.submittedAt = Self.instant(of: row.job.createdAt)
        job.storedInput = row.input
        job.heldBytes = plan.heldBytes(labels: row.job.labels)
        job.isInserted = true
        job.accept()
        return job
    }
}

extension JobRow {
    /// When its attempt began; a first attempt that overlaps its commit begins when the job is made.
    fileprivate var claimedAt: Date { job.startedAt ?? job.createdAt }
}
