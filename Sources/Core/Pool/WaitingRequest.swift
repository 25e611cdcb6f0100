/// A request for a sandbox that has not been granted yet.
struct WaitingRequest: Sendable, Equatable {
    let id: RequestID
    let specialisation: Specialisation
    let priority: Int
    /// Its place among the tenant's requests of this priority, before the sequence.
    let turn: UInt64
    let weight: Int
    /// When it came.
    let since: Double
    /// Its place among all requests and starts of the machine, kept when it goes back to the queue.
    let sequence: UInt64
    /// How many sandboxes failed while they were prepared for it.
    var failures = 0

    var tenant: TenantID { specialisation.tenant }
}
