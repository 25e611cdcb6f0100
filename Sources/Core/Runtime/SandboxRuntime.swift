/// A place where sandboxes come from.
///
/// Every runtime passes the same conformance suite. A sandbox is started with its socket listening already; its
/// supervisor dials by itself.
package protocol SandboxRuntime: Sendable {
    /// `docker` or `process`.
    var name: String { get }

    /// What carries the frames of its sandboxes.
    var transport: SupervisorTransport { get }

    /// Answers whether sandboxes can be started now; throws the reason why not.
    func check() async throws

    /// Says how large the machine is on which sandboxes run.
    func hostSize() async throws -> HostSize

    /// Finds an image and what identifies it; throws `.imageNotFound` when there is none.
    func resolve(image: String) async throws -> ResolvedImage

    /// Refuses an image that a job must not have fetched, because of where it would come from.
    ///
    /// - Throws: `.notAllowed`.
    func admit(image: String) async throws

    /// Finds an image, or gets it from where images come from, which may take long; `progress` is told how far it is.
    ///
    /// - Parameter tenant: Who asks, for tenants take turns; nil is the operator.
    func obtain(
        image: String, for tenant: TenantID?, progress: @escaping @Sendable (String) -> Void
    ) async throws -> ResolvedImage

    /// Starts a sandbox whose supervisor will dial `specification.socketFolder`.
    func start(_ specification: SandboxSpecification) async throws -> StartedSandbox

    /// Takes back from a sandbox what it was given for its start alone, once its supervisor has answered.
    func confine(_ handle: SandboxHandle, to sandboxClass: SandboxClass) async throws

    /// Lets a sandbox use these processors only, which are some of those that its supervisor named.
    func keep(_ handle: SandboxHandle, to processors: ProcessorList) async throws

    /// Attaches to the supervisor of a sandbox that runs, where that is the transport.
    func attach(_ handle: SandboxHandle) async throws -> any SandboxStream

    /// Removes a sandbox and everything of it; it need not exist any more.
    func destroy(_ handle: SandboxHandle) async throws

    /// Freezes every process of a sandbox; one that is frozen already is left as it is.
    func pause(_ handle: SandboxHandle) async throws

    /// Lets a frozen sandbox go on; one that runs is left as it is.
    func resume(_ handle: SandboxHandle) async throws

    /// Says how a sandbox is at present.
    func inspect(_ handle: SandboxHandle) async throws -> SandboxCondition

    /// The last lines that a sandbox's supervisor wrote, for error messages.
    func diagnose(_ handle: SandboxHandle) async -> String

    /// Every sandbox of this engine that exists, whoever started it.
    func leftovers() async throws -> [SandboxHandle]

    /// Makes later sandboxes of an image start faster, where that can be done; failures are only logged.
    func compileRunner(for imageID: String) async

    /// Why sandboxes of a network mode cannot be had; nil where they can.
    func refusal(ofNetwork mode: String) -> String?

    /// Says where the folder of a mount really lies; throws `.notAllowed` where it must not be mounted. It may block.
    func resolve(mount: JobRequest.Mount) throws -> JobRequest.Mount

    /// Sets up what sandboxes need besides themselves, such as networks; what cannot be had is refused later.
    func prepare() async

    /// Looks after what was set up; asked every few seconds.
    func maintain() async

    /// Removes what was set up, as far as no sandbox uses it.
    func close() async
}

extension SandboxRuntime {
    /// Takes every image: nothing is fetched.
    package func admit(image: String) async throws {}

    /// Finds the image: nothing is fetched.
    package func obtain(
        image: String, for tenant: TenantID?, progress: @escaping @Sendable (String) -> Void
    ) async throws -> ResolvedImage { try await resolve(image: image) }

    /// Nothing was given for the start alone.
    package func confine(_ handle: SandboxHandle, to sandboxClass: SandboxClass) async throws {}

    /// Refuses: not every runtime has processors to give.
    package func keep(_ handle: SandboxHandle, to processors: ProcessorList) async throws {
        throw EngineError(.notSupported, "the runtime \(name) cannot keep sandboxes to some processors")
    }

    /// Supervisors dial a socket.
    package var transport: SupervisorTransport { .unix }

    /// Refuses: supervisors dial a socket.
    package func attach(_ handle: SandboxHandle) async throws -> any SandboxStream {
        throw EngineError(.internalFault, "the runtime \(name) attaches to no sandbox")
    }

    /// Does nothing: the runner's files are used as they are.
    package func compileRunner(for imageID: String) async {}

    /// Takes every mount as it is.
    package func resolve(mount: JobRequest.Mount) throws -> JobRequest.Mount { mount }

    /// Has nothing to set up.
    package func prepare() async {}

    /// Has nothing to look after.
    package func maintain() async {}

    /// Has nothing to remove.
    package func close() async {}

    /// Refuses: not every runtime can freeze sandboxes.
    package func pause(_ handle: SandboxHandle) async throws {
        throw EngineError(.notSupported, "the runtime \(name) cannot freeze sandboxes")
    }

    /// Does nothing: what is never frozen runs.
    package func resume(_ handle: SandboxHandle) async throws {}
}

/// An image that exists.
package struct ResolvedImage: Sendable, Hashable {
    /// The name by which it was asked for.
    package var reference: String
    /// What identifies its content.
    package var digest: String

    package init(reference: String, digest: String) {
        self.reference = reference
        self.digest = digest
    }
}

/// What a runtime needs to know to start a sandbox.
package struct SandboxSpecification: Sendable {
    /// Its identifier.
    package var id: SandboxID
    /// What is fixed at its creation.
    package var sandboxClass: SandboxClass
    /// The host's folder that holds its socket, named `s`.
    package var socketFolder: String
    /// The user ids that belong to it alone: zygote, then a pair of tasks for each slot.
    package var userIDs: [Int]

    /// What it starts with.
    package var program: RunnerProgram

    package init(
        id: SandboxID, sandboxClass: SandboxClass, socketFolder: String, userIDs: [Int],
        program: RunnerProgram = .supervisor
    ) {
        self.program = program
        self.id = id
        self.sandboxClass = sandboxClass
        self.socketFolder = socketFolder
        self.userIDs = userIDs
    }
}

/// How a runtime finds a sandbox again.
package struct SandboxHandle: Sendable, Hashable {
    /// The sandbox's identifier.
    package var id: SandboxID
    /// The container's identifier, or the process id.
    package var reference: String

    package init(id: SandboxID, reference: String) {
        self.id = id
        self.reference = reference
    }
}

/// A sandbox whose supervisor is on its way.
package struct StartedSandbox: Sendable {
    /// How to find it again.
    package var handle: SandboxHandle
    /// The supervisor's process id as the host sees it.
    package var peer: Int32
    /// Its supervisor's input and output, where that is the transport.
    package var stream: (any SandboxStream)?

    package init(handle: SandboxHandle, peer: Int32, stream: (any SandboxStream)? = nil) {
        self.handle = handle
        self.peer = peer
        self.stream = stream
    }
}

/// How a sandbox is.
package enum SandboxCondition: Sendable, Equatable {
    /// It runs; the process id is its supervisor's.
    case running(peer: Int32)
    /// Somebody paused it.
    case paused
    /// It ended or is gone.
    case gone(reason: String)
}
