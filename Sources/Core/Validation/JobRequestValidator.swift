/// Checks what a job request asks for, without any state of the engine.
///
/// The same rules hold for requests over REST and from an embedding service. Faults point to the JSON members of the
/// REST form.
package struct JobRequestValidator {
    /// The handler of tasks that run in the engine's process.
    private static let directHandler = "direct"

    private let limits: RequestLimits
    private let faults: FaultList

    private init(limits: RequestLimits, faults: FaultList) {
        self.limits = limits
        self.faults = faults
    }

    /// All faults of a request; none when it is right.
    ///
    /// - Parameter prefix: What the pointers start with, such as `/jobs/3` in a batch.
    package static func validate(
        _ request: JobRequest, limits: RequestLimits, prefix: String = ""
    ) -> [EngineError.Fault] {
        let faults = FaultList(prefix: prefix)
        JobRequestValidator(limits: limits, faults: faults).check(request)
        return faults.faults
    }

    private func check(_ request: JobRequest) {
        TaskValidator(limits: limits, faults: faults).check(request.task)
        if let name = request.name { checkName(name) }
        if let handler = request.handler { checkHandler(handler, of: request.task.kind) }
        if let image = request.image { checkImage(image) }
        if !request.requirements.isEmpty { checkRequirements(request.requirements) }
        InstallationValidator(limits: limits, faults: faults).check(request)
        if !request.env.isEmpty { EnvironmentValidator(limits: limits, faults: faults).check(request.env) }
        for (place, secret) in request.secrets.enumerated() where !limits.secrets.contains(secret) {
            faults.add("/secrets/\(place)", "unknown-secret", "No secret of this name is configured")
        }
        ResourceValidator(limits: limits, faults: faults).check(request.resources)
        if let network = request.network, !limits.networks.contains(network) {
            faults.add(
                "/network", "not-allowed",
                "The network mode must be one of \(listed(limits.networks)); the operator lists them in network.allow")
        }
        if !request.mounts.isEmpty { MountValidator(limits: limits, faults: faults).check(request.mounts) }
        checkTimes(request)
        if !(-100...100).contains(request.priority) {
            faults.add("/priority", "out-of-range", "The priority must lie between -100 and 100")
        }
        if !request.labels.isEmpty { checkLabels(request.labels) }
        if !request.preload.isEmpty { checkPreload(request.preload) }
    }

    private func checkName(_ name: String) {
        if name.isEmpty || name.unicodeScalars.count > 255 {
            faults.add("/name", "out-of-range", "The name must have 1 to 255 characters")
        }
        if name.utf8.contains(0) { faults.add("/name", "invalid", "The name must not contain NUL") }
    }

    /// Tasks of type `handler` run in the engine's process, all others in sandboxes only.
    private func checkHandler(_ handler: String, of kind: TaskSpec.Kind) {
        let fitting = kind == .handler ? [Self.directHandler] : limits.handlers.subtracting([Self.directHandler])
        guard !fitting.contains(handler) else { return }
        faults.add(
            "/handler", "unknown-handler",
            "No handler of this name runs tasks of type \(kind.rawValue); there are: \(listed(fitting))")
    }

    private func checkImage(_ image: String) {
        guard ImageReference.isValid(image) else {
            faults.add("/image", "invalid", "The image must look like registry.example.org/team/name:tag")
            return
        }
        guard image != limits.defaultImage, !limits.images.contains(where: { Glob.matches($0, image) }) else { return }
        faults.add("/image", "not-allowed", "The image is not on the list of allowed images")
    }

    private func checkRequirements(_ requirements: [String]) {
        guard requirements.count <= 200 else {
            faults.add("/requirements", "out-of-range", "At most 200 requirements are allowed")
            return
        }
        for (place, text) in requirements.enumerated() {
            do throws(RequirementSyntax.Fault) {
                try RequirementSyntax.check(text, allowsURLs: limits.allowsRequirementURLs)
            } catch {
                faults.add("/requirements/\(place)", error.code, error.detail)
            }
        }
    }

    private func checkTimes(_ request: JobRequest) {
        checkTime(request.timeout, "/timeout", limits.timeout)
        checkTime(request.queueTimeout, "/queue_timeout", limits.queueTimeout)
        if request.retry.maxAttempts < 1 {
            faults.add("/retry/max_attempts", "out-of-range", "A job has at least one attempt")
        } else if request.retry.maxAttempts > limits.attempts {
            faults.add("/retry/max_attempts", "limit-exceeded", "At most \(limits.attempts) attempts are allowed")
        }
        if request.retry.backoff < .zero || request.retry.backoff > .seconds(3600) {
            faults.add("/retry/backoff", "out-of-range", "The backoff must lie between 0 and 3600 seconds")
        }
    }

    private func checkTime(_ time: Duration?, _ pointer: String, _ limit: Duration) {
        guard let time else { return }
        if time <= .zero {
            faults.add(pointer, "out-of-range", "The time must be longer than 0 seconds")
        } else if time > limit {
            faults.add(pointer, "limit-exceeded", "At most \(limit.components.seconds) seconds are allowed")
        }
    }

    private func checkLabels(_ labels: [String: String]) {
        if labels.count > 64 { faults.add("/labels", "out-of-range", "At most 64 labels are allowed") }
        for (key, value) in labels.sorted(by: { $0.key < $1.key }) {
            let pointer = FaultList.pointer("/labels", key)
            if !Characters.isWord(key, extra: "._/-", limit: 63) {
                faults.add(
                    pointer, "invalid-name",
                    "A label's key has 1 to 63 of A-Z a-z 0-9 . _ / - and starts with none of . / -")
            }
            if value.unicodeScalars.count > 255 || value.unicodeScalars.contains(where: Characters.isControl) {
                faults.add(pointer, "invalid", "A label's value has at most 255 characters and no control characters")
            }
        }
    }

    private func checkPreload(_ modules: [String]) {
        if modules.count > 100 { faults.add("/preload", "out-of-range", "At most 100 modules can be preloaded") }
        for (place, module) in modules.enumerated() where !Characters.isDottedIdentifier(module) {
            faults.add("/preload/\(place)", "invalid-name", "A module's name looks like package.module")
        }
        for (place, module) in modules.enumerated() where module.utf8.count > 255 {
            faults.add("/preload/\(place)", "out-of-range", "A module's name has at most 255 bytes")
        }
    }

    private func listed(_ names: Set<String>) -> String { names.sorted().joined(separator: ", ") }
}
