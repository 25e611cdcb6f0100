import Foundation
import NIOCore

extension EngineCore {
    /// Where a job can run: the kind of sandbox and what it is prepared for.
    struct Place {
        var sandboxClass: SandboxClass
        var specialisation: Specialisation
    }

    /// The place of a job whose image is known and whose environment is installed; nil when either must be awaited.
    func readyPlace(of job: ActiveJob) -> Place? {
        guard let image = images.fresh(runtime: job.plan.runtime, reference: job.plan.image),
            // What a source tree holds is found out anew for each job.
            job.plan.project == nil
        else { return nil }
        let need = need(of: job.plan, job.job.tenant, isCallable: job.job.kind == .callable, image, project: nil)
        guard need.isNone else {
            guard let environments, let key = environments.installed(need) else { return nil }
            return place(of: job, image, environment: key)
        }
        // The small environment serves every task once it is there, so that all of a tenant share their sandboxes.
        let shared = images.lacksCloudpickle(image) ? environments?.installed(need.withCloudpickle) : nil
        return place(of: job, image, environment: shared)
    }

    private func place(of job: ActiveJob, _ image: ResolvedImage, environment: String?) -> Place {
        Place(
            sandboxClass: job.plan.sandboxClass(
                image: image, ociRuntime: configuration.runtime.ociRuntime, of: job.job.tenant),
            specialisation: Specialisation(
                tenant: job.job.tenant, environment: environment, preload: job.plan.preload))
    }

    private func need(
        of plan: JobPlan, _ tenant: TenantID, isCallable: Bool, _ image: ResolvedImage, project: ProjectTree?
    ) -> EnvironmentNeed {
        let installs = !plan.requirements.isEmpty || project != nil
        let lacks = isCallable && images.lacksCloudpickle(image)
        // What is installed anyway serves callables too, whatever is known of the image by now: the builder looks.
        return EnvironmentNeed(
            tenant: tenant, runtime: plan.runtime, image: image, requirements: plan.requirements,
            needsCloudpickle: environments != nil && (installs || lacks), indexURL: plan.indexURL, project: project)
    }

    /// What a plan needs installed; its source tree is read.
    func need(
        of plan: JobPlan, tenant: TenantID, isCallable: Bool, _ image: ResolvedImage
    ) async throws -> EnvironmentNeed {
        var tree: ProjectTree?
        if let project = plan.project {
            let allowed = configuration.environments.projectAllow
            tree = try await offload.runIfActive { try ProjectAllowance.read(project, allowed: allowed) }
        }
        return need(of: plan, tenant, isCallable: isCallable, image, project: tree)
    }

    /// Finds the image and installs the environment of a job, then looks for its sandbox.
    func prepare(_ id: JobID) async {
        guard let job = jobs[id], job.phase == .preparing else { return }
        do {
            let image = try await image(of: job)
            let isCallable = job.job.kind == .callable
            let need = try await need(of: job.plan, tenant: job.job.tenant, isCallable: isCallable, image)
            var environment: String?
            if !need.isNone {
                environment = environments?.installed(need)
                if environment == nil { environment = try await provideEnvironment(need, for: job) }
            }
            guard jobs[id] === job, job.phase == .preparing else { return }
            let place =
                environment == nil
                ? readyPlace(of: job) ?? place(of: job, image, environment: nil)
                : place(of: job, image, environment: environment)
            requestSandbox(job, place.sandboxClass, place.specialisation)
        } catch {
            prepareFailed(job, error)
        }
    }

    private func prepareFailed(_ job: ActiveJob, _ error: any Error) {
        // A job that is prepared when the engine stops stays queued: the next start takes it up.
        guard jobs[job.job.id] === job, job.phase == .preparing, !isDraining else { return }
        let failure = error as? EngineError ?? EngineError(.internalFault, "\(error)")
        switch failure.code {
        case .containerEngineUnavailable, .timeout:
            // One that takes calls and does not answer them is as good as away. The job waits for it as it would for a
            // sandbox, until its queue_timeout.
            noteRuntime(job.plan.runtime, fault: failure.message)
            let id = job.job.id
            loop.scheduleTask(in: .seconds(1)) {
                self.assumeIsolated { core in core.spawn { await $0.prepare(id) } }
            }
        case .dependency:
            fail(job, JobError(kind: .dependency, message: failure.message))
        default:
            logger.warning(
                "a job could not be prepared",
                metadata: [
                    "job": "\(job.job.id)", "image": "\(job.plan.image)", "reason": "\(failure.wholeMessage)",
                ])
            fail(job, JobError(kind: .startFailed, message: failureWords.text(failure, for: job.job.tenant)))
        }
    }

    /// Notes whether an image has cloudpickle of its own.
    func learn(_ sandbox: Sandbox) {
        guard sandbox.specialisation?.environment == nil else { return }
        let image = ResolvedImage(
            reference: sandbox.sandboxClass.image, digest: sandbox.sandboxClass.imageID)
        images.note(image, hasCloudpickle: sandbox.cloudpickle != nil)
    }

    /// Whether a sandbox can run a job; a callable needs cloudpickle, and gets an environment with it otherwise.
    func fits(_ job: ActiveJob, _ sandbox: Sandbox) -> Bool {
        guard job.job.kind == .callable, sandbox.cloudpickle == nil, environments != nil else { return true }
        return sandbox.specialisation?.environment != nil
    }
}
