import Foundation
import NIOCore

extension EngineCore {
    /// How often a starting sandbox is looked at while its supervisor has not dialled yet.
    private static let startCheck = Duration.milliseconds(300)

    /// Starts a sandbox and waits for its supervisor, unless the pool has given it up meanwhile.
    func startSandbox(_ id: SandboxID, _ sandboxClass: SandboxClass) async {
        guard ordered.remove(id) != nil else { return }
        guard let runtime = runtimes[sandboxClass.runtime], !isStopped else {
            tellPool(.startFailed(id, reason: "the runtime \(sandboxClass.runtime) is not available"))
            return
        }
        do {
            let sandbox = try makeSandbox(id, sandboxClass)
            let link = makeLink(of: sandbox, runtime)
            sandbox.isStarting = true
            defer { finishedStarting(sandbox) }
            try await link.listen(isolation: self)
            try await ensureIdle(sandboxClass.gpus?.granted ?? [], for: id)
            try await requireMPS(of: sandboxClass)
            try await openRelay(of: sandbox)
            sandbox.wasOrdered = true
            let started = try await runtime.start(
                SandboxSpecification(
                    id: id, sandboxClass: sandboxClass, socketFolder: sandbox.folder, userIDs: sandbox.userIDs))
            sandbox.handle = started.handle
            if let stream = started.stream { link.adopt(stream) }
            guard !sandbox.isClosing else { return }
            remember(sandbox, peer: started.peer)
            link.expect(peer: started.peer)
            sandbox.relay?.expect(peer: started.peer)
            let hello = try await firstHello(of: sandbox, runtime)
            guard hello.protocolVersion == Int(Frame.version) else {
                throw EngineError(.startFailed, "the runner speaks protocol \(hello.protocolVersion)")
            }
            link.send(.welcome(resume: []))
            try await preloadAhead(sandbox)
            try await runtime.confine(started.handle, to: sandboxClass)
            if !hello.degraded.isEmpty {
                logger.warning(
                    "a sandbox is degraded",
                    metadata: ["sandbox": "\(id)", "missing": "\("\(hello.degraded)".prefix(Self.wordsMax))"])
            }
            logger.debug("sandbox started", metadata: ["sandbox": "\(id)", "image": "\(sandboxClass.image)"])
            noteRuntime(sandboxClass.runtime, fault: nil)
            tellPool(.started(id))
        } catch {
            await startFailed(id, sandboxClass, error)
        }
    }

    private func makeSandbox(_ id: SandboxID, _ sandboxClass: SandboxClass) throws -> Sandbox {
        let own = sandboxClass.runtime == SandboxClass.processRuntime ? [] : try userIDs.take(slots: sandboxClass.slots)
        let sandbox = Sandbox(
            id: id, sandboxClass: sandboxClass, userIDs: own, folder: folders.sandboxFolder(id).path)
        sandboxes[id] = sandbox
        try folders.makeSandboxFolder(id)
        return sandbox
    }

    /// Makes the link of a sandbox; its events come back here.
    func makeLink(of sandbox: Sandbox, _ runtime: any SandboxRuntime) -> any SupervisorLink {
        let id = sandbox.id
        let handler: (LinkEvent) -> Void = { event in self.assumeIsolated { $0.received(event, from: id) } }
        let link: any SupervisorLink =
            switch runtime.transport {
            case .unix: SandboxLink(path: sandbox.folder + "/s", loop: loop, logger: logger, handler: handler)
            case .attach:
                AttachLink(
                    loop: loop, logger: logger, signSeconds: configuration.runner.redial.seconds / 6,
                    connect: {
                        guard let handle = await self.handle(of: id) else {
                            throw EngineError(.lost, "the sandbox is gone")
                        }
                        return try await runtime.attach(handle)
                    }, handler: handler)
            }
        sandbox.link = link
        return link
    }

    private func handle(of id: SandboxID) -> SandboxHandle? { sandboxes[id]?.handle }

