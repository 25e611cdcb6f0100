/// Results of jobs for which the disk has no room: they stay in memory until it has.
struct WaitingResults {
    /// The most bytes that are kept, all together.
    private static let bytesMax = 128 << 20

    private var sizes: [JobID: Int] = [:]
    private var bytes = 0
    /// What the disk said last; nil when nothing waits.
    private(set) var fault: EngineError?

    /// Keeps a result, or goes on keeping it.
    ///
    /// - Returns: false where too much waits already.
    mutating func keep(_ size: Int, of id: JobID, because error: EngineError) -> Bool {
        if sizes[id] == nil {
            guard bytes + size <= Self.bytesMax else { return false }
            sizes[id] = size
            bytes += size
        }
        fault = EngineError(
            error.code, error.message, retryAfterSeconds: error.retryAfterSeconds ?? 1, cause: error.cause)
        return true
    }

    /// Lets a result go, which is on the disk by now, or lost.
    ///
    /// - Returns: whether it was the last one that waited.
    mutating func leave(_ id: JobID) -> Bool {
        guard let size = sizes.removeValue(forKey: id) else { return false }
        bytes -= size
        guard sizes.isEmpty else { return false }
        fault = nil
        return true
    }
}
