import Foundation

/// The folders of the engine that nobody but its operator is told of.
package struct HostPaths: Sendable {
    /// What stands where a path was cut out of a text.
    static let mark = "[path on the host]"

    /// Characters that end a path in a message, and that may stand before one.
    private static let delimiters: Set<Character> = [
        " ", "\n", "\t", "\"", "'", "`", ",", ";", ":", "(", ")", "[", "]", "<", ">", "=",
    ]

    private let folders: [String]

    /// - Parameter folders: Absolute paths; the root and its own folders are too common to be cut.
    package init(_ folders: [String]) {
        let resolved = folders.map { URL(fileURLWithPath: $0).resolvingSymlinksInPath().path }
        self.folders = Set(folders + resolved)
            .filter { $0.hasPrefix("/") && $0.split(separator: "/").count > 1 }
            .sorted { ($0.count, $0) > ($1.count, $1) }
    }

    /// A text without the paths of these folders, and of what lies below them.
    package func cut(_ text: String) -> String {
        folders.reduce(text) { text, folder in text.contains(folder) ? Self.cut(folder, from: text) : text }
    }

    private static func cut(_ folder: String, from text: String) -> String {
        var done = ""
        var rest = text[...]
        while let found = rest.range(of: folder) {
            done += rest[..<found.lowerBound]
            rest = rest[found.upperBound...]
            let begins = done.last.map(delimiters.contains) ?? true
            let ends = rest.first.map { $0 == "/" || delimiters.contains($0) } ?? true
            guard begins, ends else {
                // Part of another path, or of a longer name.
                done += folder
                continue
            }
            done += mark
            rest = rest.drop { !delimiters.contains($0) }
        }
        return done + rest
    }
}