    /// Waits for the supervisor's first frame, watching that the sandbox lives.
    func firstHello(of sandbox: Sandbox, _ runtime: any SandboxRuntime) async throws -> RunnerMessage.Hello {
        let (policy, key) = configuration.pools.policy(of: sandbox.sandboxClass)
        let deadline = NIODeadline.now() + .nanoseconds(Int64(policy.startTimeout.seconds * 1e9))
        while NIODeadline.now() < deadline {
            if let hello = try await sandbox.helloSignal.wait(upTo: Self.startCheck, on: loop) {
                sandbox.hello = hello
                return hello
            }
            guard let handle = sandbox.handle, !sandbox.isClosing else { break }
            if case .gone(let reason) = try await runtime.inspect(handle) {
                throw EngineError(.startFailed, "the sandbox ended before its runner was ready: \(reason)")
            }
        }
        throw EngineError(
            .startFailed,
            "the sandbox's runner did not answer within \(Quantity.text(policy.startTimeout)) (\(key).start_timeout)")
    }

    private func startFailed(_ id: SandboxID, _ sandboxClass: SandboxClass, _ error: any Error) async {
        if sandboxes[id]?.isClosing == true { return }
        var message = FailureWords.whole(error)
        var output = ""
        if let sandbox = sandboxes[id], let handle = sandbox.handle, let runtime = runtimes[sandboxClass.runtime] {
            output = String(await runtime.diagnose(handle).trimmingCharacters(in: .whitespacesAndNewlines).suffix(1000))
            if !output.isEmpty { message += "; its last output: \(output)" }
        }
        logger.warning(
            "a sandbox did not start",
            metadata: [
                "sandbox": "\(id)", "image": "\(sandboxClass.image)", "pool": "\(sandboxClass.pool ?? "")",
                "cpus": "\(sandboxClass.cpus)", "memory": "\(sandboxClass.memoryBytes)", "reason": "\(message)",
            ])
        if (error as? EngineError)?.code == .containerEngineUnavailable {
            noteRuntime(sandboxClass.runtime, fault: message)
        }
        tellPool(.startFailed(id, reason: failureWords.note(error, whole: message, output: output, of: id)))
    }

    /// Prepares a sandbox for a tenant and its environment.
    func specialise(_ id: SandboxID, for specialisation: Specialisation) async {
        guard let sandbox = sandboxes[id] else {
            tellPool(.specialiseFailed(id, reason: "the sandbox is gone"))
            return
        }
        sandbox.preparing = specialisation
        defer { sandbox.preparing = nil }
        do {
            let path = try specialisation.environment.map { [try environmentPath(of: $0, in: sandbox)] } ?? []
            let group = sandbox.userIDs.isEmpty ? nil : try await groupID(of: specialisation.tenant)
            let ready = try await configure(
                sandbox,
                .init(
                    key: TaskReference.makeNonce(), groupID: group, path: path, preload: specialisation.preload,
                    env: gpuEnvironment(of: sandbox.sandboxClass), outputs: outputLimits))
            sandbox.preloadErrors = ready.preloadErrors
            sandbox.cloudpickle = ready.cloudpickle
            sandbox.specialisation = specialisation
            remember(sandbox, peer: sandbox.peer)
            learn(sandbox)
            compileRunner(for: sandbox.sandboxClass)
            tellPool(.specialised(id))
        } catch {
            let whole = FailureWords.whole(error)
            logger.warning("a sandbox could not be prepared", metadata: ["sandbox": "\(id)", "reason": "\(whole)"])
            tellPool(.specialiseFailed(id, reason: failureWords.note(error, whole: whole, of: id)))
        }
    }

    /// Has the runner compiled for an image, once, a little later: a short-lived engine has no use for it.
    private func compileRunner(for sandboxClass: SandboxClass) {
        guard let runtime = runtimes[sandboxClass.runtime], compiledFor.insert(sandboxClass.imageID).inserted else {
            return
        }
        spawn { _ in
            guard (try? await Task.sleep(for: .seconds(2))) != nil else { return }
            await runtime.compileRunner(for: sandboxClass.imageID)
        }
    }

    private func environmentPath(of key: String, in sandbox: Sandbox) throws -> String {
        guard let environments else { throw EngineError(.dependency, "environments are not available") }
        return environments.path(of: key, runtime: sandbox.sandboxClass.runtime)
    }

    /// The group that owns a tenant's environments.
    func groupID(of tenant: TenantID) async throws -> Int {
        if let known = groups[tenant] { return known }
        let range = configuration.sandbox.groupRange
        let number = try await groupNumber(of: tenant)
        guard number < range.count else {
            throw EngineError(
                .limitExceeded, "there are more tenants than groups: enlarge sandbox.group_range (\(range.count))")
        }
        groups[tenant] = range.first + number
        return range.first + number
    }

