/// What a bridge network is made with.
package struct NetworkSpec: Sendable, Encodable {
    package var name: String
    package var labels: [String: String]
    package var options: [String: String]
    let driver = "bridge"
    let refusesSecondOfName = true
    let hasIPv6 = false
    let isInternal = false

    package init(name: String, labels: [String: String], options: [String: String]) {
        self.name = name
        self.labels = labels
        self.options = options
    }

    enum CodingKeys: String, CodingKey {
        case name = "Name"
        case labels = "Labels"
        case options = "Options"
        case driver = "Driver"
        case refusesSecondOfName = "CheckDuplicate"
        case hasIPv6 = "EnableIPv6"
        case isInternal = "Internal"
    }
}

extension DockerClient {
    /// `POST /networks/create`: false when there is one of that name.
    @discardableResult
    package func createNetwork(_ spec: NetworkSpec) async throws -> Bool {
        let call = try DockerCall(
            action: "create network \(spec.name)", method: "POST", path: "/networks/create", accepts: [409],
            retry: .whenUnanswered, timeouts: slowTimeouts
        ).sending(json: spec)
        return try await send(call).head.status != 409
    }

    /// `GET /networks`: those that carry every one of the labels, without their containers.
    package func listNetworks(labels: [String: String]) async throws -> [NetworkDetails] {
        let wanted = labels.map { "\($0.key)=\($0.value)" }.sorted()
        let call = DockerCall(
            action: "list networks", path: "/networks",
            query: [("filters", try DockerJSON.filters(["label": wanted]))], retry: .always)
        return try await decode([NetworkDetails].self, call).filter { network in
            labels.allSatisfy { network.labels?[$0.key] == $0.value }
        }
    }

    /// `DELETE /networks/{id}`: false when there was none, or while containers use it.
    @discardableResult
    package func removeNetwork(_ id: String) async throws -> Bool {
        let call = DockerCall(
            action: "remove network \(id)", method: "DELETE", path: "/networks/\(DockerPath.encode(id))",
            accepts: [403, 404, 409], retry: .always, timeouts: slowTimeouts)
        return try await send(call).head.status < 400
    }
}
