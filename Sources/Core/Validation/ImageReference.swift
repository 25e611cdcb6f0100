/// The names of container images.
enum ImageReference {
    /// Whether a text has the shape `[registry[:port]/]path[:tag][@algorithm:digest]`.
    ///
    /// The shape is that of the distribution reference grammar, checked so far that nothing else than a name can be
    /// meant; the container engine decides about the rest.
    static func isValid(_ text: String) -> Bool {
        guard text.utf8.count <= 512 else { return false }
        var rest = Substring(text)
        if let at = rest.firstIndex(of: "@") {
            guard isDigest(rest[rest.index(after: at)...]) else { return false }
            rest = rest[..<at]
        }
        let parts = rest.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard let last = parts.last else { return false }
        for (place, part) in parts.dropLast().enumerated() {
            // Only the first part, a registry's address, may have upper case or a port.
            let isRegistry = place == 0 && (part.contains(".") || part.contains(":") || part == "localhost")
            guard isRegistry ? isRegistryName(part) : isComponent(part) else { return false }
        }
        let named = last.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard isComponent(named[0]) else { return false }
        return named.count == 1 || Characters.isWord(named[1], extra: ".-", limit: 128)
    }

    private static func isComponent(_ text: String) -> Bool {
        guard let last = text.utf8.last, Characters.isWord(text, extra: ".-", limit: 255) else { return false }
        return text == text.lowercased() && Characters.isWordByte(last) && !text.contains("..")
    }

    private static func isRegistryName(_ text: String) -> Bool {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, Characters.isWord(parts[0], extra: ".-", limit: 253), !parts[0].contains("..")
        else { return false }
        return parts.count == 1 || (parts[1].utf8.allSatisfy(Characters.isDigit) && (1...5).contains(parts[1].count))
    }

    private static func isDigest(_ text: Substring) -> Bool {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == "sha256" || parts[0] == "sha512" else { return false }
        return parts[1].utf8.count == (parts[0] == "sha256" ? 64 : 128)
            && parts[1].utf8.allSatisfy { hexDigit($0) != nil && !(UInt8(ascii: "A")...UInt8(ascii: "F")).contains($0) }
    }
}
