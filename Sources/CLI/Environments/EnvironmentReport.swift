import Foundation
import SlipwayCore

/// What the user sees of environments in JSON that a gateway gave.
struct EnvironmentReport {
    let node: JSONNode

    init(_ node: JSONNode) { self.node = node }

    var id: String { node["id"]?.string ?? "" }
    var key: String { node["key"]?.string ?? "" }
    var state: EnvironmentStatus.State? { (node["state"]?.string).flatMap(EnvironmentStatus.State.init(rawValue:)) }
    var bytes: Int { node["size"]?.integer ?? 0 }

    /// What was installed.
    var packages: [EnvironmentPackage] {
        node["resolved"]?.elements.map { item in
            EnvironmentPackage(
                name: item["name"]?.string ?? "", version: item["version"]?.string ?? "",
                hashes: item["hashes"]?.elements.compactMap(\.string) ?? [])
        } ?? []
    }

    private var requirements: String {
        var texts =
            node["requirements"]?.elements.compactMap { ($0.string?.prefix { $0 != " " }).map(String.init) } ?? []
        if let project = node["project"]?.string { texts.insert(project, at: 0) }
        return texts.joined(separator: " ")
    }

    private func short(_ key: String) -> String { node[key]?.string.map { String($0.prefix(19)) } ?? "-" }

    /// Environments as a table.
    static func table(_ all: [EnvironmentReport]) -> String {
        var table = Table("ENVIRONMENT", "STATE", "USED", "SIZE", "IMAGE", "CREATED", "LAST USED", "REQUIREMENTS")
        for report in all {
            let state = report.node["replaced"]?.bool == true ? "replaced" : report.state?.rawValue ?? "?"
            table.add([
                report.id, state, report.node["in_use"]?.bool == true ? "yes" : "no", JobReport.size(report.bytes),
                report.node["image"]?.string.flatMap { $0.isEmpty ? nil : $0 } ?? "-", report.short("created_at"),
                report.short("last_used_at"), String(report.requirements.prefix(60)),
            ])
        }
        return table.text
    }

    /// The environment as lines.
    var text: String {
        var lines = [
            ("environment", id), ("state", state?.rawValue ?? "?"), ("wanted", requirements),
            ("installed", packages.map { "\($0.name) \($0.version)" }.joined(separator: ", ")),
            ("by", node["installer"]?.string ?? ""), ("runtime", node["runtime"]?.string ?? ""),
            ("image", node["image"]?.string ?? ""), ("size", bytes > 0 ? JobReport.size(bytes) : ""),
            ("created", node["created_at"]?.string ?? ""), ("last used", node["last_used_at"]?.string ?? ""),
        ]
        if let seconds = node["build_seconds"]?.double { lines.append(("took", JobReport.duration(seconds))) }
        let head = lines.filter { !$0.1.isEmpty }.map { title, value in
            "\((title + ":").padding(toLength: 13, withPad: " ", startingAt: 0))\(Table.printable(value))\n"
        }.joined()
        let error = (node["error"]?.string).map { "\n\(Table.printableLines($0))\n" } ?? ""
        let log = node["log"]?.string ?? ""
        return head + error + (log.isEmpty ? "" : "\n\(Table.printableLines(log))\n")
    }

    /// The environment whose id or key begins with a text, as the gateway shows it.
    ///
    /// - Throws: ``CommandExit`` when there is none, or more than one.
    static func find(_ name: String, _ client: GatewayClient) async throws -> [UInt8] {
        let list = try JobReport.parse(try await client.call("GET", "/v1/environments").body)
        let all = list["environments"]?.elements.map(EnvironmentReport.init) ?? []
        let exact = all.filter { $0.id == name }
        let fits = exact.isEmpty ? all.filter { $0.id.hasPrefix(name) && $0.node["replaced"]?.bool != true } : exact
        guard let found = fits.first else {
            throw CommandExit(CommandExit.failed, "there is no environment '\(name)': slipway env list shows all.")
        }
        guard fits.count == 1 else {
            throw CommandExit(
                CommandExit.usage,
                "'\(name)' may be \(fits.prefix(5).map(\.id).joined(separator: " or ")): give more of it.")
        }
        return try await client.call("GET", "/v1/environments/\(found.id)").body
    }
}
