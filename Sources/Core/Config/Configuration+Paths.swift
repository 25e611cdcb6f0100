import Foundation

extension Configuration.Data {
    /// The data folder: `directory`, else the user's own under `XDG_DATA_HOME` or `~/.local/share`.
    public func directoryPath(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> String {
        if let directory { return expanded(directory, environment) }
        if let base = environment["XDG_DATA_HOME"], base.hasPrefix("/") { return base + "/slipway" }
        return home(environment) + "/.local/share/slipway"
    }

    /// The folder of payloads and results: `artifacts`, else the folder of that name in the data folder.
    public func artifactsPath(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> String {
        if let artifacts { return expanded(artifacts, environment) }
        return directoryPath(environment: environment) + "/artifacts"
    }

    /// The folder of the sockets to the sandboxes: `socket_directory`, else one in `XDG_RUNTIME_DIR`, else in `/tmp`.
    ///
    /// The folder in `/tmp` carries the user's id. Whoever makes it must refuse one that somebody else owns.
    public func socketPath(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> String {
        if let socketDirectory { return expanded(socketDirectory, environment) }
        // A long XDG_RUNTIME_DIR would leave no room for the rest of a socket's path, which has 107 bytes at most.
        if let base = environment["XDG_RUNTIME_DIR"], base.hasPrefix("/"), base.utf8.count <= 40 {
            return base + "/slipway"
        }
        return "/tmp/slipway-\(getuid())"
    }
}

extension Configuration.Environments {
    /// The file of authorities that builders trust; nil for those of the image.
    public func caBundlePath(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> String? {
        switch caBundle {
        case .none: nil
        case .file(let path): path
        case .auto:
            ["SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"].compactMap { environment[$0] }
                .first { $0.hasPrefix("/") }
        }
    }
}

private func home(_ environment: [String: String]) -> String {
    if let home = environment["HOME"], home.hasPrefix("/") { return home == "/" ? "" : home }
    return NSHomeDirectory()
}

private func expanded(_ path: String, _ environment: [String: String]) -> String {
    path.hasPrefix("~/") ? home(environment) + path.dropFirst() : path
}
