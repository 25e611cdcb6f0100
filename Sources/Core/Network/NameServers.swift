import Foundation

/// The name servers that the container engine asks on behalf of containers.
enum NameServers {
    /// Where they are listed; with systemd's resolver the first file names only its loopback address.
    private static let files = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"]

    /// Those of this machine that are no loopback address, IPv4 only.
    ///
    /// One on a loopback address is asked by the container engine from the host's network, and needs no rule.
    static func ofHost() -> [String] {
        var found: [String] = []
        for file in files {
            guard let data = FileManager.default.contents(atPath: file) else { continue }
            for server in listed(in: String(decoding: data, as: UTF8.self)) where !found.contains(server) {
                found.append(server)
            }
        }
        return found
    }

    /// The addresses of the lines `nameserver`.
    static func listed(in text: String) -> [String] {
        text.split(whereSeparator: \.isNewline).compactMap { line in
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.count >= 2, words[0] == "nameserver", AddressRange(words[1] + "/32") != nil,
                !words[1].hasPrefix("127.")
            else { return nil }
            return String(words[1])
        }
    }
}
