import ArgumentParser
import Foundation
import SlipwayCore
import SlipwayGateway

/// Administers the API keys of a gateway.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make, list and revoke API keys.",
        discussion: "Needs a key with the scope admin, such as the one that `serve` wrote.",
        subcommands: [List.self, Add.self, Revoke.self], defaultSubcommand: List.self)

    /// Lists keys.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the keys of a tenant.")

        @OptionGroup var common: CommonOptions
        @OptionGroup var connection: ConnectionOptions
        @Option(help: "Whose keys.") var tenant: TenantID = .default

        func run() async throws {
            let body = try await connection.client(common).call(
                "GET", "/v1/admin/tenants/\(tenant)/keys", missing: tenant.absence
            ).body
            if common.json { return try Console.json(body) }
            var table = Table("KEY", "SCOPES", "CREATED", "EXPIRES", "REVOKED")
            for key in try JobReport.parse(body)["keys"]?.elements.map({ $0 }) ?? [] {
                let scopes = key["scopes"]?.elements.compactMap(\.string) ?? []
                table.add(
                    [key["id"]?.string ?? "-", scopes.joined(separator: ",")]
                        + ["created_at", "expires_at", "revoked_at"].map { key[$0]?.string ?? "-" })
            }
            try Console.out(table.text)
        }
    }

    /// Makes a key.
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key, and print it this once or save it.")

        @OptionGroup var common: CommonOptions
        @OptionGroup var connection: ConnectionOptions
        @Option(help: "Whose key.") var tenant: TenantID = .default
        @Option(help: "What it allows: read, submit or admin. Repeatable; read and submit unless given.")
        var scope: [KeyScope] = []
        @Option(help: ArgumentHelp("How long it is valid, such as 30d; for ever unless given.", valueName: "time"))
        var expiresIn: String?
        @Option(
            help: ArgumentHelp(
                "Write a credentials file for clients, mode 0600, instead of printing the key. It replaces no other file.",
                valueName: "file"))
        var save: String?

        func validate() throws {
            if let expiresIn, Quantity.duration(expiresIn) == nil {
                throw ValidationError("--expires-in: '\(expiresIn)' is no time; write it as 12h or 30d.")
            }
        }

        func run() async throws {
            // Before the key is made: one that nobody was told of would stay valid.
            if let save { try Self.checkPlace(save) }
            let client = try connection.client(common)
            let scopes = scope.isEmpty ? [.read, .submit] : scope
            var fields: [String: JSONValue] = ["scopes": .array(scopes.map { .string($0.rawValue) })]
            if let expiresIn { fields["expires_in"] = .string(expiresIn) }
            let answer = try await client.call(
                "POST", "/v1/admin/tenants/\(tenant)/keys", body: JSONValue.object(fields).serialized(),
                missing: tenant.absence
            ).body
            let made = try JobReport.parse(answer)
            guard let text = made["key"]?.string, let id = made["id"]?.string else {
                throw CommandExit(CommandExit.unreachable, "the gateway's answer has no key.")
            }
            if let save {
                try Credentials(url: client.url, key: text, tenant: tenant.description).write(to: save)
                guard common.json else { return try Console.line("key \(id) saved to \(save)") }
                guard case .object(var members) = try JSONValue(parsing: answer) else { return }
                members["key"] = nil
                members["saved"] = .string(save)
                return try Console.json(JSONValue.object(members).serialized())
            }
            if common.json { return try Console.json(answer) }
            try Console.line(text)
            Console.note("keep it: it is not shown again")
        }

        /// Refuses a place without a folder, and one where something else than credentials would be replaced.
        private static func checkPlace(_ path: String) throws {
            let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
            var status = stat()
            guard stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
                throw CommandExit(CommandExit.usage, "--save: there is no folder \(folder): make it first.")
            }
            guard stat(path, &status) == 0 else { return }
            // What cannot be read as JSON is no credentials file either.
            guard status.st_mode & S_IFMT == S_IFREG, let old = try? JSONValue(parsing: LocalFile.read(path)),
                old["url"]?.text != nil, old["key"]?.text != nil
            else {
                throw CommandExit(
                    CommandExit.usage,
                    "--save: \(path) is there already and is no credentials file: name another one, or remove it.")
            }
        }
    }

    /// Revokes a key.
    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Revoke a key for good.")

        @OptionGroup var common: CommonOptions
        @OptionGroup var connection: ConnectionOptions
        @Option(help: "Whose key.") var tenant: TenantID = .default
        @Argument(help: "The key's id, as `keys list` shows it.") var key: String

        func validate() throws {
            // It becomes a part of the path, and a whole key must not.
            guard key.utf8.count == 10, key.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) }) else {
                throw ValidationError("a key's id has 10 letters and digits, as `keys list` shows it.")
            }
        }

        func run() async throws {
            try await connection.client(common).call(
                "DELETE", "/v1/admin/tenants/\(tenant)/keys/\(key)", missing: "tenant '\(tenant)' has no key '\(key)'")
            try common.json ? Console.json(Array("{}".utf8)) : Console.line("\(key) revoked")
        }
    }
}

extension KeyScope: ExpressibleByArgument {}
