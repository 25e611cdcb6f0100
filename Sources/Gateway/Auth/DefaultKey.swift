import Foundation
import SlipwayCore

/// What a start found or made as the key of the gateway's own machine.
package struct DefaultKey: Sendable {
    /// The credentials file with a valid key; nil when none is saved here and somebody else can make keys.
    package var path: String?
    /// Whether the key is a new one.
    package var isNew = false
    /// Why the user's own credentials file is not the one, such as `PATH belongs to another gateway`; nil when it is, or
    /// when there is none.
    package var reason: String?
}

extension StoreKeyDirectory {
    /// Whose key a credentials file holds.
    private enum Saved {
        /// There is no such file.
        case nobody
        /// A key of this gateway.
        case own(Credentials)
        /// A key of this gateway that was revoked or has expired.
        case ended(Credentials)
        /// A key that this gateway does not know.
        case foreign

        /// What a file of this gateway's holds.
        var credentials: Credentials? {
            switch self {
            case .own(let credentials), .ended(let credentials): credentials
            case .nobody, .foreign: nil
            }
        }
    }

    /// Makes the `default` tenant and its key where nobody has a key for administration yet, and the credentials file
    /// for this user.
    ///
    /// A credentials file that belongs to another gateway is left alone; this one's then goes to `fallbackPath`, as it
    /// does where the file cannot be written. A key is valid only once it is saved.
    ///
    /// - Parameters:
    ///   - url: Where the gateway listens; a credentials file with another address is brought up to date.
    ///   - makesKey: Whether another key is made in any case; it takes the place of one that is saved.
    /// - Throws: ``EngineError`` of code `configuration` when a credentials file is damaged or no file can be written.
    package func prepareDefaultTenant(
        url: String, credentialsPath: String, fallbackPath: String, makesKey: Bool = false
    ) async throws -> DefaultKey {
        var targets: [(path: String, before: Credentials?)] = []
        var reason: String?
        for path in credentialsPath == fallbackPath ? [fallbackPath] : [credentialsPath, fallbackPath] {
            let saved = try await saved(in: path)
            if case .own(let credentials) = saved, !makesKey {
                if credentials.url != url {
                    try Credentials(url: url, key: credentials.key, tenant: credentials.tenant).write(to: path)
                }
                return DefaultKey(path: path, reason: reason)
            }
            if case .foreign = saved, path != fallbackPath {
                reason = "\(path) belongs to another gateway"
            } else {
                targets.append((path, saved.credentials))
            }
        }
        if !makesKey, try await store.hasAdministrator() { return DefaultKey(reason: reason) }
        let made = APIKey()
        let credentials = Credentials(url: url, key: made.text, tenant: TenantID.default.description)
        var failure: (any Error)?
        for target in targets {
            do {
                try credentials.write(to: target.path)
            } catch {
                failure = failure ?? error
                reason = reason ?? "\(target.path) cannot be written"
                continue
            }
            try await add(made, savedIn: target.path, before: target.before)
            return DefaultKey(path: target.path, isNew: true, reason: reason)
        }
        throw failure ?? EngineError(.configuration, "There is no place for the credentials.")
    }

    /// Adds a key that is saved already; where that fails the file is as it was.
    private func add(_ made: APIKey, savedIn path: String, before: Credentials?) async throws {
        do {
            try await store.perform(.addTenant(TenantRecord(id: .default, createdAt: Date())))
            try await store.perform(
                .addKey(
                    APIKeyRecord(
                        id: made.id, tenant: .default, hash: made.hash, scopes: KeyScope.allCases.map(\.rawValue),
                        createdAt: Date())))
        } catch {
            // What failed first is the one to report; a key that nobody knows opens nothing.
            if let before { try? before.write(to: path) } else { try? FileManager.default.removeItem(atPath: path) }
            throw error
        }
    }

    private func saved(in path: String) async throws -> Saved {
        guard let credentials = try Credentials.load(from: path) else { return .nobody }
        guard let known = try await key(withHash: APIKey.hash(of: credentials.key)) else { return .foreign }
        let isValid = !known.isRevoked && (known.expiresAt.map { $0 > Date() } ?? true)
        return isValid ? .own(credentials) : .ended(credentials)
    }
}

extension JobStore {
    /// Whether any key allows administration at this moment.
    ///
    /// - Parameter key: One that does not count.
    func hasAdministrator(besides key: String? = nil) async throws -> Bool {
        let suspended = Set(try await tenants().filter(\.suspended).map(\.id))
        return try await keys().map(TenantKey.init).contains { other in
            other.id != key && other.scopes.contains(.admin) && other.isValid && !suspended.contains(other.tenant)
        }
    }
}
