/// What is decided about a sandbox when it is leased for the first time.
package struct Specialisation: Hashable, Sendable {
    /// The only tenant that the sandbox ever serves.
    package var tenant: TenantID
    /// The key of the environment; nil for plain Python.
    package var environment: String?
    /// Modules that the zygote imports ahead.
    package var preload: [String]

    /// Makes a specialisation.
    package init(tenant: TenantID, environment: String? = nil, preload: [String] = []) {
        self.tenant = tenant
        self.environment = environment
        self.preload = preload
    }
}

extension Specialisation: Codable {
    private enum Key: String, CodingKey { case tenant, environment, preload }

    /// Decodes a specialisation whose tenant is a string.
    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        let name = try values.decode(String.self, forKey: .tenant)
        guard let tenant = TenantID(name) else {
            throw DecodingError.dataCorruptedError(forKey: .tenant, in: values, debugDescription: "no tenant's name")
        }
        self.init(
            tenant: tenant, environment: try values.decodeIfPresent(String.self, forKey: .environment),
            preload: try values.decode([String].self, forKey: .preload))
    }

    /// Encodes the tenant as a string.
    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(tenant.description, forKey: .tenant)
        try values.encodeIfPresent(environment, forKey: .environment)
        try values.encode(preload, forKey: .preload)
    }
}
