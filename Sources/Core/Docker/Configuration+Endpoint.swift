extension Configuration.Docker {
    /// What carries the frames: a socket is faster, and needs a file system that both sides see.
    package func supervisorTransport(to endpoint: DockerEndpoint) -> SupervisorTransport {
        switch transport {
        case .unix: .unix
        case .attach: .attach
        case .auto: endpoint.isLocal ? .unix : .attach
        }
    }

    /// Whether an engine can mount folders of this machine.
    package func sharesFolders(with endpoint: DockerEndpoint) -> Bool {
        switch files {
        case .bind: true
        case .volume: false
        case .auto: endpoint.isLocal
        }
    }
}
