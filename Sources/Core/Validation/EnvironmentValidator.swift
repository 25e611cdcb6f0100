/// Checks the environment variables that a job asks for.
struct EnvironmentValidator {
    let limits: RequestLimits
    let faults: FaultList

    /// Variables of the interpreter that change nothing about what it loads or runs at its start.
    private static let harmlessPython: Set<String> = [
        "PYTHONHASHSEED", "PYTHONUNBUFFERED", "PYTHONUTF8", "PYTHONDONTWRITEBYTECODE", "PYTHONIOENCODING",
        "PYTHONFAULTHANDLER", "PYTHONASYNCIODEBUG", "PYTHONTRACEMALLOC",
    ]

    func check(_ env: [String: String]) {
        if env.count > 256 { faults.add("/env", "out-of-range", "At most 256 environment variables are allowed") }
        for (name, value) in env.sorted(by: { $0.key < $1.key }) {
            let pointer = FaultList.pointer("/env", name)
            checkName(name, pointer)
            if value.utf8.contains(0) {
                faults.add(pointer, "invalid", "The value must not contain NUL")
            }
        }
        checkSize(env)
    }

    /// Checks that the variables, with the values of the job's secrets if any, fit into the frame that starts the task.
    func checkSize(_ env: [String: String], secrets: [String: String] = [:]) {
        let all = env.merging(secrets) { _, secret in secret }
        guard EnvironmentSize.bytes(of: all) > EnvironmentSize.limitBytes else { return }
        let isOfSecrets = EnvironmentSize.bytes(of: secrets) > EnvironmentSize.limitBytes
        faults.add(
            isOfSecrets ? "/secrets" : "/env", "out-of-range",
            "All variables of a task, the values of its secrets included, have at most \(EnvironmentSize.limitBytes) "
                + "bytes as JSON; send larger values in the task's arguments or files")
    }

    private func checkName(_ name: String, _ pointer: String) {
        guard Characters.isIdentifier(name), name.utf8.count <= 255 else {
            faults.add(
                pointer, "invalid-name", "A variable's name has letters, digits and underscores and no digit first")
            return
        }
        if let reason = refusal(name) { faults.add(pointer, "not-allowed", reason) }
    }

    private func refusal(_ name: String) -> String? {
        if name.hasPrefix("LD_") || name == "GLIBC_TUNABLES" {
            return "\(name) changes what the dynamic loader does and cannot be set"
        }
        if name.hasPrefix("PYTHON"), !Self.harmlessPython.contains(name) {
            return "\(name) changes how the interpreter starts and cannot be set"
        }
        if name.hasPrefix("SLIPWAY_") { return "Names that start with SLIPWAY_ are reserved" }
        if name == "CUDA_VISIBLE_DEVICES" || name.hasPrefix("NVIDIA_") || name.hasPrefix("CUDA_MPS_") {
            return "\(name) says which devices a task has, and follows from resources.gpus"
        }
        if limits.deniedEnvironment.contains(name) { return "\(name) cannot be set here" }
        return nil
    }
}
