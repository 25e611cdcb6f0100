import Foundation
import SlipwayCore
import TestSupport
import Testing

/// Tasks of several tenants in random order on fewer sandboxes than tenants: some leave traces, some look for them.
actor TenantMix {
    /// One task: whether it looks, what it leaves, and how it ends.
    struct Draw: Sendable {
        var tenant: TenantID
        var looks: Bool
        var plants: [String]
        var end: String
    }

    /// What became of all of them.
    struct Report: Sendable {
        var tasks = 0
        var looks = 0
        var plants = 0
        var sandboxes = 0
    }

    static let tenants = ["amber", "birch", "cedar", "dune", "ember"].compactMap { TenantID($0) }

    private let engine: TestEngine
    private let seed: UInt64
    private var random: SimulationRandom
    private var left: Int
    /// What an undisturbed task sees, by part; equal tasks may differ in a few ways, which are all here.
    private var clean: [String: Set<[String]>] = [:]
    /// Whom each sandbox served, and what happened in it, latest last.
    private var owners: [String: TenantID] = [:]
    private var histories: [String: [String]] = [:]
    private(set) var report = Report()
    private(set) var faults: [String] = []

    init(_ engine: TestEngine, tasks: Int, seed: UInt64) {
        self.engine = engine
        self.seed = seed
        left = tasks
        random = SimulationRandom(seed: seed)
    }

    /// Learns what undisturbed tasks see, then runs all tasks, some at a time.
    func run(callers: Int) async throws -> Report {
        let quiet = try #require(TenantID("quiet"))
        for round in 0..<8 {
            // With and without a pause before it, since the runner prepares differently then.
            if round % 2 == 1 { try await Task.sleep(for: .milliseconds(50)) }
            let outcome = try await submit(Draw(tenant: quiet, looks: true, plants: [], end: "return"))
            for (part, lines) in try #require(Self.views(of: outcome), "\(outcome.summary)") {
                clean[part, default: []].insert(lines)
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<callers {
                group.addTask { while let draw = await self.draw() { try await self.judge(draw, self.submit(draw)) } }
            }
            try await group.waitForAll()
        }
        report.sandboxes = owners.count
        return report
    }

    private func draw() -> Draw? {
        guard left > 0, faults.count < 5 else { return nil }
        left -= 1
        let plants = random.chance(60) ? (0...random.below(4)).map { _ in random.pick(Trail.plants) } : []
        // Whoever only looks must come to its end.
        let end = plants.isEmpty || random.chance(85) ? "return" : random.pick(["raise", "exit", "kill", "hang"])
        return Draw(
            tenant: random.pick(Self.tenants), looks: plants.isEmpty || random.chance(50), plants: plants, end: end)
    }

    private nonisolated func submit(_ draw: Draw) async throws -> JobOutcome {
        let arguments: [JSONValue] = [.bool(draw.looks), .array(draw.plants.map(JSONValue.string)), .string(draw.end)]
        var request = JobRequest(task: .source(Trail.code, args: arguments))
        if draw.end == "hang" { request.timeout = .milliseconds(500) }
        request.queueTimeout = .seconds(600)
        let job = try await engine.engine.submit(request, tenant: draw.tenant)
        let outcome = try await engine.engine.wait(for: job.id, tenant: draw.tenant, upTo: .seconds(600))
        guard outcome.job.state.isTerminal else { throw TestFailure("job \(job.id) is still \(outcome.job.state)") }
        return outcome
    }

    private func judge(_ draw: Draw, _ outcome: JobOutcome) {
        report.tasks += 1
        report.plants += draw.plants.isEmpty ? 0 : 1
        guard let sandbox = outcome.job.sandbox else {
            return faults.append("a job without a sandbox: \(outcome.summary)")
        }
        let owner = owners.updateValue(draw.tenant, forKey: sandbox)
        if let owner, owner != draw.tenant { faults.append("\(sandbox) served \(owner) and \(draw.tenant)") }
        let views = Self.views(of: outcome)
        if let views {
            report.looks += 1
            for (part, lines) in views.sorted(by: { $0.key < $1.key }) {
                guard let known = clean[part], !known.contains(lines) else { continue }
                let strange = Self.difference(lines, from: known)
                faults.append(
                    "\(part): \(strange) in \(sandbox) after \(histories[sandbox, default: []].suffix(4)), seed \(seed)"
                )
            }
        } else if draw.plants.isEmpty {
            faults.append("a task that only looks: \(outcome.summary)")
        }
        histories[sandbox, default: []].append("\(draw.plants) \(draw.end)")
    }

    /// What a task saw, by part, as sorted lines; nil when it ended otherwise.
    private static func views(of outcome: JobOutcome) -> [String: [String]]? {
        guard case .object(let parts)? = outcome.value else { return nil }
        return parts.mapValues { part in
            guard case .array(let lines) = part else { return ["\(part)"] }
            return lines.map { $0.text ?? "\($0)" }.sorted()
        }
    }

    private static func difference(_ lines: [String], from known: Set<[String]>) -> String {
        let ordinary = Set(known.joined())
        let more = lines.filter { !ordinary.contains($0) }
        let less = known.first.map { $0.filter { !lines.contains($0) } } ?? []
        return "more \(more.prefix(5)), less \(less.prefix(5))"
    }
}
