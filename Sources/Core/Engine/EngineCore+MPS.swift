extension EngineCore {
    /// Throws when a sandbox relies on an MPS control daemon that does not answer.
    ///
    /// Programs that find none would run without one, and so without a limit.
    func requireMPS(of sandboxClass: SandboxClass) async throws {
        guard let mps, let place = mps.place(for: sandboxClass.gpus) else { return }
        _ = try await offload.runIfActive { try mps.servers(at: place) }
    }

    /// Ends the MPS servers of devices that nobody shares: what one tenant's programs left in them meets no other.
    func endMPSServers(on devices: [String]) async {
        guard let mps else { return }
        for place in devices.compactMap({ mps.place(of: $0) }) {
            do {
                try await offload.runIfActive { try mps.endServers(at: place) }
            } catch {
                // A daemon that is gone has no servers; one that does not obey leaves a process on the device.
                logger.warning(
                    "the MPS servers of a device could not be ended",
                    metadata: ["device": "\(place.device)", "reason": "\(error)"])
            }
        }
    }

    /// What tells the programs of a sandbox where their MPS daemon is, and how much memory they may have.
    func mpsEnvironment(of sandboxClass: SandboxClass) -> [String: String] {
        guard let place = mps?.place(for: sandboxClass.gpus), let limit = sandboxClass.gpus?.memoryBytes else {
            return [:]
        }
        let isLocal = sandboxClass.runtime == SandboxClass.processRuntime
        return MPSService.environment(pipes: isLocal ? place.pipes : MPSService.pipesTarget, limitBytes: limit)
    }
}
