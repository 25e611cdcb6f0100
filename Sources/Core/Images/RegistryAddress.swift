#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An address of a registry.
package enum RegistryAddress: Sendable, Hashable {
    /// An IPv4 address, its first byte the most significant.
    case v4(UInt32)
    /// The 16 bytes of an IPv6 address.
    case v6([UInt8])

    /// Whether it is reached over the public internet only: no private, loopback, link-local or other special range.
    package var isPublic: Bool {
        switch self {
        case .v4(let address):
            let text = stride(from: 24, through: 0, by: -8).map { "\(address >> UInt32($0) & 255)" }
                .joined(separator: ".")
            guard let single = AddressRange(text + "/32") else { return false }
            return !EgressRules.closed.contains { AddressRange($0.range)?.contains(single) ?? true }
        case .v6(let bytes):
            guard bytes.count == 16 else { return false }
            if let embedded = Self.embedded(in: bytes) { return RegistryAddress.v4(embedded).isPublic }
            // Of the unicast addresses only 2000::/3 is given out; Teredo, documentation and 6to4 are special there.
            let isGlobal = bytes[0] & 0xE0 == 0x20
            let isSpecial =
                bytes.starts(with: [0x20, 0x01, 0x00, 0x00]) || bytes.starts(with: [0x20, 0x01, 0x0D, 0xB8])
                || bytes.starts(with: [0x20, 0x02])
            return isGlobal && !isSpecial
        }
    }

    /// The IPv4 address that a mapped (`::ffff:0:0/96`) or translated one (`64:ff9b::/96`) stands for.
    private static func embedded(in bytes: [UInt8]) -> UInt32? {
        let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]
        let translated: [UInt8] = [0, 0x64, 0xFF, 0x9B] + [UInt8](repeating: 0, count: 8)
        guard bytes.starts(with: mapped) || bytes.starts(with: translated) else { return nil }
        return bytes[12...].reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// The addresses of a host, as the machine's resolver tells them; blocks until it does.
    package static func all(of host: String) -> [RegistryAddress] {
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, nil, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: Set<RegistryAddress> = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            if let address = entry.ai_addr.flatMap({ RegistryAddress($0, family: entry.ai_family) }) {
                found.insert(address)
            }
        }
        return Array(found)
    }

    private init?(_ address: UnsafeMutablePointer<sockaddr>, family: Int32) {
        switch family {
        case AF_INET:
            self = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                .v4(UInt32(bigEndian: $0.pointee.sin_addr.s_addr))
            }
        case AF_INET6:
            self = address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                .v6(withUnsafeBytes(of: $0.pointee.sin6_addr) { Array($0) })
            }
        default: return nil
        }
    }
}
