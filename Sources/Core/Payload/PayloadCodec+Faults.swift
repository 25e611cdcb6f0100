extension PayloadCodec {
    /// The most plain bytes that are looked at in the payloads of a request that is refused anyway.
    package static let refusedLimitBytes = 16 << 20

    /// What is wrong with the payload of a request that has other faults already, so that all are told at once.
    ///
    /// A good request's payload is checked when it is stored.
    ///
    /// - Parameter leftBytes: How many plain bytes may still be looked at; those of this payload are taken off.
    package static func faults(
        in task: TaskSpec, prefix: String = "", leftBytes: inout Int
    ) -> [EngineError.Fault] {
        guard case .packed(let text) = task.input, !text.isEmpty, leftBytes > 0 else { return [] }
        do {
            leftBytes -= try admit(text: text, inflatedLimit: leftBytes, encodedLimit: text.count).plainSize
            return []
        } catch {
            let faults = (error as? EngineError)?.faults ?? []
            // One that is too large for this is told when nothing else is wrong.
            if faults.isEmpty { leftBytes = 0 }
            return inTask(faults, prefix: prefix)
        }
    }

    /// Faults of a payload as those of the request that holds it.
    package static func inTask(_ faults: [EngineError.Fault], prefix: String = "") -> [EngineError.Fault] {
        faults.map { EngineError.Fault(pointer: prefix + "/task/data", code: $0.code, detail: $0.detail) }
    }
}
