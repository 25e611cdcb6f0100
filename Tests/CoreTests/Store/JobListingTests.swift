import Foundation
import SlipwayCore
import Testing

@Suite("Job list")
struct JobListingTests {
    private let fixture: StoreFixture
    private let store: JobStore
    private let rows: [JobRow]

    /// Twelve jobs: names n0 and n1 in turn, label `third` by remainder, every second finished.
    init() throws {
        fixture = try StoreFixture()
        store = try fixture.open()
        rows = (0..<12).map { index in
            StoreSamples.row(
                name: "n\(index % 2)", labels: ["third": "\(index % 3)", "all": "yes"], claimed: true)
        }
        try store.performBlocking(.insert(rows, idempotency: nil))
        for row in rows.enumerated().filter({ $0.offset % 2 == 0 }).map(\.element) {
            try store.performBlocking(StoreSamples.finish(row.job.id, 1, .error))
        }
        let other = try #require(TenantID("other"))
        try store.performBlocking(.insert([StoreSamples.row(tenant: other, labels: ["all": "yes"])], idempotency: nil))
    }

    /// The positions of all jobs that a query lists, page after page.
    private func walk(_ query: JobQuery) async throws -> [Int] {
        var query = query
        var found: [Int] = []
        repeat {
            let page = try await store.list(query, tenant: .default)
            #expect(page.jobs.count <= query.limit)
            #expect(page.nextCursor == nil || page.jobs.count == query.limit)
            found += page.jobs.compactMap { job in rows.firstIndex { $0.job.id == job.id } }
            query.cursor = page.nextCursor
        } while query.cursor != nil
        return found
    }

    @Test("pages of every size list each job once, newest first", arguments: [1, 2, 5, 11, 12, 13, 500])
    func pages(_ limit: Int) async throws {
        #expect(try await walk(JobQuery(limit: limit)) == Array((0..<12).reversed()))
        #expect(try await walk(JobQuery(states: [.error], limit: limit)) == [10, 8, 6, 4, 2, 0])
    }

    @Test("states, labels and names narrow the list together")
    func filters() async throws {
        #expect(try await walk(JobQuery(states: [.starting, .queued])) == [11, 9, 7, 5, 3, 1])
        #expect(try await walk(JobQuery(states: [.starting, .error])).count == 12)
        #expect(try await walk(JobQuery(states: [.completed])).isEmpty)
        #expect(try await walk(JobQuery(labels: ["third": "2"])) == [11, 8, 5, 2])
        #expect(try await walk(JobQuery(labels: ["third": "2", "all": "yes"], limit: 3)) == [11, 8, 5, 2])
        #expect(try await walk(JobQuery(labels: ["third": "2", "all": "no"])).isEmpty)
        #expect(try await walk(JobQuery(name: "n1")) == [11, 9, 7, 5, 3, 1])
        #expect(try await walk(JobQuery(states: [.starting], labels: ["third": "2"], name: "n1")) == [11, 5])
        #expect(try await walk(JobQuery(name: "n1' OR 1=1 --")).isEmpty)
    }

    @Test("jobs whose state has moved on are listed by that, each once", arguments: [1, 2, 5, 500])
    func moved(_ limit: Int) async throws {
        var moved = MovedJobs()
        for index in [3, 7] { moved.note(rows[index].job.id, .running) }
        moved.note(rows[5].job.id, .starting)
        func walk(_ states: Set<JobState>, _ labels: [String: String] = [:]) async throws -> [Int] {
            var query = JobQuery(states: states, labels: labels, limit: limit)
            var found: [Int] = []
            repeat {
                let page = try await store.list(query, tenant: .default, moved: moved)
                #expect(page.nextCursor == nil || page.jobs.count == limit)
                found += page.jobs.compactMap { job in rows.firstIndex { $0.job.id == job.id } }
                query.cursor = page.nextCursor
            } while query.cursor != nil
            return found
        }
        #expect(try await walk([.running]) == [7, 3])
        #expect(try await walk([.starting]) == [11, 9, 5, 1])
        #expect(try await walk([.starting, .running]) == [11, 9, 7, 5, 3, 1])
        #expect(try await walk([.running, .error]) == [10, 8, 7, 6, 4, 3, 2, 0])
        #expect(try await walk([.running], ["third": "1"]) == [7])
        #expect(try await walk([.queued]) == [])
    }

    @Test("jobs that come while somebody pages disturb nothing")
    func growing() async throws {
        let first = try await store.list(JobQuery(limit: 4), tenant: .default)
        try await store.perform(.insert([StoreSamples.row()], idempotency: nil))
        let second = try await store.list(JobQuery(limit: 4, cursor: first.nextCursor), tenant: .default)
        #expect(second.jobs.map(\.id) == rows[4..<8].reversed().map(\.job.id))
    }

    @Test("limits and cursors that are not ours are refused")
    func refused() async throws {
        for query in [
            JobQuery(limit: 0), JobQuery(limit: 501), JobQuery(limit: -1), JobQuery(cursor: ""),
            JobQuery(cursor: "x"), JobQuery(cursor: "c1"), JobQuery(cursor: "c1-5"), JobQuery(cursor: "c1é"),
            JobQuery(cursor: "c1" + String(repeating: "z", count: 60)),
        ] {
            let error = await #expect(throws: EngineError.self) { try await store.list(query, tenant: .default) }
            #expect(error?.code == .invalidRequest)
        }
    }
}
