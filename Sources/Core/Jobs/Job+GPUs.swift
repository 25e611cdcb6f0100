extension Job {
    /// The graphics processors that a job has or had.
    public struct GPUs: Sendable, Equatable, Codable {
        /// What keeps a job to the memory of a device that it was promised.
        public enum Enforcement: String, Sendable, Codable {
            /// The device is an instance of a divided one (MIG): the hardware does.
            case mig
            /// The driver's multi-process service (MPS) refuses what goes beyond it, unless a task changes the variables
            /// that it was given before it starts CUDA.
            case mps
            /// The engine promises no more than there is, and frameworks are told their share: a task that goes beyond
            /// it on purpose is not stopped.
            case ledger
        }

        /// The devices, by index where they have one, else by UUID.
        public var devices: [String]
        /// The memory of each device that the job may use, in bytes; nil for all of it.
        public var memoryLimitBytes: Int?
        /// What enforces that limit; nil without one.
        public var enforcement: Enforcement?

        package init(devices: [String], memoryLimitBytes: Int? = nil, enforcement: Enforcement? = nil) {
            self.devices = devices
            self.memoryLimitBytes = memoryLimitBytes
            self.enforcement = enforcement
        }
    }
}
