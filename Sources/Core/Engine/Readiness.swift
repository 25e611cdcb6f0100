/// Whether an engine can run jobs now.
public struct Readiness: Sendable, Equatable {
    /// Whether it can.
    public let ready: Bool
    /// Why it cannot; without paths of the host, since anybody may read it.
    public let reasons: [String]
    /// The container engine in words, such as `docker 20.10.24`, or what is wrong with it.
    public let containerEngine: String

    package init(ready: Bool, reasons: [String] = [], containerEngine: String) {
        self.ready = ready
        self.reasons = reasons
        self.containerEngine = containerEngine
    }
}
