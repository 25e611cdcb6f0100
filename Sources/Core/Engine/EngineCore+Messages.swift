import Foundation
import NIOCore

extension EngineCore {
    /// Takes what a sandbox's link reports.
    func received(_ event: LinkEvent, from id: SandboxID) {
        guard let sandbox = sandboxes[id], !sandbox.isClosing else { return }
        sandbox.lastHeard = .now()
        switch event {
        case .message(let message):
            handle(message, from: sandbox)
        case .disconnected:
            disconnected(sandbox)
        case .violation(let reason):
            violated(sandbox, reason)
        }
    }

    private func handle(_ message: RunnerMessage, from sandbox: Sandbox) {
        switch message {
        case .heartbeat(let load):
            if let load { noteLoad(load, of: sandbox) }
        case .hello(let hello):
            greeted(sandbox, hello)
        case .ready(let ready):
            guard let waiting = sandbox.readySignal, waiting.key == ready.key else {
                violated(sandbox, "READY without CONFIGURE")
                return
            }
            waiting.signal.succeed(ready)
        case .log(let reference, let stream, let offset, let skipped, let bytes):
            guard let job = current(reference, in: sandbox, "LOG") else { return }
            appendLog(job, stream, offset: offset, skipped: skipped, bytes)
        case .event(let reference, let sequence, let bytes):
            guard let job = current(reference, in: sandbox, "EVENT") else { return }
            appendEvent(job, sequence: sequence, bytes)
        case .resultPart(let reference, let offset, let size, let bytes):
            guard let job = current(reference, in: sandbox, "RESULT_PART") else { return }
            guard offset <= job.resultParts.count,
                offset + bytes.readableBytes <= configuration.jobs.resultLimitBytes + Frame.bodyLimitBytes
            else {
                violated(sandbox, "RESULT_PART at offset \(offset)")
                return
            }
            if job.resultParts.isEmpty, let size {
                job.resultParts.reserveCapacity(min(size, configuration.jobs.resultLimitBytes))
            }
            job.resultParts.removeSubrange(offset...)
            job.resultParts.append(contentsOf: bytes.readableBytesView)
        case .output(let reference, let part, let bytes):
            guard let job = current(reference, in: sandbox, "OUTPUT") else { return }
            takeOutput(job, part, bytes, from: sandbox)
        case .outputs(let reference, let summary):
            guard let job = current(reference, in: sandbox, "OUTPUTS") else { return }
            endOutputs(job, summary, from: sandbox)
        case .result(let reference, let result, let body):
            guard let job = current(reference, in: sandbox, "RESULT") else {
                // The attempt was given up here: its result is of no use, and the runner need not keep it. One that is
                // being stored it keeps until that is done.
                if sandbox.slots.contains(where: { $0.cleaning == reference }), !isBeingStored(reference) {
                    acknowledge(reference, in: sandbox)
                }
                return
            }
            let slot = sandbox.slot(of: job)
            slot.cleaning = reference
            slot.owesAcknowledgement = true
            slot.job = nil
            noteEnd(result, in: sandbox)
            finish(job, result, body: body, sandbox: sandbox)
        case .clean(let reference, let clean):
            if sandbox.slots.contains(where: { $0.cleaning == reference }) { counters.cpuSeconds += clean.cpuSeconds }
            cleaned(sandbox, reference)
        case .fault(let fault):
            faulted(sandbox, fault)
        }
    }

    /// The job that a task frame is about; anything else than the sandbox's own attempt is a violation.
    private func current(_ reference: TaskReference, in sandbox: Sandbox, _ frame: String) -> ActiveJob? {
        for slot in sandbox.slots {
            if let job = slot.job, job.reference == reference, job.phase == .running { return job }
        }
        // What was on its way when the attempt ended here, by a time-out or a lost connection, is not a violation.
        if sandbox.slots.contains(where: { $0.isOver(reference) }) { return nil }
        violated(sandbox, "\(frame) for an attempt that does not run here")
        return nil
    }

    /// Lets a runner drop the result of an attempt, with the files that it may have kept for it.
    func acknowledge(_ reference: TaskReference, in sandbox: Sandbox) {
        sandbox.send(.acknowledge(reference))
        for slot in sandbox.slots where slot.cleaning == reference {
            slot.owesAcknowledgement = false
            slot.cleaningSince = .now()
        }
    }

    /// Whether the end of an attempt is here and not durable yet.
    func isBeingStored(_ reference: TaskReference) -> Bool {
        guard let id = JobID(reference.job), let job = jobs[id] else { return false }
        return job.reference == reference && job.phase == .finishing
    }

