import Foundation
import HTTPTypes
import SlipwayCore

/// Who makes a request.
struct Principal: Sendable {
    let tenant: TenantID
    let keyID: String
    let scopes: Set<KeyScope>
}

/// Finds out who makes a request, by the key in its `Authorization` header.
struct Authenticator: Sendable {
    private let cache: KeyCache

    init(cache: KeyCache) { self.cache = cache }

    /// The caller of a request.
    ///
    /// - Throws: ``Problem`` 400 for two headers, 401 without a valid key, 403 for a suspended tenant or a key that
    ///   does not allow `scope` (when one is asked for). Unknown, revoked and expired keys get the same answer.
    func principal(_ headers: HTTPFields, scope: KeyScope?) async throws -> Principal {
        let values = headers[values: .authorization]
        guard values.count <= 1 else { throw Problem.badRequest("There must be one Authorization header, not two.") }
        guard let value = values.first, let token = bearer(value) else {
            throw unauthorized(
                "Send a key: Authorization: Bearer <key>.", challenge: #"Bearer realm="slipway""#)
        }
        let hash = APIKey.hash(of: token)
        guard let key = try await cache.key(withHash: hash), isSame(key.hash, hash), !key.isRevoked,
            key.expiresAt.map({ $0 > Date() }) ?? true
        else {
            throw unauthorized("The key is not valid.", challenge: #"Bearer realm="slipway", error="invalid_token""#)
        }
        guard !key.isSuspended else {
            throw Problem(.forbidden, "tenant-suspended", "The tenant of this key is suspended.")
        }
        guard scope.map(key.scopes.contains) ?? true else {
            throw Problem(.forbidden, "scope-missing", "The key does not have the scope '\(scope?.rawValue ?? "")'.")
        }
        return Principal(tenant: key.tenant, keyID: key.id, scopes: key.scopes)
    }

    private func bearer(_ value: String) -> String? {
        let parts = value.split(separator: " ", omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer", parts[1].utf8.count <= 512 else { return nil }
        return String(parts[1])
    }

    private func unauthorized(_ detail: String, challenge: String) -> Problem {
        var problem = Problem(.unauthorized, "unauthorized", detail)
        problem.headers[.wwwAuthenticate] = challenge
        return problem
    }

    /// Compares without stopping at the first difference.
    private func isSame(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
