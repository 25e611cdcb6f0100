import Logging
import Synchronization

extension DockerRuntime {
    /// Tells once of the published holes that the container engine may have, as soon as it answers.
    func tellOfHoles() async {
        guard !toldOfHoles.load(ordering: .relaxed) else { return }
        do {
            let version = try await client.version()
            guard !toldOfHoles.exchange(true, ordering: .relaxed), let hole = version.runcHole else { return }
            logger.warning(
                "the container engine has an old runc",
                metadata: ["runc": "\(hole.text)", "remedy": "\(hole.remedy)"])
        } catch {
            // That the engine does not answer is told elsewhere, and it is asked again.
        }
    }
}