    private func greeted(_ sandbox: Sandbox, _ hello: RunnerMessage.Hello) {
        guard hello.sandbox == sandbox.id.description else {
            violated(sandbox, "HELLO of another sandbox")
            return
        }
        if !sandbox.helloSignal.isSet {
            sandbox.helloSignal.succeed(hello)
            return
        }
        // A supervisor that dialled again after a loss.
        sandbox.disconnectedAt = nil
        resume(sandbox, hello)
    }

    /// Agrees with a supervisor that dialled again on what goes on.
    func resume(_ sandbox: Sandbox, _ hello: RunnerMessage.Hello) {
        let known = Set(hello.running + hello.results + hello.queued)
        let stored = keepUnstored(in: sandbox, hello)
        // Nobody could say that it is clean.
        for slot in sandbox.slots where slot.cleaning != nil { slot.cleaningSince = .now() }
        // Whatever is not named here is killed and dropped.
        sandbox.link?.send(.welcome(resume: sandbox.slots.compactMap { resumed(in: $0, hello, known) } + stored))
        for slot in sandbox.slots {
            // An attempt that was given up while nobody could be told.
            if slot.job == nil, let ended = slot.cleaning, hello.running.contains(ended) {
                sandbox.send(.cancel(ended, reason: "cancelled"))
            }
            guard let job = slot.job, let reference = job.reference, known.contains(reference),
                job.job.cancelRequested
            else { continue }
            sandbox.send(.cancel(reference, reason: "cancelled"))
        }
        if !known.subtracting(stored).isEmpty, sandbox.slots.allSatisfy({ $0.job == nil && $0.cleaning == nil }) {
            tellPool(.lost(sandbox.id, reason: "it ran something that the engine does not know"))
            return
        }
        for slot in sandbox.slots {
            if let job = slot.job {
                // START was lost with the connection: the runner has never seen this attempt.
                guard job.phase == .running, job.reference.map({ !known.contains($0) }) ?? false else { continue }
                releaseUnused(sandbox, job)
                retryUnstarted(job)
            } else if let cleaning = slot.cleaning, !hello.busySlots.contains(slot.index) {
                // CLEAN was lost with the connection.
                cleaned(sandbox, cleaning)
            }
        }
    }

    /// The attempt that goes on in a slot: its task, or the sweep after it, whose CLEAN would never come otherwise.
    private func resumed(
        in slot: SandboxSlot, _ hello: RunnerMessage.Hello, _ known: Set<TaskReference>
    ) -> TaskReference? {
        let wanted = slot.job.map(\.reference) ?? (hello.busySlots.contains(slot.index) ? slot.cleaning : nil)
        return wanted.flatMap { known.contains($0) ? $0 : nil }
    }

    /// The attempts whose processes are gone, and whose ends are here but not durable.
    ///
    /// Their runner keeps the results, which a crash would lose otherwise. What it sends once more is passed over.
    private func keepUnstored(in sandbox: Sandbox, _ hello: RunnerMessage.Hello) -> [TaskReference] {
        hello.results.filter { reference in
            guard isBeingStored(reference), let id = JobID(reference.job), let slot = jobs[id]?.slot,
                sandbox.slots.indices.contains(slot),
                // One that is not yet proved clean is named anyway.
                sandbox.slots[slot].cleaning != reference || !hello.busySlots.contains(slot)
            else { return false }
            sandbox.slots[slot].forgotten.insert(reference)
            return true
        }
    }

    private func cleaned(_ sandbox: Sandbox, _ reference: TaskReference) {
        if sandbox.slots.contains(where: { $0.forgotten.contains(reference) && $0.cleaning != reference }) { return }
        guard let slot = sandbox.slots.first(where: { $0.cleaning == reference }) else {
            violated(sandbox, "CLEAN without a RESULT")
            return
        }
        slot.cleaning = nil
        slot.owesAcknowledgement = false
        // Before the pool gives it to the next job: one that is busy all the time is never seen idle.
        if sandbox.pin.isWorn, giveUpConfined(sandbox) { return }
        tellPool(.released(sandbox.id, slot: slot.index, clean: true, reason: ""))
    }

    private func faulted(_ sandbox: Sandbox, _ told: RunnerMessage.Fault) {
        // The supervisor may be the image's own: its words are no longer than a log line has to be.
        var fault = told
        fault.message = String(told.message.prefix(Self.wordsMax))
        logger.warning(
            "a supervisor reports a fault",
            metadata: ["sandbox": "\(sandbox.id)", "code": "\(fault.code)", "reason": "\(fault.message)"])
        for slot in sandbox.slots {
            guard let job = slot.job, let reference = job.reference, !fault.mayHaveBegun(reference) else { continue }
            slot.job = nil
            startElsewhere(job, because: fault.message)
        }
        // Where nothing else runs in it, the sandbox is only unclean; what still does ends with it.
        let cleaning = sandbox.slots.filter { $0.cleaning != nil }
        guard fault.code == "dirty", cleaning.count == 1, let slot = cleaning.first, !sandbox.isBusy else {
            lose(sandbox, reason: "the supervisor gave up: \(fault.message)")
            return
        }
        slot.cleaning = nil
        tellPool(.released(sandbox.id, slot: slot.index, clean: false, reason: fault.message))
    }

