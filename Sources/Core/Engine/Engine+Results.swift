import Foundation

extension Engine {
    /// The result of a job as a Swift value; waits for the end of the job.
    ///
    /// ```swift
    /// let job = try await engine.submit(JobRequest(task: .source("def main(x): return x * 2", args: [21])))
    /// let value = try await engine.result(of: job.id, as: Int.self)
    /// ```
    ///
    /// - Parameters:
    ///   - type: What the JSON of the result is decoded as, by Foundation's `JSONDecoder` with its defaults.
    ///   - limit: How long the end is waited for; nil for as long as it takes. The job goes on when the limit passes.
    ///   - cancelsJob: Whether the job is cancelled when the awaiting task is; otherwise it goes on.
    /// - Throws: ``EngineError`` `.notFinished` when the limit passes, `.jobFailed` with the job's own words when the job
    ///   did not complete, `.notSupported` for a result that is no JSON, `.notFound`; `DecodingError` for JSON of another
    ///   shape; `CancellationError` when the awaiting task is cancelled.
    public func result<Value: Decodable>(
        of id: JobID, as type: Value.Type, tenant: TenantID = .default, upTo limit: Duration? = nil,
        cancelsJob: Bool = false
    ) async throws -> Value {
        let departure = Departure()
        let outcome = try await withTaskCancellationHandler {
            // A year is longer than any job may take.
            try await core.wait(
                for: id, tenant: tenant, upTo: limit ?? .seconds(31_536_000), for: Caller(departure: departure))
        } onCancel: {
            departure.happen()
        }
        if !outcome.job.state.isTerminal {
            guard Task.isCancelled else {
                throw EngineError(.notFinished, "the job has not ended yet: it is \(outcome.job.state.rawValue)")
            }
            if cancelsJob { try await cancelUnlessEnded(id, tenant) }
            throw CancellationError()
        }
        guard outcome.job.state == .completed, let result = outcome.result else {
            throw EngineError(.jobFailed, Self.words(of: outcome.job))
        }
        guard result.media == .json else {
            throw EngineError(.notSupported, "the result is \(result.media.rawValue) and not JSON: read its bytes")
        }
        return try JSONDecoder().decode(type, from: Data(result.bytes))
    }

    private func cancelUnlessEnded(_ id: JobID, _ tenant: TenantID) async throws {
        do {
            _ = try await core.cancel(id, tenant: tenant)
        } catch let error as EngineError where error.code == .alreadyTerminal {
            // It was quicker.
        }
    }

    private static func words(of job: Job) -> String {
        guard let error = job.error else { return "the job has no result: it ended in state \(job.state.rawValue)" }
        let name = error.type.map { " (\($0))" } ?? ""
        return "the job ended as \(error.kind.rawValue)\(name): \(error.message)"
    }
}
