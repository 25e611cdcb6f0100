import ArgumentParser
import Foundation
import SlipwayCore

/// The options that say what is to be installed, alike for jobs and for `env build`.
struct RequirementOptions: ParsableArguments {
    @Option(
        name: [.customShort("r"), .customLong("requirement")],
        help: ArgumentHelp(
            "Install this Python requirement first; of a name that ends with .txt, the lines of that file. Repeatable.",
            valueName: "req"))
    var requirements: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp("Install the Python project in this folder of the engine's machine.", valueName: "folder"))
    var project: String?

    @Option(
        name: .long,
        help: ArgumentHelp("Take requirements from this package index.", valueName: "url"))
    var indexUrl: String?

    /// The requirements, those of files included.
    var lines: [String] {
        get throws {
            try requirements.flatMap { item -> [String] in
                guard item.hasSuffix(".txt") else { return [item] }
                return Self.lines(of: try LocalFile.readText(item))
            }
        }
    }

    /// The project's folder as an absolute path.
    var projectPath: String? {
        project.map { path in
            let absolute = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
            return URL(fileURLWithPath: absolute).standardizedFileURL.path
        }
    }

    /// What a body of a request has of these.
    func members() throws -> [String: JSONValue] {
        var members: [String: JSONValue] = [:]
        let lines = try lines
        if !lines.isEmpty { members["requirements"] = .array(lines.map(JSONValue.string)) }
        members["project"] = projectPath.map(JSONValue.string)
        members["index_url"] = indexUrl.map(JSONValue.string)
        return members
    }

    /// The requirements of a file as pip reads it: comments go, and lines that end with a backslash go on.
    static func lines(of text: String) -> [String] {
        var found: [String] = []
        var begun = ""
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            var words = Substring(line)
            // Within an address a # is no comment.
            if let comment = words.indices.first(where: { words[$0] == "#" && isAfterSpace($0, in: words) }) {
                words = words[..<comment]
            }
            let part = words.trimmingCharacters(in: .whitespaces)
            let goesOn = part.hasSuffix("\\")
            begun += (begun.isEmpty ? "" : " ") + part.dropLast(goesOn ? 1 : 0).trimmingCharacters(in: .whitespaces)
            if !goesOn {
                found.append(begun)
                begun = ""
            }
        }
        return (found + [begun]).filter { !$0.isEmpty }
    }

    private static func isAfterSpace(_ place: Substring.Index, in text: Substring) -> Bool {
        place == text.startIndex || text[text.index(before: place)].isWhitespace
    }
}
