import ArgumentParser
import SlipwayCore

/// Administers the tenants of a gateway.
struct TenantsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tenants", abstract: "Add, suspend and remove tenants.",
        discussion: "Needs a key with the scope admin, such as the one that `serve` wrote.",
        subcommands: [List.self, Add.self, Suspend.self, Resume.self, Remove.self], defaultSubcommand: List.self)

    /// Lists tenants.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the tenants.")

        @OptionGroup var common: CommonOptions
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            let body = try await connection.client(common).call("GET", "/v1/admin/tenants").body
            if common.json { return try Console.json(body) }
            var table = Table("TENANT", "CREATED", "STATE")
            for tenant in try JobReport.parse(body)["tenants"]?.elements.map({ $0 }) ?? [] {
                table.add([
                    tenant["id"]?.string ?? "-", tenant["created_at"]?.string ?? "-",
                    tenant["suspended"]?.bool == true ? "suspended" : "active",
                ])
            }
            try Console.out(table.text)
        }
    }

    /// Adds a tenant.
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Add a tenant; `keys add` makes its first key.")

        @OptionGroup var common: CommonOptions
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "Its name: 1 to 63 of a-z, 0-9, - and _.") var tenant: TenantID

        func run() async throws {
            let body = JSONValue.object(["id": .string(tenant.description)]).serialized()
            let answer = try await connection.client(common).call("POST", "/v1/admin/tenants", body: body).body
            try common.json ? Console.json(answer) : Console.line("\(tenant) added")
        }
    }

    /// Suspends a tenant.
    struct Suspend: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuse a tenant's requests; what it submitted before goes on.")

        @OptionGroup var common: CommonOptions
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "The tenant.") var tenant: TenantID

        func run() async throws {
            try await TenantsCommand.set(suspended: true, tenant, connection, common)
        }
    }

    /// Takes a suspension back.
    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take a tenant's requests again.")

        @OptionGroup var common: CommonOptions
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "The tenant.") var tenant: TenantID

        func run() async throws {
            try await TenantsCommand.set(suspended: false, tenant, connection, common)
        }
    }

    /// Removes a tenant.
    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a tenant with its keys, jobs, results and logs.")

        @OptionGroup var common: CommonOptions
        @OptionGroup var connection: ConnectionOptions
        @Argument(help: "The tenant.") var tenant: TenantID

        func run() async throws {
            let answer = try await connection.client(common).call(
                "DELETE", "/v1/admin/tenants/\(tenant)", missing: tenant.absence
            ).body
            if common.json { return try Console.json(answer.isEmpty ? Array("{}".utf8) : answer) }
            try Console.line("\(tenant) removed")
        }
    }

    private static func set(
        suspended: Bool, _ tenant: TenantID, _ connection: ConnectionOptions, _ common: CommonOptions
    ) async throws {
        let body = JSONValue.object(["suspended": .bool(suspended)]).serialized()
        let answer = try await connection.client(common).call(
            "PATCH", "/v1/admin/tenants/\(tenant)", body: body, missing: tenant.absence
        ).body
        try common.json ? Console.json(answer) : Console.line("\(tenant) \(suspended ? "suspended" : "active")")
    }
}

extension TenantID: ExpressibleByArgument {
    /// Reads an argument.
    public init?(argument: String) { self.init(argument) }

    /// What is said when a gateway does not have it.
    var absence: String { "there is no tenant '\(self)'" }
}
