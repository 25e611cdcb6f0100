/// The body of `POST /containers/create`.
struct ContainerCreateBody: Encodable {
    let spec: ContainerSpec

    private enum Key: String, CodingKey {
        case image = "Image"
        case entrypoint = "Entrypoint"
        case command = "Cmd"
        case environment = "Env"
        case user = "User"
        case workingDirectory = "WorkingDir"
        case hostname = "Hostname"
        case labels = "Labels"
        case stopSignal = "StopSignal"
        case openStandardInput = "OpenStdin"
        case attachStandardInput = "AttachStdin"
        case standardInputOnce = "StdinOnce"
        case terminal = "Tty"
        case hostConfig = "HostConfig"
    }

    func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: Key.self)
        try object.encode(spec.image, forKey: .image)
        try object.encodeIfPresent(spec.entrypoint, forKey: .entrypoint)
        try object.encodeIfPresent(spec.command, forKey: .command)
        try object.encode(spec.environment.map { "\($0.name)=\($0.value)" }, forKey: .environment)
        try object.encodeIfPresent(spec.user, forKey: .user)
        try object.encodeIfPresent(spec.workingDirectory, forKey: .workingDirectory)
        try object.encodeIfPresent(spec.hostname, forKey: .hostname)
        try object.encode(spec.labels, forKey: .labels)
        try object.encodeIfPresent(spec.stopSignal, forKey: .stopSignal)
        try object.encode(false, forKey: .terminal)
        if spec.standardInput != .closed {
            try object.encode(true, forKey: .openStandardInput)
            try object.encode(true, forKey: .attachStandardInput)
            try object.encode(spec.standardInput == .once, forKey: .standardInputOnce)
        }
        try object.encode(HostConfigBody(spec: spec), forKey: .hostConfig)
    }
}

private struct HostConfigBody: Encodable {
    let spec: ContainerSpec

    private enum Key: String, CodingKey {
        case networkMode = "NetworkMode"
        case extraHosts = "ExtraHosts"
        case nameServers = "Dns"
        case mounts = "Mounts"
        case tmpfs = "Tmpfs"
        case readOnlyRoot = "ReadonlyRootfs"
        case addedCapabilities = "CapAdd"
        case droppedCapabilities = "CapDrop"
        case securityOptions = "SecurityOpt"
        case ipcMode = "IpcMode"
        case cgroupNamespaceMode = "CgroupnsMode"
        case usesInit = "Init"
        case runtime = "Runtime"
        case logDriver = "LogConfig"
        case processLimit = "PidsLimit"
        case nanoCPUs = "NanoCpus"
        case memory = "Memory"
        case memorySwap = "MemorySwap"
        case sharedMemory = "ShmSize"
        case userLimits = "Ulimits"
        case outOfMemoryScoreAdjustment = "OomScoreAdj"
        case deviceRequests = "DeviceRequests"
    }

    func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: Key.self)
        try object.encodeIfPresent(spec.networkMode, forKey: .networkMode)
        try object.encode(spec.hasReadOnlyRoot, forKey: .readOnlyRoot)
        try object.encode(unlessEmpty: spec.extraHosts, forKey: .extraHosts)
        try object.encode(unlessEmpty: spec.nameServers, forKey: .nameServers)
        try object.encode(unlessEmpty: spec.mounts.map(MountBody.init), forKey: .mounts)
        if !spec.tmpfs.isEmpty { try object.encode(spec.tmpfs, forKey: .tmpfs) }
        try object.encode(unlessEmpty: spec.addedCapabilities, forKey: .addedCapabilities)
        try object.encode(unlessEmpty: spec.droppedCapabilities, forKey: .droppedCapabilities)
        try object.encode(unlessEmpty: spec.securityOptions, forKey: .securityOptions)
        try object.encodeIfPresent(spec.ipcMode, forKey: .ipcMode)
        try object.encodeIfPresent(spec.cgroupNamespaceMode, forKey: .cgroupNamespaceMode)
        try object.encodeIfPresent(spec.usesInit, forKey: .usesInit)
        try object.encodeIfPresent(spec.runtime, forKey: .runtime)
        try object.encodeIfPresent(spec.logDriver.map(LogDriverBody.init), forKey: .logDriver)
        try object.encodeIfPresent(spec.processLimit, forKey: .processLimit)
        try object.encodeIfPresent(spec.nanoCPUs, forKey: .nanoCPUs)
        try object.encodeIfPresent(spec.memoryBytes, forKey: .memory)
        try object.encodeIfPresent(spec.memorySwapBytes, forKey: .memorySwap)
        try object.encodeIfPresent(spec.sharedMemoryBytes, forKey: .sharedMemory)
        try object.encode(unlessEmpty: spec.userLimits.map(UserLimitBody.init), forKey: .userLimits)
        try object.encodeIfPresent(spec.outOfMemoryScoreAdjustment, forKey: .outOfMemoryScoreAdjustment)
        try object.encode(unlessEmpty: spec.deviceRequests.map(DeviceRequestBody.init), forKey: .deviceRequests)
    }
}

