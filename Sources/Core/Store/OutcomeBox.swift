import Synchronization

/// Carries an outcome from the writer's thread to a thread that waits.
final class OutcomeBox: Sendable {
    /// The outcome, once it is there.
    let result = Mutex<Result<StoreOutcome, EngineError>?>(nil)
}
