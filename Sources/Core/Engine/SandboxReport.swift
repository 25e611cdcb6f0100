/// What a sandbox's supervisor said about itself when it first connected.
package struct SandboxReport: Sendable, Equatable {
    /// The interpreter's version, such as `3.11.2`.
    package let python: String
    /// The C library, such as `glibc 2.36`.
    package let libc: String
    /// The version of cloudpickle that the interpreter imports; nil without one.
    package let cloudpickle: String?
    /// Protections that this machine does not have.
    package let degraded: [String]
}

extension Engine {
    /// The sandboxes that are connected at this moment.
    package func sandboxReports() async -> [SandboxReport] { await core.sandboxReports() }
}

extension EngineCore {
    fileprivate func sandboxReports() -> [SandboxReport] {
        sandboxes.values.compactMap { sandbox in
            sandbox.hello.map {
                SandboxReport(
                    python: $0.python, libc: $0.libc, cloudpickle: sandbox.cloudpickle, degraded: $0.degraded)
            }
        }
    }
}
