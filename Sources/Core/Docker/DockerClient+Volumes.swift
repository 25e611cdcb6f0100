extension DockerClient {
    /// `POST /volumes/create`: makes a named volume; one that exists is returned as it is.
    @discardableResult
    package func createVolume(name: String, labels: [String: String] = [:]) async throws -> VolumeDetails {
        let call = try DockerCall(
            action: "create volume \(name)", method: "POST", path: "/volumes/create", retry: .whenUnanswered
        ).sending(json: VolumeBody(name: name, labels: labels))
        return try await decode(VolumeDetails.self, call)
    }

    /// `GET /volumes/{name}`: nil when there is none.
    package func inspectVolume(_ name: String) async throws -> VolumeDetails? {
        let call = DockerCall(
            action: "inspect volume \(name)", path: "/volumes/\(DockerPath.encode(name))", accepts: [404],
            retry: .always)
        let response = try await send(call)
        return response.head.status == 404 ? nil : try decode(VolumeDetails.self, response, call)
    }

    /// `GET /volumes`: those that carry every one of the labels.
    package func listVolumes(labels: [String: String]) async throws -> [VolumeDetails] {
        let wanted = labels.map { "\($0.key)=\($0.value)" }.sorted()
        let call = DockerCall(
            action: "list volumes", path: "/volumes",
            query: [("filters", try DockerJSON.filters(["label": wanted]))], retry: .always)
        // Podman lists those that carry any of them.
        return (try await decode(VolumeList.self, call).volumes ?? []).filter { volume in
            labels.allSatisfy { volume.labels?[$0.key] == $0.value }
        }
    }

    /// `DELETE /volumes/{name}`: false when there was none.
    ///
    /// - Throws: `EngineError`; with `dockerStatus` 409 while a container uses the volume.
    @discardableResult
    package func removeVolume(_ name: String, force: Bool = false) async throws -> Bool {
        let call = DockerCall(
            action: "remove volume \(name)", method: "DELETE", path: "/volumes/\(DockerPath.encode(name))",
            query: [("force", "\(force)")], accepts: [404], retry: .always, timeouts: slowTimeouts)
        return try await send(call).head.status != 404
    }

    /// `GET /networks/{id}`: nil when there is none.
    package func inspectNetwork(_ id: String) async throws -> NetworkDetails? {
        let call = DockerCall(
            action: "inspect network \(id)", path: "/networks/\(DockerPath.encode(id))", accepts: [404],
            retry: .always)
        let response = try await send(call)
        return response.head.status == 404 ? nil : try decode(NetworkDetails.self, response, call)
    }

    private struct VolumeBody: Encodable {
        let name: String
        let labels: [String: String]

        enum CodingKeys: String, CodingKey {
            case name = "Name"
            case labels = "Labels"
        }
    }

    private struct VolumeList: Decodable, Sendable {
        let volumes: [VolumeDetails]?
        enum CodingKeys: String, CodingKey { case volumes = "Volumes" }
    }
}

/// A volume as the engine knows it.
package struct VolumeDetails: Sendable, Decodable {
    package let name: String
    package let driver: String?
    /// Where its files lie on the engine's machine.
    package let mountpoint: String?
    package let labels: [String: String]?

    enum CodingKeys: String, CodingKey {
        case name = "Name"
        case driver = "Driver"
        case mountpoint = "Mountpoint"
        case labels = "Labels"
    }
}

/// A network as the engine knows it.
package struct NetworkDetails: Sendable, Decodable {
    package let id: String
    package let name: String
    package let driver: String?
    package let isInternal: Bool?
    package let hasIPv6: Bool?
    package let labels: [String: String]?
    package let options: [String: String]?
    package let addressing: Addressing?
    /// The containers that run in it, by their ids; only where one network is asked for.
    package let containers: [String: Member]?

    /// A container that runs in a network; only its id is used.
    package struct Member: Sendable, Decodable {}

    /// Address ranges of a network.
    package struct Addressing: Sendable, Decodable {
        package let configurations: [Range]?
        enum CodingKeys: String, CodingKey { case configurations = "Config" }
    }

    /// One address range.
    package struct Range: Sendable, Decodable {
        package let subnet: String?
        package let gateway: String?

        enum CodingKeys: String, CodingKey {
            case subnet = "Subnet"
            case gateway = "Gateway"
        }
    }

    enum CodingKeys: String, CodingKey {
        case id = "Id"
        case name = "Name"
        case driver = "Driver"
        case isInternal = "Internal"
        case hasIPv6 = "EnableIPv6"
        case labels = "Labels"
        case options = "Options"
        case addressing = "IPAM"
        case containers = "Containers"
    }
}