extension KeyedEncodingContainer {
    fileprivate mutating func encode(unlessEmpty list: [some Encodable], forKey key: Key) throws {
        if !list.isEmpty { try encode(list, forKey: key) }
    }
}

private struct MountBody: Encodable {
    private enum Key: String, CodingKey {
        case type = "Type"
        case source = "Source"
        case target = "Target"
        case isReadOnly = "ReadOnly"
        case volume = "VolumeOptions"
        case tmpfs = "TmpfsOptions"
    }

    private struct VolumeOptions: Encodable {
        let noCopy: Bool
        enum CodingKeys: String, CodingKey { case noCopy = "NoCopy" }
    }

    private struct TmpfsOptions: Encodable {
        let sizeBytes: Int64
        let mode: Int
        enum CodingKeys: String, CodingKey {
            case sizeBytes = "SizeBytes"
            case mode = "Mode"
        }
    }

    let mount: ContainerSpec.Mount

    func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: Key.self)
        switch mount {
        case .bind(let source, let target, let isReadOnly):
            try object.encode("bind", forKey: .type)
            try object.encode(source, forKey: .source)
            try object.encode(target, forKey: .target)
            try object.encode(isReadOnly, forKey: .isReadOnly)
        case .volume(let name, let target, let isReadOnly):
            try object.encode("volume", forKey: .type)
            try object.encode(name, forKey: .source)
            try object.encode(target, forKey: .target)
            try object.encode(isReadOnly, forKey: .isReadOnly)
            try object.encode(VolumeOptions(noCopy: true), forKey: .volume)
        case .tmpfs(let target, let sizeBytes, let mode):
            try object.encode("tmpfs", forKey: .type)
            try object.encode(target, forKey: .target)
            try object.encode(TmpfsOptions(sizeBytes: sizeBytes, mode: mode), forKey: .tmpfs)
        }
    }
}

private struct UserLimitBody: Encodable {
    let limit: ContainerSpec.UserLimit

    private enum Key: String, CodingKey {
        case name = "Name"
        case soft = "Soft"
        case hard = "Hard"
    }

    func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: Key.self)
        try object.encode(limit.name, forKey: .name)
        try object.encode(limit.soft, forKey: .soft)
        try object.encode(limit.hard, forKey: .hard)
    }
}

private struct LogDriverBody: Encodable {
    let driver: ContainerSpec.LogDriver

    private enum Key: String, CodingKey {
        case type = "Type"
        case options = "Config"
    }

    func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: Key.self)
        try object.encode(driver.type, forKey: .type)
        try object.encode(driver.options, forKey: .options)
    }
}

private struct DeviceRequestBody: Encodable {
    let request: ContainerSpec.DeviceRequest

    private enum Key: String, CodingKey {
        case driver = "Driver"
        case deviceIDs = "DeviceIDs"
        case capabilities = "Capabilities"
    }

    func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: Key.self)
        try object.encode(request.driver, forKey: .driver)
        try object.encode(request.deviceIDs, forKey: .deviceIDs)
        try object.encode(request.capabilities, forKey: .capabilities)
    }
}
