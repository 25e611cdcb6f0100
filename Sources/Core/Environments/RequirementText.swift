import Foundation

/// A requirement in a form that is the same for every way to write it, as far as that is cheap to tell.
///
/// `Num_Py >=2 , <3` and `num-py<3,>=2` are one. Texts that are not understood stay as they are, trimmed. Hashes
/// (`--hash=sha256:...`) follow the requirement, in a fixed order.
package struct RequirementText: Sendable, Hashable {
    /// The package's name as indexes compare it (PEP 503); empty when the text starts with none.
    package let name: String
    /// The whole requirement.
    package let text: String
    /// Whether it allows exactly one version.
    package let isPinned: Bool
    /// Whether what is installed for it is checked against hashes.
    package let isHashed: Bool

    package init(_ raw: String) {
        let whole = Self.trim(raw[...])
        let named = whole.prefix(while: Self.isNameCharacter)
        name = Self.normalised(named)
        let words = whole.split(whereSeparator: \.isWhitespace)
        let hashes = Set(words.filter { $0.hasPrefix(Self.hashOption) }).sorted()
        isHashed = !hashes.isEmpty
        let first = whole.range(of: " " + Self.hashOption)?.lowerBound ?? whole.endIndex
        let trimmed = Self.trim(whole[..<first])
        let ending = hashes.map { " \($0)" }.joined()
        var rest = named.isEmpty ? "" : Self.trim(trimmed[named.endIndex...])
        // Addresses, and options that are no hashes, are compared as they were written.
        guard !named.isEmpty, !rest.hasPrefix("@"), !rest.contains("--") else {
            text = String(whole)
            isPinned = false
            return
        }
        var marker = ""
        if let semicolon = rest.firstIndex(of: ";") {
            marker = String(Self.trim(rest[rest.index(after: semicolon)...]))
            rest = Self.trim(rest[..<semicolon])
        }
        var extras: [String] = []
        if rest.hasPrefix("["), let end = rest.firstIndex(of: "]") {
            extras = rest[rest.index(after: rest.startIndex)..<end].split(separator: ",")
                .map { Self.normalised(Self.trim($0)) }.sorted()
            rest = Self.trim(rest[rest.index(after: end)...])
        }
        if rest.hasPrefix("("), rest.hasSuffix(")") { rest = Self.trim(rest.dropFirst().dropLast()) }
        let limits = rest.split(separator: ",").map { $0.filter { !$0.isWhitespace } }.sorted()
        isPinned = limits.contains { $0.hasPrefix("===") || ($0.hasPrefix("==") && !$0.hasSuffix("*")) }
        text =
            name + (extras.isEmpty ? "" : "[\(extras.joined(separator: ","))]") + limits.joined(separator: ",")
            + (marker.isEmpty ? "" : "; \(marker)") + ending
    }

    /// What a hash begins with.
    private static let hashOption = "--hash="

    /// Every requirement once, in a fixed order.
    package static func normalised(_ all: [String]) -> [RequirementText] {
        Set(all.map(RequirementText.init)).filter { !$0.text.isEmpty }.sorted { $0.text < $1.text }
    }

    private static func isNameCharacter(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || "._-".contains(character))
    }

    private static func normalised(_ name: Substring) -> String {
        name.lowercased().split(whereSeparator: { "._-".contains($0) }).joined(separator: "-")
    }

    private static func trim(_ text: Substring) -> Substring {
        var text = text.drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
