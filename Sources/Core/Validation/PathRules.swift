/// Rules for paths of the host that requests name.
package enum PathRules {
    /// Whether a text is an absolute path without `.`, `..`, empty parts and what would end it elsewhere.
    package static func isClean(_ path: String) -> Bool {
        guard path.utf8.first == UInt8(ascii: "/"), path.utf8.count <= 4096 else { return false }
        guard !path.unicodeScalars.contains(where: { Characters.isControl($0) || $0 == ":" || $0 == "," }) else {
            return false
        }
        if path == "/" { return true }
        return parts(of: path).dropFirst()
            .allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." && $0.utf8.count <= 255 }
    }

    /// What stands between the slashes of a path.
    ///
    /// To Swift a slash and a combining mark that follows it are one character, which is no slash; to the kernel they
    /// are two.
    package static func parts(of path: String) -> [Substring] {
        path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { Substring($0) }
    }

    /// Whether a path is a folder or lies below it, as bytes: that is how the kernel compares names.
    package static func isInside(_ path: String, _ folder: String) -> Bool {
        let folder = folder.hasSuffix("/") ? String(folder.dropLast()) : folder
        guard path.utf8.starts(with: folder.utf8) else { return false }
        let rest = path.utf8.dropFirst(folder.utf8.count)
        return rest.isEmpty || rest.first == UInt8(ascii: "/")
    }
}
