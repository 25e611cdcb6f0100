import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// Asks the driver's own tool, `nvidia-smi`, about the devices of this machine.
package struct NvidiaSMI: Sendable {
    /// A process that computes on a device.
    package struct ComputeProcess: Sendable, Hashable {
        /// The device's UUID.
        package var device: String
        /// The process as the host numbers it.
        package var pid: Int32

        /// Makes a process.
        package init(device: String, pid: Int32) {
            self.device = device
            self.pid = pid
        }
    }

    /// The longest wait for an answer: a driver that hangs must not hang the engine.
    private static let patienceSeconds = 20.0

    /// The program's path.
    package let tool: String

    /// Takes a program by its path.
    package init(tool: String) { self.tool = tool }

    /// Finds the program; nil where there is none.
    package init?(environment: [String: String]) {
        let folders = (environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
        let found = folders.lazy.map { "\($0)/nvidia-smi" }.first(where: FileManager.default.isExecutableFile)
        guard let found else { return nil }
        tool = found
    }

    /// The devices of this machine; blocks for as long as the driver takes, some 100 ms.
    package func devices() throws -> [GPUDevice] {
        let whole = try GPUListing.devices(
            csv: run(["--query-gpu=\(GPUListing.fields)", "--format=csv,noheader,nounits"]))
        guard whole.contains(where: \.isDivided) else { return whole.map(\.device) }
        let parts = try GPUListing.instances(listing: run(["-L"]))
        return whole.flatMap { item in
            item.isDivided ? parts.filter { $0.parent == item.device.id }.map(\.device) : [item.device]
        }
    }

    /// The processes that compute on devices; blocks as `devices()` does.
    package func computeProcesses() throws -> [ComputeProcess] {
        GPUListing.processes(csv: try run(["--query-compute-apps=gpu_uuid,pid", "--format=csv,noheader,nounits"]))
    }

    private func run(_ arguments: [String]) throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: tool)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(["LC_ALL": "C"]) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        do {
            try process.run()
        } catch {
            throw EngineError(.internalFault, "\(tool) cannot be run: \((error as NSError).localizedDescription)")
        }
        let pid = process.processIdentifier
        let watchdog = DispatchWorkItem { kill(pid, SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + Self.patienceSeconds, execute: watchdog)
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        watchdog.cancel()
        let text = String(decoding: data, as: UTF8.self)
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            let lines = text.trimmingCharacters(in: .whitespacesAndNewlines).prefix(300)
            throw EngineError(
                .internalFault,
                "\(tool) \(arguments[0]) ended with status \(process.terminationStatus)"
                    + (lines.isEmpty ? "" : ": \(lines)"))
        }
        return text
    }
}
