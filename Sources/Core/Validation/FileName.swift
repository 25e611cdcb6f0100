/// The names of files that a task brings along: relative paths that stay in their folder.
package enum FileName {
    /// What is wrong with a name; nil when it is right.
    package static func fault(in name: String) -> String? {
        if name.isEmpty { return "A file's name must not be empty" }
        if name.utf8.count > 255 { return "A file's name has at most 255 bytes" }
        if name.utf8.first == UInt8(ascii: "/") { return "A file's name must be relative" }
        if name.unicodeScalars.contains(where: Characters.isControl) {
            return "A file's name must not contain control characters"
        }
        let parts = PathRules.parts(of: name)
        if parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) {
            return "A file's name must not contain empty parts, . or .."
        }
        return nil
    }
}
