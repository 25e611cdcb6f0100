/// Checks the resources that a job asks for.
struct ResourceValidator {
    let limits: RequestLimits
    let faults: FaultList

    func check(_ resources: ResourceRequest) {
        if let cpus = resources.cpus { checkCPUs(cpus) }
        let path = "/resources/"
        check(resources.memoryBytes, path + "memory", "bytes", least: 32 << 20, most: limits.memoryBytes)
        check(resources.pids, path + "pids", "processes", least: 16, most: limits.pids)
        check(resources.tmpBytes, path + "tmp", "bytes", least: 1 << 20, most: limits.tmpBytes)
        check(resources.shmBytes, path + "shm", "bytes", least: 64 << 10, most: limits.shmBytes)
        check(resources.openFiles, path + "open_files", "files", least: 64, most: limits.openFiles)
        if let gpus = resources.gpus { check(gpus) }
    }

    private func checkCPUs(_ cpus: Double) {
        if !(cpus >= 0.01) {
            faults.add("/resources/cpus", "out-of-range", "A job has at least 0.01 processors")
        } else if let most = limits.cpus, cpus > most {
            faults.add("/resources/cpus", "limit-exceeded", "At most \(most) processors are allowed")
        } else if cpus > 1024 {
            faults.add("/resources/cpus", "out-of-range", "A job has at most 1024 processors")
        }
    }

    private func check(_ value: Int?, _ pointer: String, _ unit: String, least: Int, most: Int?) {
        guard let value else { return }
        if value < least {
            faults.add(pointer, "out-of-range", "At least \(least) \(unit) are needed")
        } else if let most, value > most {
            faults.add(pointer, "limit-exceeded", "At most \(most) \(unit) are allowed")
        }
    }

    private func check(_ gpus: ResourceRequest.GPUs) {
        let pointer = "/resources/gpus"
        if gpus.count != nil, !gpus.devices.isEmpty {
            faults.add(pointer, "invalid", "Ask for a count of devices or for particular ones, not for both")
        }
        let wanted = gpus.count ?? gpus.devices.count
        if wanted < 1 {
            faults.add(pointer, "out-of-range", "Ask for at least one device, or leave gpus out")
        } else if limits.gpuDevices == 0 {
            faults.add(
                pointer, "limit-exceeded",
                "There is no GPU here that jobs may use (gpus.devices lists none): leave gpus out")
        } else if wanted > limits.gpuDevices {
            faults.add(pointer, "limit-exceeded", "At most \(limits.gpuDevices) devices can be had")
        }
        if let memory = gpus.memoryBytes, memory < 1 << 20 {
            faults.add(pointer + "/memory", "out-of-range", "At least 1 MiB of device memory is needed")
        }
    }
}
