/// What the pool machine wants done.
package enum PoolAction: Sendable, Equatable {
    /// Start a sandbox and connect to it; answer `started` or `startFailed`.
    case start(SandboxID, SandboxClass)
    /// Prepare the sandbox for a tenant; answer `specialised` or `specialiseFailed`.
    case specialise(SandboxID, Specialisation)
    /// The request has this slot of the sandbox until `released` or `lost`.
    case grant(RequestID, SandboxID, Job.Start, slot: Int = 0)
    /// Freeze the sandbox, which nobody uses; answer `paused` or `pausingFailed`.
    case pause(SandboxID)
    /// Thaw the sandbox; answer `resumed` or `pausingFailed`.
    case resume(SandboxID)
    /// Remove the sandbox, also while its start or a lease is in progress; answer `removed` or `removeFailed`.
    case destroy(SandboxID, PoolDestroyReason)
    /// The request gets no sandbox.
    case reject(RequestID, EngineError.Code, message: String)
    /// Send `tick` at this time of the machine's clock; takes the place of any earlier wish.
    case wake(at: Double)
}

/// Why a sandbox is destroyed.
package enum PoolDestroyReason: String, Sendable, CaseIterable {
    /// It did not start.
    case startFailed = "start_failed"
    /// It did not take its specialisation.
    case specialiseFailed = "specialise_failed"
    /// It was not proven clean after a lease.
    case unclean
    /// It went away by itself.
    case lost
    /// It had its number of leases.
    case maxUses = "max_uses"
    /// It was too old.
    case maxAge = "max_age"
    /// Nobody needed it for long enough.
    case idle
    /// It made room for a request that it could not serve.
    case evicted
    /// It made room for a tenant that holds less than its share.
    case fairShare = "fair_share"
    /// There were more than the pool keeps.
    case surplus
    /// It could not be frozen or thawed.
    case pauseFailed = "pause_failed"
    /// The configuration has its class no longer.
    case reload
    /// The engine shuts down.
    case drain
}
