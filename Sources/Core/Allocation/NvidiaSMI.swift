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

    /// The program.
    package let tool: DriverTool

    /// Takes a program by its path.
    package init(tool: String) { self.tool = DriverTool(path: tool) }

    /// Finds the program; nil where there is none.
    package init?(environment: [String: String]) {
        guard let found = DriverTool("nvidia-smi", environment: environment) else { return nil }
        tool = found
    }

    /// The devices of this machine; blocks for as long as the driver takes, some 100 ms.
    package func devices() throws -> [GPUDevice] {
        let whole = try GPUListing.devices(
            csv: tool.run(["--query-gpu=\(GPUListing.fields)", "--format=csv,noheader,nounits"]))
        guard whole.contains(where: \.isDivided) else { return whole.map(\.device) }
        let parts = try GPUListing.instances(listing: tool.run(["-L"]))
        return whole.flatMap { item in
            item.isDivided ? parts.filter { $0.parent == item.device.id }.map(\.device) : [item.device]
        }
    }

    /// The processes that compute on devices; blocks as `devices()` does.
    ///
    /// - Parameter ofInstances: Whether parts of devices are asked about: the shorter answer names whole devices only.
    package func computeProcesses(ofInstances: Bool = false) throws -> [ComputeProcess] {
        guard ofInstances else {
            let csv = try tool.run(["--query-compute-apps=gpu_uuid,pid", "--format=csv,noheader,nounits"])
            return GPUListing.processes(csv: csv)
        }
        let instances = GPUListing.instances(listing: try tool.run(["-L"]))
        return GPUListing.processes(report: try tool.run(["-q", "-x"]), instances: instances)
    }
}
