import Foundation

extension DockerRuntime {
    package func compileRunner(for imageID: String) async {
        // The copies are folders of this machine.
        guard options.sharesFolders else { return }
        do {
            guard let draft = try byteCode.stage(for: imageID) else { return }
            do {
                try await compile(draft, imageID: imageID)
                try byteCode.adopt(draft, for: imageID)
                logger.debug("compiled the runner for an image", metadata: ["image": "\(imageID)"])
            } catch {
                byteCode.discard(draft)
                throw error
            }
        } catch {
            logger.info(
                "the runner could not be compiled for an image, whose sandboxes start a little slower for that",
                metadata: ["image": "\(imageID)", "reason": "\(error)"])
        }
    }

    private func compile(_ draft: URL, imageID: String) async throws {
        try await helpers.with { id in try await compile(draft, imageID: imageID, in: id) }
    }

    private func compile(_ draft: URL, imageID: String, in id: SandboxID) async throws {
        let name = "slipway-\(id)"
        var spec = ContainerSpec(image: imageID)
        spec.entrypoint = ["python3"]
        spec.command = [
            "-I", "-B", "-m", "compileall", "-q", "-l", "--invalidation-mode", "unchecked-hash", Self.runnerTarget,
        ]
        harden(&spec)
        spec.labels = [Self.engineLabel: options.engineID, Self.sandboxLabel: id.description]
        spec.networkMode = "none"
        // The image's Python may write byte code and nothing else.
        spec.mounts = [
            .bind(source: draft.path, target: Self.runnerTarget, isReadOnly: true),
            .bind(
                source: draft.appendingPathComponent("__pycache__").path, target: Self.runnerTarget + "/__pycache__",
                isReadOnly: false),
        ]
        spec.environment = [(name: "NVIDIA_VISIBLE_DEVICES", value: "void")]
        spec.runtime = options.ociRuntime
        spec.processLimit = 64
        spec.nanoCPUs = 1_000_000_000
        spec.memoryBytes = 256 << 20
        spec.memorySwapBytes = 256 << 20
        do {
            _ = try await client.createContainer(name: name, spec)
            try await client.startContainer(name)
            let status = try await withTimeLimit(.seconds(60)) { try await self.client.waitForContainer(name) }
            guard status == 0 else { throw EngineError(.startFailed, "compileall ended with status \(status)") }
        } catch {
            await discard(name)
            throw error
        }
        await discard(name)
    }

    private func withTimeLimit<Value: Sendable>(
        _ limit: Duration, _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: limit)
                throw EngineError(.startFailed, "it took longer than \(limit)")
            }
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }
}
