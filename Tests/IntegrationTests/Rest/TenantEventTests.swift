import Foundation
import SlipwayCore
import TestSupport
import Testing

/// The stream of all events of a tenant, from an engine with local processes.
@Suite("Events of all jobs", .serialized)
struct TenantEventTests {
    private func withEngine(_ body: (Engine) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        var configuration = Configuration()
        configuration.data.directory = folder.path
        configuration.runtime.default = .process
        let engine = try await Engine(configuration: configuration)
        try await engine.start()
        do {
            try await body(engine)
        } catch {
            await engine.shutdown()
            throw error
        }
        await engine.shutdown()
    }

    private func request(_ value: Int, label: String) -> JobRequest {
        var request = JobRequest(task: .source("def main(x): return x", args: [.integer(Int64(value))]))
        request.labels = ["batch": label]
        return request
    }

    @Test("each job's events come once and in order, its end with its result, and a follower can come back")
    func follow() async throws {
        try await withEngine { engine in
            var query = TenantEventQuery()
            query.labels = ["batch": "a"]
            query.includesResults = true
            let stream = await engine.events(query)
            let jobs = try await engine.submit(batch: (0..<20).map { request($0, label: "a") })
            _ = try await engine.submit(request(99, label: "b"), waitingUpTo: .seconds(60))
            // Answered with its end: its claim is not held back for followers either.
            let awaited = try await engine.submit(request(20, label: "a"), waitingUpTo: .seconds(60)).job
            var seen: [JobID: [Int]] = [:]
            var values: [JobID: String] = [:]
            var places: [String] = []
            for await told in stream {
                let event = try #require(told.event)
                places.append(told.streamID)
                seen[event.jobID, default: []].append(event.seq)
                if let outcome = told.outcome {
                    #expect(outcome.job.state == .completed)
                    values[event.jobID] = outcome.result.map { String(decoding: $0.bytes, as: UTF8.self) }
                }
                if values.count == 21 { break }
            }
            for (index, job) in jobs.enumerated() { #expect(values[job.id] == "\(index)") }
            #expect(values[awaited.id] == "20")
            #expect(seen.values.allSatisfy { $0 == Array(1...$0.count) })
            #expect(Set(places).count == places.count)

            query.after = places[places.count - 2]
            for await told in await engine.events(query) {
                #expect(told.streamID == places.last)
                break
            }
            query.after = "elsewhere-1"
            for await told in await engine.events(query) {
                #expect(told.event == nil, "a place of another run is a gap")
                break
            }
        }
    }
}
