extension DockerClient {
    /// `PUT /containers/{id}/archive`: unpacks an archive that is in memory.
    package func putArchive(_ id: String, folder: String, _ archive: TarArchive) async throws {
        var call = DockerCall(
            action: "upload files to container \(id)", method: "PUT", path: DockerPath.container(id, "/archive"),
            query: [("path", folder)], retry: .whenUnanswered, timeouts: slowTimeouts)
        call.body = .bytes(archive.finished)
        call.contentType = "application/x-tar"
        _ = try await send(call)
    }

    /// `HEAD /containers/{id}/archive`: whether a path exists in a container, running or not.
    package func hasPath(_ path: String, in id: String) async throws -> Bool {
        let call = DockerCall(
            action: "look into container \(id)", method: "HEAD", path: DockerPath.container(id, "/archive"),
            query: [("path", path)], accepts: [404], retry: .always)
        return try await send(call).head.status != 404
    }

    /// `GET /containers/{id}/archive`: the content of one file of a container; nil when there is none.
    ///
    /// - Throws: `EngineError`; a file above `limitBytes` is refused.
    package func readFile(_ path: String, in id: String, limitBytes: Int) async throws -> [UInt8]? {
        var call = DockerCall(
            action: "read a file of container \(id)", path: DockerPath.container(id, "/archive"),
            query: [("path", path)], accepts: [404], retry: .always, timeouts: slowTimeouts)
        call.limitBytes = limitBytes + 64 * 1024
        let response = try await send(call)
        if response.head.status == 404 { return nil }
        return TarArchive.firstFile(of: response.body, limitBytes: limitBytes)
    }
}
