import Foundation
import NIOCore

extension EngineCore {
    /// How long contexts of ended processes may linger on a device before it is held back.
    private static let contextSeconds = 5.0

    /// Finds the devices that jobs may ask for; once, and again as long as the driver does not answer.
    func learnGPUs() async {
        let configured = configuration.gpus.devices
        guard !configured.isEmpty, gpus.isEmpty else { return }
        do {
            let tool = nvidia
            let found = try await offload.runIfActive { try tool?.devices() }
            let inventory = GPUInventory(configured: configured, found: found)
            for warning in inventory.warnings {
                logger.warning("a listed GPU is not there", metadata: ["reason": "\(warning)"])
            }
            gpus = inventory.devices
        } catch {
            logger.warning("the GPUs are not known", metadata: ["reason": "\(error)"])
        }
    }

    /// Throws while a process computes on a device that a sandbox is to get, or has given back.
    ///
    /// A device that other sandboxes share is theirs: only one that nobody else holds can be proven free. Where there
    /// is no nvidia-smi, as with an engine on another machine, nothing can be asked and the driver is trusted.
    func ensureIdle(_ devices: [String], for id: SandboxID) async throws {
        let own = devices.filter { pool.ledger.isAlone(id, on: $0) }
        await endMPSServers(on: own)
        guard !own.isEmpty, configuration.gpus.checkIdle, let tool = nvidia else { return }
        let deadline = NIODeadline.now() + .nanoseconds(Int64(Self.contextSeconds * 1e9))
        let hasInstances = gpus.contains { $0.isInstance && own.contains($0.id) }
        while true {
            let busy = try await offload.runIfActive { try tool.computeProcesses(ofInstances: hasInstances) }
                .filter { own.contains($0.device) }
            guard let first = busy.first else { return }
            guard NIODeadline.now() < deadline else {
                throw EngineError(
                    .startFailed,
                    "process \(first.pid) of this machine computes on GPU \(label(first.device)), so the device is not "
                        + "given out: end it, or take the device out of gpus.devices")
            }
            try await Task.sleep(for: .milliseconds(250))
        }
    }

    /// What a job is told about the devices of its sandbox.
    func gpuGrant(of sandbox: Sandbox) -> Job.GPUs? {
        guard let need = sandbox.sandboxClass.gpus, !need.granted.isEmpty else { return nil }
        let devices = need.granted.compactMap { id in gpus.first { $0.id == id } }
        let enforcement: Job.GPUs.Enforcement? =
            if !devices.isEmpty, devices.allSatisfy(\.isInstance) {
                .mig
            } else if mps?.place(for: need) != nil {
                .mps
            } else {
                need.memoryBytes == nil ? nil : .ledger
            }
        let instance = enforcement == .mig ? devices.compactMap(\.memoryBytes).min() : nil
        return Job.GPUs(
            devices: need.granted.map { label($0) }, memoryLimitBytes: instance ?? need.memoryBytes,
            enforcement: enforcement)
    }

    /// The environment that tells a sandbox's tasks which devices they have, and how much of them.
    func gpuEnvironment(of sandboxClass: SandboxClass) -> [String: String] {
        var env: [String: String] = [:]
        let need = sandboxClass.gpus
        if sandboxClass.runtime == SandboxClass.processRuntime {
            // A container sees its own devices only; a process is kept to them by what the driver reads.
            env["CUDA_VISIBLE_DEVICES"] = need?.granted.joined(separator: ",") ?? ""
        }
        guard let need, let limit = need.memoryBytes else { return env }
        env["SLIPWAY_GPU_MEMORY_LIMIT"] = String(limit)
        env.merge(mpsEnvironment(of: sandboxClass)) { $1 }
        let totals = need.granted.compactMap { id in gpus.first { $0.id == id }?.memoryBytes }
        if let smallest = totals.min(), totals.count == need.granted.count {
            let fraction = min(1, Double(limit) / Double(smallest))
            env["XLA_PYTHON_CLIENT_MEM_FRACTION"] = String(format: "%.4f", fraction)
        }
        return env
    }

    private func label(_ id: String) -> String { gpus.first { $0.id == id }?.label ?? id }
}
