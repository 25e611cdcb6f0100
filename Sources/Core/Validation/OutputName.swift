/// The names of files that a task left: relative paths in UTF-8 that stay in their folder.
package enum OutputName {
    /// The most bytes of a whole name.
    static let limitBytes = 1024

    /// What is wrong with a name; nil when it is right.
    package static func fault(in name: String) -> String? {
        if name.isEmpty { return "An artifact's name must not be empty" }
        if name.utf8.count > limitBytes { return "An artifact's name has at most \(limitBytes) bytes" }
        if name.utf8.first == UInt8(ascii: "/") { return "An artifact's name must be relative" }
        if name.unicodeScalars.contains(where: { Characters.isControl($0) || $0 == "\\" }) {
            return "An artifact's name must not contain control characters or backslashes"
        }
        for part in PathRules.parts(of: name) {
            if part.isEmpty || part == "." || part == ".." {
                return "An artifact's name must not contain empty parts, . or .."
            }
            if part.utf8.count > 255 { return "Each part of an artifact's name has at most 255 bytes" }
        }
        return nil
    }
}
