/// The name of an image, taken apart as a container engine does.
package struct ImageName: Sendable, Hashable {
    /// The registry of names without one.
    package static let defaultRegistry = "docker.io"

    /// Where it is pulled from, such as `docker.io` or `registry.example.org:5000`.
    package let registry: String
    /// The whole name without tag and digest, as it was written.
    package let repository: String
    /// The tag; nil where a digest names the content, `latest` where nothing does.
    package let tag: String?
    /// What names the content, such as `sha256:...`.
    package let digest: String?

    /// Takes a valid name apart.
    package init(_ text: String) {
        var rest = Substring(text)
        var digest: String?
        if let at = rest.firstIndex(of: "@") {
            digest = String(rest[rest.index(after: at)...])
            rest = rest[..<at]
        }
        var tag: String?
        let last = rest.lastIndex(of: "/").map { rest.index(after: $0) } ?? rest.startIndex
        if let colon = rest[last...].firstIndex(of: ":") {
            tag = String(rest[rest.index(after: colon)...])
            rest = rest[..<colon]
        }
        let first = rest.prefix { $0 != "/" }
        let isRegistry =
            first.count < rest.count && (first.contains(".") || first.contains(":") || first == "localhost")
        registry = isRegistry ? String(first) : Self.defaultRegistry
        repository = String(rest)
        self.digest = digest
        self.tag = digest == nil ? tag ?? "latest" : nil
    }

    /// Whether it is one of the images that are built here and that no registry of anybody's has: a stranger could
    /// offer another one under this name.
    package var isBuiltLocally: Bool { registry == Self.defaultRegistry && repository.hasPrefix("slipway/") }
}
