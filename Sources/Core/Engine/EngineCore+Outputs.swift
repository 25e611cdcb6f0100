import Foundation
import NIOCore

extension EngineCore {
    /// How much longer than its runner the engine waits for the files of a job.
    private static let outputGrace = TimeAmount.seconds(5)
    /// Files that are named by an event each.
    private static let namedMax = 1000

    /// What tasks may leave behind.
    var outputLimits: OutputLimits {
        OutputLimits(
            files: configuration.jobs.outputsMax, fileBytes: configuration.jobs.outputFileLimitBytes,
            bytes: configuration.jobs.outputLimitBytes, time: configuration.jobs.outputTimeout)
    }

    /// Takes a part of a file; what is out of place ends the sandbox.
    func takeOutput(_ job: ActiveJob, _ part: OutputPart, _ bytes: ByteBuffer, from sandbox: Sandbox) {
        if part.index == 1, part.offset == 0 { beginOutputs(job) }
        guard let intake = job.outputs else { return violated(sandbox, "OUTPUT in the middle of a file") }
        if let fault = intake.take(part, bytes) { return violated(sandbox, "OUTPUT \(fault)") }
        if isDiskLow, bytes.readableBytes > 0, intake.failure == nil {
            intake.failure = EngineError(.storageFull, "The disk is nearly full; make room and run the job again.")
        }
        if intake.isFull, !intake.isPaused {
            intake.isPaused = true
            sandbox.link?.setReading(false)
        }
        packOutputs(job, intake)
    }

    /// Notes what the runner says at the end of the files.
    func endOutputs(_ job: ActiveJob, _ summary: OutputSummary, from sandbox: Sandbox) {
        // Without a file there was no first part.
        if job.outputs == nil || summary.files == 0 { beginOutputs(job) }
        guard let intake = job.outputs, intake.files == summary.files else {
            return violated(sandbox, "OUTPUTS counts \(summary.files) files")
        }
        intake.summary = summary
    }

    private func beginOutputs(_ job: ActiveJob) {
        let bundle = OutputBundle(artifacts: artifacts, inlineMaxBytes: configuration.jobs.inlineMaxBytes)
        job.outputs = OutputIntake(bundle, limits: outputLimits)
        guard !job.hasMoreTime, let deadline = job.hostDeadline else { return }
        job.hasMoreTime = true
        let time = TimeAmount.nanoseconds(Int64(configuration.jobs.outputTimeout.seconds * 1e9))
        job.hostDeadline = max(deadline, .now() + time + Self.outputGrace)
    }

    /// Packs what waits, on another thread.
    private func packOutputs(_ job: ActiveJob, _ intake: OutputIntake) {
        guard !intake.isPacking else { return }
        let pieces = intake.failure == nil ? intake.takeQueue() : []
        if intake.isPaused, intake.hasRoom {
            intake.isPaused = false
            job.sandbox(in: sandboxes)?.link?.setReading(true)
        }
        guard !pieces.isEmpty else {
            intake.whenPacked?()
            intake.whenPacked = nil
            return
        }
        intake.isPacking = true
        let (id, bundle) = (job.job.id, intake.bundle)
        spawn { core in
            var failure: EngineError?
            do {
                try await core.finishing { threads in
                    try await threads.runIfActive { for piece in pieces { try bundle.append(piece) } }
                }
            } catch {
                failure = error as? EngineError ?? EngineError(.internalFault, "\(error)")
            }
            // The connection may have been lost meanwhile, and another intake begun.
            guard let job = core.jobs[id], let intake = job.outputs, intake.bundle === bundle else { return }
            intake.isPacking = false
            intake.failure = intake.failure ?? failure
            core.packOutputs(job, intake)
        }
    }

    /// Completes the files of a job whose attempt was its last, and goes on with its end.
    func keepOutputs(
        _ job: ActiveJob, _ ending: Ending,
        then next: @escaping @Sendable (isolated EngineCore, ActiveJob, Ending) -> Void
    ) {
        guard let intake = job.outputs else { return next(self, job, ending) }
        job.phase = .finishing
        let id = job.job.id
        intake.whenPacked = { [self] in
            spawn { core in
                guard let job = core.jobs[id], job.phase == .finishing, let intake = job.outputs else { return }
                var ending = ending
                do {
                    if let failure = intake.failure { throw failure }
                    let bundle = intake.bundle
                    ending.outputs = try await core.finishing { threads in
                        try await threads.runIfActive { try bundle.finish(as: id) }
                    }
                } catch {
                    ending = core.unkept(error)
                }
                guard job.phase == .finishing else { return core.discardFiles(of: id, ending, journal: nil) }
                job.outputs = nil
                core.tellOutputs(job, ending.outputs?.files ?? [], intake.summary)
                next(core, job, ending)
            }
        }
        packOutputs(job, intake)
    }

    private func unkept(_ error: any Error) -> Ending {
        let failure = error as? EngineError
        if failure?.code == .storageFull { noteStore(failure) }
        return Ending(
            state: .error,
            error: JobError(
                kind: .lost, message: "the task's outputs cannot be kept: \(failure?.message ?? "\(error)")"))
    }

    /// Says in the job's events which files were kept, and which were not.
    private func tellOutputs(_ job: ActiveJob, _ files: [StoredOutput], _ summary: OutputSummary?) {
        for file in files.prefix(Self.namedMax) { job.emit(.output(JobArtifact(file), of: job.job.id)) }
        guard let summary else { return }
        for skipped in summary.skipped { job.emit(.skippedOutput(skipped.name, reason: skipped.reason)) }
        if summary.skippedCount > summary.skipped.count {
            let more = summary.skippedCount - summary.skipped.count
            job.emit(.skippedOutput("", reason: "\(more) more were left out"))
        }
        if summary.isCut {
            let limit = "jobs.outputs_max (\(outputLimits.files))"
            job.emit(.skippedOutput("", reason: "there were more files than \(limit); the rest was left out"))
        }
    }
}

extension EventContent {
    /// Says that a file was kept.
    fileprivate static func output(_ artifact: JobArtifact, of id: JobID) -> EventContent {
        var value = JSONWriter()
        value.object { writer in artifact.writeMembers(of: id, to: &writer) }
        return .emitted(
            type: "output",
            members: [("name", JSONValue.string(artifact.name).serialized()), ("value", value.bytes)])
    }

    /// Says that something in the output folder was not kept.
    fileprivate static func skippedOutput(_ name: String, reason: String) -> EventContent {
        .emitted(
            type: "output_skipped",
            members: [
                ("name", JSONValue.string(name).serialized()), ("reason", JSONValue.string(reason).serialized()),
            ])
    }
}

extension JobArtifact {
    /// Where the file's bytes are, below the gateway's address.
    package func path(of id: JobID) -> String {
        "/v1/jobs/\(id)/artifacts/"
            + name.utf8.map { byte in
                let isPlain =
                    (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10
                    || "-._~/".utf8.contains(byte)
                return isPlain ? String(UnicodeScalar(byte)) : String(format: "%%%02X", byte)
            }.joined()
    }

    /// Writes the members that describe the file beside its name.
    package func writeMembers(of id: JobID, to writer: inout JSONWriter) {
        writer.name("size")
        writer.value(sizeBytes)
        writer.name("sha256")
        writer.value(sha256)
        writer.name("media_type")
        writer.value(mediaType)
        writer.name("url")
        writer.value(path(of: id))
    }
}
