import NIOCore

/// A sandbox as the engine knows it; confined to the engine's loop.
final class Sandbox {
    /// Its identifier.
    let id: SandboxID
    /// What was fixed at its creation.
    let sandboxClass: SandboxClass
    /// Its own user ids; empty where the runtime has none.
    let userIDs: [Int]
    /// The host's folder of its socket.
    let folder: String
    /// The channel to its supervisor.
    var link: (any SupervisorLink)?
    /// What carries its connections to ports of the host; nil in every other network mode.
    var relay: HostRelay?
    /// How the runtime finds it, once it was started.
    var handle: SandboxHandle?
    /// The supervisor's process id as the host sees it.
    var peer: Int32 = 0
    /// The supervisor's first frame, once it has connected.
    var hello: RunnerMessage.Hello?
    /// The version of cloudpickle that its zygote imported.
    var cloudpickle: String?
    /// Modules that its zygote was to import ahead and could not.
    var preloadErrors: [RunnerMessage.PreloadError] = []
    /// The tenant and environment that it was prepared for.
    var specialisation: Specialisation?
    /// What it is being prepared for at this moment.
    var preparing: Specialisation?
    /// The places of its tasks.
    let slots: [SandboxSlot]
    /// When anything was last heard of it.
    var lastHeard: NIODeadline
    /// When its connection was lost; nil while it is connected.
    var disconnectedAt: NIODeadline?
    /// Whether a question about its condition is under way.
    var isInspected = false
    /// Whether its runtime is still making it: it is then removed by whoever starts it.
    var isStarting = false
    /// Whether its runtime was asked to make it: something of it may exist also where no handle came back.
    var wasOrdered = false
    /// Whether its runtime has frozen it for us, or is about to freeze or thaw it: it is silent then.
    var isAsleep = false
    /// How often it was frozen and thawed: what was learned before the last time is outdated.
    var naps = 0
    /// The processors that it is kept to while its tasks keep them busy.
    var pin = ProcessorPin()
    /// When a task in it last kept processors busy.
    var lastBusy = NIODeadline.uptimeNanoseconds(0)
    /// Whether it is being destroyed.
    var isClosing = false
    /// The supervisor's HELLO of the next connection.
    var helloSignal = Signal<RunnerMessage.Hello>()
    /// The supervisor's READY to the last CONFIGURE.
    var readySignal: (key: String, signal: Signal<RunnerMessage.Ready>)?

    /// Sends a command, unless the connection is lost or not agreed on yet: WELCOME has to be the first.
    ///
    /// What is not sent is made good when the supervisor dials again.
    @discardableResult
    func send(_ command: RunnerCommand) -> Bool {
        guard disconnectedAt == nil, !isClosing, let link else { return false }
        return link.send(command)
    }

    init(id: SandboxID, sandboxClass: SandboxClass, userIDs: [Int], folder: String) {
        self.id = id
        self.sandboxClass = sandboxClass
        self.userIDs = userIDs
        self.folder = folder
        slots = (0..<max(1, sandboxClass.slots)).map { SandboxSlot(index: $0) }
        lastHeard = .now()
    }

    /// Whether a task runs in it.
    var isBusy: Bool { slots.contains { $0.job != nil } }

    /// The place of a job in this sandbox.
    func slot(of job: ActiveJob) -> SandboxSlot { slots[min(max(0, job.slot), slots.count - 1)] }
}
