/// Encoded plans of recent jobs: jobs of one kind share theirs.
///
/// Bounded in bytes too: a plan with much in its variables is encoded anew each time, and its values are not kept.
package struct PlanCache: Sendable {
    /// The most plans that are kept.
    package static let most = 256
    /// The most bytes of one that is kept.
    package static let bytesMax = 4096

    private var entries: [JobPlan: [UInt8]] = [:]

    package init() {}

    /// How many plans are kept.
    package var count: Int { entries.count }

    /// The plan as it rests in the job store.
    package mutating func encoded(_ plan: JobPlan) throws -> [UInt8] {
        if let known = entries[plan] { return known }
        let bytes = try plan.encoded()
        guard bytes.count <= Self.bytesMax else { return bytes }
        if entries.count >= Self.most { entries = [:] }
        entries[plan] = bytes
        return bytes
    }
}
