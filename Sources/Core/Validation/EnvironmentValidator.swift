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
        var total = 0
        for (name, value) in env.sorted(by: { $0.key < $1.key }) {
            let pointer = FaultList.pointer("/env", name)
            total += name.utf8.count + value.utf8.count
            checkName(name, pointer)
            if value.utf8.contains(0) {
                faults.add(pointer, "invalid", "The value must not contain NUL")
            }
            // The kernel takes at most 128 KiB of one variable, its name and the NUL at its end included.
            if name.utf8.count + value.utf8.count > 131_000 {
                faults.add(pointer, "out-of-range", "A variable has at most 131000 bytes")
            }
        }
        if total > 1 << 20 { faults.add("/env", "out-of-range", "All variables together have at most 1 MiB") }
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
