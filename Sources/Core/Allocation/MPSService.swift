import Foundation

/// The driver's multi-process service (MPS), which keeps each program on a shared device to a part of its memory.
///
/// The operator runs one control daemon for each device; this knows where their folders are and speaks with them.
/// <https://docs.nvidia.com/deploy/mps/> describes daemons, variables and commands.
package struct MPSService: Sendable {
    /// Where the programs of a sandbox find the daemon of its device.
    package struct Place: Sendable, Equatable {
        /// The device's UUID.
        package let device: String
        /// The host's folder with the daemon's sockets.
        package let pipes: String
        /// The host's folder that is the daemon's `/dev/shm`.
        package let sharedMemory: String
    }

    /// Where containers see the daemon's sockets.
    package static let pipesTarget = "/opt/slipway/mps"
    /// Where containers share memory with the daemon.
    package static let sharedMemoryTarget = "/dev/shm"
    private static let program = "nvidia-cuda-mps-control"

    private let pipes: String
    private let sharedMemory: String
    private let tool: DriverTool?

    /// Takes what the configuration declares; nil where it declares nothing.
    package init?(_ settings: Configuration.GPUs.MPS, environment: [String: String]) {
        guard let pipes = settings.pipeDirectory, let sharedMemory = settings.shmDirectory else { return nil }
        self.pipes = pipes
        self.sharedMemory = sharedMemory
        tool = DriverTool(Self.program, environment: environment)
    }

    /// The place of a device; nil for an instance of a divided one, and where its UUID is not known.
    package func place(of device: String) -> Place? {
        guard device.hasPrefix("GPU-"), !device.contains("/") else { return nil }
        return Place(device: device, pipes: "\(pipes)/\(device)", sharedMemory: "\(sharedMemory)/\(device)")
    }

    /// The place for a sandbox that has a part of one device; nil for every other.
    ///
    /// A program can be the client of one daemon only, and a daemon serves one device, so that no two tenants ever
    /// meet in one.
    package func place(for need: GPUNeed?) -> Place? {
        guard let need, need.memoryBytes != nil, need.granted.count == 1 else { return nil }
        return place(of: need.granted[0])
    }

    /// What the programs of a sandbox are told, before the first of them touches the device.
    ///
    /// - Parameter pipes: The folder with the daemon's sockets, as the programs see it.
    package static func environment(pipes: String, limitBytes: Int) -> [String: String] {
        // The device that a sandbox has is its first one, whatever the host calls it.
        ["CUDA_MPS_PIPE_DIRECTORY": pipes, "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT": "0=\(max(1, limitBytes >> 20))M"]
    }

    /// The servers that a daemon has started; blocks until it has answered.
    ///
    /// - Throws: ``EngineError`` that says what to do when there is no daemon.
    package func servers(at place: Place) throws -> [Int32] {
        try command("get_server_list", at: place).split(whereSeparator: \.isNewline)
            .compactMap { Int32($0.trimmingCharacters(in: .whitespaces)) }
    }

    /// Ends every server of a daemon, with all that its clients left; the next client gets a new one.
    package func endServers(at place: Place) throws {
        for server in try servers(at: place) { _ = try command("shutdown_server \(server) -f", at: place) }
    }

    private func command(_ text: String, at place: Place) throws -> String {
        guard let tool else {
            throw EngineError(
                .startFailed,
                "gpus.mps is set, but there is no \(Self.program) in PATH: install it, or take gpus.mps out")
        }
        do {
            return try tool.run([], input: text + "\n", environment: ["CUDA_MPS_PIPE_DIRECTORY": place.pipes])
        } catch {
            throw EngineError(
                .startFailed,
                "the MPS control daemon of the GPU \(place.device) does not answer: start it with "
                    + "CUDA_MPS_PIPE_DIRECTORY=\(place.pipes), or take gpus.mps out",
                cause: error)
        }
    }
}
