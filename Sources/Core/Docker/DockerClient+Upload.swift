import Foundation

extension DockerClient {
    /// `POST /images/load`: loads images from a tar archive, as `docker save` writes it.
    ///
    /// - Parameter archive: the archive's bytes in order; read no faster than the engine takes them.
    /// - Returns: what the engine says it loaded, such as `Loaded image: name:tag`.
    package func loadImages<Archive: AsyncSequence & Sendable>(
        from archive: Archive
    ) async throws -> [String] where Archive.Element == [UInt8] {
        var call = DockerCall(
            action: "load images", method: "POST", path: "/images/load", query: [("quiet", "true")], lane: .lasting)
        call.timeouts = CurlTimeouts(
            connect: options.timeouts.connect, total: nil, idle: options.uploadIdleTimeout)
        let answer = try await upload(archive, call)
        var messages: [String] = []
        for line in answer.split(separator: 10) where line != [13] {
            let progress: LoadProgress
            do {
                progress = try DockerJSON.decode(LoadProgress.self, from: Array(line))
            } catch {
                throw errors.unreadable(call.action, error)
            }
            if let problem = progress.error {
                throw errors.refused(call.action, DockerAPIError(status: 200, message: problem))
            }
            if let text = progress.stream { messages.append(text.trimmingCharacters(in: .whitespacesAndNewlines)) }
        }
        return messages
    }

    /// `POST /images/load` from a tar file on this machine.
    package func loadImages(fromFile path: String) async throws -> [String] {
        try await loadImages(from: FileChunks(path: path))
    }

    /// `PUT /containers/{id}/archive`: unpacks a tar archive below a folder of the container.
    ///
    /// Fails where the root is read-only, tmpfs included; a volume takes it.
    package func putArchive<Archive: AsyncSequence & Sendable>(
        _ id: String, folder: String, archive: Archive
    ) async throws where Archive.Element == [UInt8] {
        var call = DockerCall(
            action: "upload files to container \(id)", method: "PUT", path: DockerPath.container(id, "/archive"),
            query: [("path", folder)], lane: .lasting)
        call.timeouts = CurlTimeouts(
            connect: options.timeouts.connect, total: nil, idle: options.uploadIdleTimeout)
        _ = try await upload(archive, call)
    }

    private func upload<Archive: AsyncSequence & Sendable>(
        _ archive: Archive, _ call: DockerCall
    ) async throws -> [UInt8] where Archive.Element == [UInt8] {
        var call = call
        let upload = CurlUpload()
        call.body = .upload(upload, lengthBytes: nil)
        call.contentType = "application/x-tar"
        let sent = call
        return try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
            group.addTask { try await self.send(sent).body }
            group.addTask {
                do {
                    for try await chunk in archive { try await upload.write(chunk) }
                    upload.finish()
                } catch is CurlError {
                    // The request has ended; its own outcome says why.
                }
                return nil
            }
            defer { group.cancelAll() }
            while let outcome = try await group.next() {
                if let body = outcome { return body }
            }
            throw EngineError(.internalFault, "\(call.action) ended without an answer")
        }
    }

    private struct LoadProgress: Decodable {
        let stream: String?
        let error: String?
    }
}

/// A file's bytes in chunks.
struct FileChunks: AsyncSequence, Sendable {
    typealias Element = [UInt8]

    let path: String

    func makeAsyncIterator() -> Iterator { Iterator(path: path) }

    struct Iterator: AsyncIteratorProtocol {
        let path: String
        private var handle: FileHandle?
        private static let chunkBytes = 256 * 1024

        init(path: String) { self.path = path }

        mutating func next() async throws -> [UInt8]? {
            do {
                let handle = try self.handle ?? FileHandle(forReadingFrom: URL(filePath: path))
                self.handle = handle
                guard let data = try handle.read(upToCount: Self.chunkBytes), !data.isEmpty else { return nil }
                return Array(data)
            } catch {
                throw EngineError(.invalidRequest, "the file \(path) cannot be read", cause: error)
            }
        }
    }
}
