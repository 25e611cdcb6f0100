import NIOCore

extension EngineCore {
    /// Seconds between two looks at the images of declared classes.
    private static let lookSeconds = 60
    /// Seconds until the next try where an image is missing.
    private static let retrySeconds = 5

    /// Keeps the declared classes known to the pool, under the images that their names stand for at present.
    ///
    /// An image that was built anew under its old name is noticed here: the sandboxes of the old one are given up.
    func keepDeclared() async {
        var missing: Set<String> = []
        var retry = Self.retrySeconds
        while !isStopped {
            let isComplete = await declarePools(&missing)
            // A registry that lacks an image is asked ever more seldom.
            retry =
                isComplete || runtimeFaults[defaultRuntime] != nil
                ? Self.retrySeconds : min(retry * 2, Self.lookSeconds)
            let pause = Duration.seconds(isComplete ? Self.lookSeconds : retry)
            guard (try? await Task.sleep(for: pause)) != nil else { return }
        }
    }

    /// Resolves every declared class and tells the pool; false when an image is not there.
    ///
    /// - Parameter missing: Images that are known to be missing, so that each is said once.
    func declarePools(_ missing: inout Set<String>) async -> Bool {
        let pools = configuration.pools
        var found: Set<SandboxClass> = []
        var kept: Set<SandboxClass> = []
        var isComplete = true
        // What belongs to one tenant is not kept for everybody.
        let plans = declaredPlans().filter { !$0.isOfOneTenant }
        // Side by side, since an image that must be pulled takes long; how many are is bounded there.
        let outcomes = await withTaskGroup(of: (JobPlan, Result<SandboxClass, any Error>).self) { group in
            for plan in plans { group.addTask { (plan, await self.declare(plan)) } }
            var outcomes: [(JobPlan, Result<SandboxClass, any Error>)] = []
            for await outcome in group { outcomes.append(outcome) }
            return outcomes
        }
        for (plan, outcome) in outcomes {
            switch outcome {
            case .success(let sandboxClass):
                missing.remove(plan.image)
                found.insert(sandboxClass)
            case .failure(let error):
                isComplete = false
                // Its sandboxes serve until the image can be asked for again.
                kept.formUnion(declared.filter { $0.image == plan.image && $0.pool == plan.pool })
                // An engine that ends has cancelled its questions: that says nothing of the image.
                guard !isDraining, missing.insert(plan.image).inserted else { continue }
                logger.warning(
                    "the image of a pool is not available",
                    metadata: [
                        "image": "\(plan.image)", "pool": "\(plan.pool ?? "")",
                        "reason": "\(FailureWords.whole(error))",
                    ])
            }
        }
        // Read again meanwhile: whoever did that declares what holds now.
        guard pools == configuration.pools, !isDraining else { return isComplete }
        for sandboxClass in declared.subtracting(found).subtracting(kept) {
            preloadFaults[sandboxClass] = nil
            tellPool(.undeclare(sandboxClass))
        }
        declared.formIntersection(found.union(kept))
        return isComplete
    }

    /// Finds, or has pulled, the image of a declared class and tells the pool.
    private func declare(_ plan: JobPlan) async -> Result<SandboxClass, any Error> {
        do {
            let image = try await resolveImage(of: plan, for: nil)
            let ociRuntime = configuration.runtime.ociRuntime
            let sandboxClass = plan.sandboxClass(image: image, ociRuntime: ociRuntime, of: .default)
            // Unless the configuration was read again while the image was pulled.
            if declaredPlans().contains(plan), declared.insert(sandboxClass).inserted {
                tellPool(.declare(sandboxClass))
            }
            return .success(sandboxClass)
        } catch {
            return .failure(error)
        }
    }

    /// What sandboxes of the default size and of each declared class are made of.
    private func declaredPlans() -> [JobPlan] {
        let request = JobRequest(task: .source(""))
        var plans = [JobPlan(request, runtime: defaultRuntime, configuration: configuration)]
        for declared in configuration.pools.classes {
            let shape = PoolShape(declared, configuration.sandbox)
            // Runtimes without images have the default one's place only.
            guard defaultRuntime == "docker" || declared.image == nil else { continue }
            plans.append(JobPlan(of: shape, runtime: defaultRuntime, configuration: configuration))
        }
        return plans
    }
}
