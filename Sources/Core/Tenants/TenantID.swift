/// The name of a tenant: 1 to 63 characters of `a-z`, `0-9`, `-` and `_`.
public struct TenantID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The name.
    public let description: String

    /// The tenant that exists from the first start.
    public static let `default` = TenantID(unchecked: "default")

    /// Parses a tenant's name; nil when the text does not have its shape.
    public init?(_ text: String) {
        let bytes = text.utf8
        guard (1...63).contains(bytes.count),
            bytes.allSatisfy({ (97...122).contains($0) || (48...57).contains($0) || $0 == 45 || $0 == 95 })
        else { return nil }
        description = text
    }

    private init(unchecked text: String) { description = text }

    /// Orders tenants by name.
    public static func < (left: TenantID, right: TenantID) -> Bool { left.description < right.description }
}