    private func disconnected(_ sandbox: Sandbox) {
        sandbox.disconnectedAt = .now()
        guard sandbox.helloSignal.isSet else { return }
        let id = sandbox.id
        spawn { await $0.examine(id, because: "its connection was lost") }
    }

    /// The most characters of a supervisor's own words in a log line or an error.
    static let wordsMax = 1000

    /// Ends a sandbox whose supervisor broke the protocol.
    func violated(_ sandbox: Sandbox, _ reason: String) {
        let reason = String(reason.prefix(Self.wordsMax))
        counters.violations += 1
        logger.error(
            "a sandbox broke the protocol", metadata: ["sandbox": "\(sandbox.id)", "reason": "\(reason)"])
        for slot in sandbox.slots {
            guard let job = slot.job else { continue }
            slot.job = nil
            job.resultParts = []
            job.outputs = nil
            if job.phase == .claiming {
                retryUnstarted(job)
            } else {
                failAttempt(
                    job, JobError(kind: .protocol, message: "the sandbox broke the runner protocol: \(reason)"))
            }
        }
        lose(sandbox, reason: "protocol violation: \(reason)")
    }

    private func appendLog(_ job: ActiveJob, _ stream: LogStream, offset: Int, skipped: Int, _ bytes: ByteBuffer) {
        let seen = job.logOffsets[stream, default: 0]
        let end = offset + bytes.readableBytes
        // A runner cuts output to its head and tail; what one sends beyond that is not kept.
        let room = configuration.jobs.logLimitBytes + Frame.pieceLimitBytes - job.logBytes[stream, default: 0]
        guard end > seen, room > 0 else { return }
        var assembler = job.assemblers[stream] ?? TextAssembler()
        var text = ""
        if offset > seen, skipped > 0 {
            text = assembler.finish() + "\n[... \(offset - seen) bytes left out ...]\n"
        }
        let fresh = bytes.readableBytesView.dropFirst(max(0, seen - offset)).prefix(room)
        job.logBytes[stream, default: 0] += fresh.count + text.utf8.count
        text += assembler.append(fresh)
        job.assemblers[stream] = assembler
        job.logOffsets[stream] = end
        job.emitLog(stream, text, eventsMax: configuration.jobs.eventsMax)
    }

    private func appendEvent(_ job: ActiveJob, sequence: Int, _ bytes: ByteBuffer) {
        guard sequence > job.runnerSequence, job.events.count < configuration.jobs.eventsMax + 1000,
            job.eventBytes + bytes.readableBytes <= ActiveJob.eventsLimitBytes,
            job.emittedBytes + bytes.readableBytes <= ActiveJob.emittedLimitBytes
        else { return }
        job.runnerSequence = sequence
        job.eventBytes += bytes.readableBytes
        job.emittedBytes += bytes.readableBytes
        guard let content = EventContent(emitted: Array(bytes.readableBytesView)) else { return }
        job.emit(content)
    }
}

extension EventContent {
    /// Names that belong to the envelope of an event.
    private static let reserved: Set<String> = ["type", "job_id", "seq", "time", "stream_id"]

    /// Types whose events are the engine's own word: what others emit under one of them comes inside of another event.
    private static let engineTypes: Set<String> = ["job_update", "log", "gap"]

    /// The most nested levels of an event.
    ///
    /// It rests up to two levels deeper, and is told one level deeper, where 512 are the most that is read.
    static let depthMax = 510

    /// Reads what a task emitted; nil when it is not a JSON object, or nested deeper than `depthMax`.
    init?(emitted bytes: [UInt8]) {
        // A task's own faulty event is dropped, as the runner's documentation says.
        guard case .object(let members)? = try? JSONValue(parsing: bytes, depth: Self.depthMax) else { return nil }
        var type = "event"
        if case .string(let name)? = members["type"], !name.isEmpty, name.utf8.count <= 64 { type = name }
        self.init(type: type, members: members)
    }

    /// An event that a task or a handler emits.
    init(type: String, members: [String: JSONValue]) {
        guard !Self.engineTypes.contains(type) else {
            let whole = JSONValue.object(members.merging(["type": .string(type)]) { $1 })
            self = .emitted(type: "task_event", members: [("event", whole.serialized())])
            return
        }
        let rest = members.filter { !Self.reserved.contains($0.key) }.sorted { $0.key < $1.key }
        self = .emitted(type: type, members: rest.map { ($0.key, $0.value.serialized()) })
    }
}
