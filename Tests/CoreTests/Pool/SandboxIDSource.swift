import SlipwayCore
import Synchronization
import TestSupport

/// Makes the same sandbox identifiers for the same seed.
final class SandboxIDSource: Sendable {
    private let random: Mutex<SimulationRandom>

    init(seed: UInt64) { random = Mutex(SimulationRandom(seed: seed)) }

    func next() -> SandboxID { random.withLock { SandboxID(using: &$0) } }
}
