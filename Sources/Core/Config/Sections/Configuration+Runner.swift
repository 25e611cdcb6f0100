extension Configuration {
    /// The conversation with the runner in a sandbox.
    public struct Runner: Sendable, Hashable {
        /// The time between two heartbeats.
        public var heartbeat = Duration.seconds(1)
        /// The silence after which a sandbox counts as lost.
        public var silence = Duration.seconds(30)
        /// How long a lost connection may take to come back before the host asks after the sandbox.
        public var reconnectGrace = Duration.seconds(5)
        /// How long a runner without a host keeps calling before it ends.
        public var redial = Duration.seconds(30)
        /// The time between the polite and the hard signal to a task.
        public var killGrace = Duration.seconds(1)
        /// The longest wait until a runner is ready after it was told its tenant, environment and modules.
        public var configureTimeout = Duration.seconds(120)
        /// Whether runners keep what tasks share on huge pages where the kernel has them.
        public var hugePages = true

        /// The section with every value at its default.
        public init() {}
    }
}

extension Configuration.Runner: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "heartbeat", \.heartbeat, .duration(.milliseconds(100) ... .minutes(1)),
            "Time between two heartbeats of a sandbox.",
            tune: "Raise it with hundreds of warm sandboxes on a small machine.")
        Field.value(
            "silence", \.silence, .duration(.seconds(1) ... .hours(1)),
            "Silence after which a sandbox counts as lost and its task ends as lost.",
            tune: "Raise it on overloaded machines: a healthy sandbox starved of processor answered after 6.4 s.")
        Field.value(
            "reconnect_grace", \.reconnectGrace, .duration(.milliseconds(100) ... .minutes(10)),
            "How long a lost connection may take to come back before the engine asks after the sandbox.",
            tune: "Raise it when the machine is suspended or very busy at times.")
        Field.value(
            "redial", \.redial, .duration(.seconds(1) ... .hours(1)),
            "How long a runner that lost its engine keeps calling, with its results kept, before it ends.",
            tune: "Raise it above the time that a restart of the engine takes.")
        Field.value(
            "kill_grace", \.killGrace, .duration(.seconds(0) ... .minutes(10)),
            "Time beyond a task's own, and 4 seconds more, after which the engine itself ends the task's sandbox: its "
                + "runner, which kills a task with SIGKILL when its time is over, has not done it.",
            tune: "Raise it where sandboxes have so little of a processor that their runners come late.")
        Field.value(
            "configure_timeout", \.configureTimeout, .duration(.seconds(1) ... .hours(1)),
            "Longest wait until a runner has its environment and has imported the preloaded modules.",
            tune: "Raise it for modules that take minutes to import.")
        Field.value(
            "huge_pages", \.hugePages, .bool,
            "Whether what a sandbox's tasks share is kept on huge pages, where the kernel has them: a short task then "
                + "takes 12 to 23 % less of the processor's time, and each sandbox 10 to 15 MB more memory.",
            tune: "Turn it off for many sandboxes in little memory, or where an image's Python gets on badly with it.")
    }

    package func check() -> [ConfigurationConflict] {
        guard silence < heartbeat * 3 else { return [] }
        let message = "must be at least three heartbeats (\(Quantity.text(heartbeat * 3)))"
        return [.init("silence", with: "heartbeat", message: message)]
    }
}
