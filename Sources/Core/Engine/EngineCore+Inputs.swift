import NIOCore

extension EngineCore {
    /// The most bytes of inputs that are kept in memory for jobs that wait, all together.
    static let inputsKeptMax = 64 << 20

    /// Forgets the input of a job that waits, or that its runner has, where it is large or many wait: it is read again
    /// when it is needed.
    func unload(_ job: ActiveJob) {
        switch job.phase {
        case .preparing, .waiting, .backingOff:
            guard let input = job.input, job.inputKept == 0 else { return }
            let bytes = input.bytes.count + (job.storedInput?.inline?.count ?? 0)
            guard input.bytes.count <= ActiveJob.inputKeptBytes, inputsKept + bytes <= Self.inputsKeptMax else {
                // Only what a durable row holds, or a file that was made durable before its row.
                let isFile = job.storedInput.map { $0.inline == nil } ?? false
                guard job.committed.isSet || isFile else { return }
                job.input = nil
                job.storedInput?.inline = nil
                return
            }
            job.inputKept = bytes
            inputsKept += bytes
        case .running:
            if let input = job.input, input.bytes.count > ActiveJob.inputKeptBytes { job.input = nil }
        case .recovering, .claiming, .finishing, .ended: break
        }
    }

    /// Counts the input of a job that waits no more among those of waiting jobs no more.
    func discountInput(of job: ActiveJob) {
        inputsKept -= job.inputKept
        job.inputKept = 0
    }

    /// Reads an input that is not in memory: from its row, as long as that holds it, or from its file.
    func readInput(of job: ActiveJob) async throws -> ActiveJob.Input {
        guard var stored = job.storedInput else { throw EngineError(.internalFault, "the job has no input") }
        let (id, artifacts) = (job.job.id, artifacts)
        if stored.inline == nil, stored.encodedSize <= configuration.jobs.inlineMaxBytes,
            let row = try await store.row(id), let input = row.input
        {
            stored = input
        }
        let limit = configuration.jobs.payloadEncodedMaxBytes * 2
        return try await offload.runIfActive { [stored] in
            let text = try stored.inline ?? artifacts.read(id, .input, digest: stored.digest, limit: limit)
            return .init(bytes: try PayloadCodec.decodeBase64(text), isZlib: true)
        }
    }
}