    /// The tenant's place in the range of groups: given once, kept for ever.
    private func groupNumber(of tenant: TenantID) async throws -> Int {
        if let pending = groupLookups[tenant] { return try await pending.value }
        let (store, offload) = (store, offload)
        // One at a time, so that no two tenants get one number.
        let earlier = lastGroupLookup
        let ordered = Task {
            _ = await earlier?.result
            return try await offload.runIfActive {
                if let known = try store.metaBlocking("group:\(tenant)").flatMap({ Int($0) }) { return known }
                let next = try store.metaBlocking("groups").flatMap { Int($0) } ?? 0
                try store.performBlocking(.setMeta(key: "groups", value: "\(next + 1)"))
                try store.performBlocking(.setMeta(key: "group:\(tenant)", value: "\(next)"))
                return next
            }
        }
        groupLookups[tenant] = ordered
        lastGroupLookup = ordered
        defer { groupLookups[tenant] = nil }
        return try await ordered.value
    }

    /// Removes a sandbox; the pool hears of it when nothing of it is left.
    func destroySandbox(_ id: SandboxID, reason: String) {
        guard let sandbox = sandboxes[id] else {
            ordered.remove(id)
            tellPool(.removed(id))
            return
        }
        if isEnding, reason == PoolDestroyReason.drain.rawValue, holdersOfUnstored().contains(id) {
            // The next process takes it back, where this one cannot store what it has. One with a fault goes at once.
            sparedSandboxes.insert(id)
            return
        }
        sandbox.isClosing = true
        sandbox.link?.close()
        sandbox.relay?.close()
        sandbox.helloSignal.fail(EngineError(.lost, "the sandbox is being removed: \(reason)"))
        sandbox.readySignal?.signal.fail(EngineError(.lost, "the sandbox is being removed: \(reason)"))
        logger.debug("removing a sandbox", metadata: ["sandbox": "\(id)", "reason": "\(reason)"])
        if !sandbox.isStarting { spawn { await $0.remove(id) } }
    }

    /// Removes a sandbox that was given up while its runtime was making it.
    private func finishedStarting(_ sandbox: Sandbox) {
        sandbox.isStarting = false
        let id = sandbox.id
        if sandbox.isClosing, sandboxes[id] === sandbox { spawn { await $0.remove(id) } }
    }

    private func remove(_ id: SandboxID) async {
        guard let sandbox = sandboxes[id] else { return }
        do {
            try await removeRemains(of: sandbox)
        } catch {
            logger.warning("a sandbox could not be removed", metadata: ["sandbox": "\(id)", "reason": "\(error)"])
            tellPool(.removeFailed(id, reason: "\(error)"))
            return
        }
        guard sandboxes.removeValue(forKey: id) != nil else { return }
        if !sandbox.userIDs.isEmpty { userIDs.give(sandbox.userIDs) }
        folders.removeSandboxFolder(id)
        forget(id)
        tellPool(.removed(id))
    }

    /// Removes what a runtime has of a sandbox; throws as long as anything of it may be there.
    private func removeRemains(of sandbox: Sandbox) async throws {
        guard let runtime = runtimes[sandbox.sandboxClass.runtime] else { return }
        if sandbox.handle == nil, sandbox.wasOrdered {
            // The runtime tidies up after a start that fails, and may fail in that as well.
            sandbox.handle = try await runtime.leftovers().first { $0.id == sandbox.id }
        }
        guard let handle = sandbox.handle else { return }
        try await runtime.destroy(handle)
        // As long as this fails the sandbox counts as not removed, and its devices go to nobody.
        try await ensureIdle(sandbox.sandboxClass.gpus?.granted ?? [], for: sandbox.id)
    }

    /// Notes whether a runtime answers.
    func noteRuntime(_ name: String, fault: String?) {
        // What the end of the engine cancels says nothing of a runtime.
        guard !isStopped else { return }
        let was = runtimeFaults[name]
        runtimeFaults[name] = fault
        guard (was == nil) != (fault == nil) else { return }
        if let fault {
            logger.error("a runtime does not answer", metadata: ["runtime": "\(name)", "reason": "\(fault)"])
        } else {
            logger.notice("a runtime answers again", metadata: ["runtime": "\(name)"])
        }
        if name != SandboxClass.processRuntime { tellPool(.enginesUp(fault == nil)) }
    }
}
