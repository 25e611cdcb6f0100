import Foundation

/// The syntax of Python requirements (PEP 508), so far that nothing else can be smuggled to pip as one.
///
/// A requirement is a name with optional extras, version limits and an environment marker. One with an exact version
/// may be followed by hashes, `--hash=sha256:...`; other options, paths and line breaks are refused; addresses too
/// unless they are allowed.
struct RequirementSyntax {
    /// Why a text is no requirement.
    struct Fault: Error {
        let code: String
        let detail: String
    }

    private static let archives = [".whl", ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".egg"]
    /// Hashes that indexes offer and installers check, with the length of each in hexadecimal digits.
    private static let hashLengths = ["sha256": 64, "sha384": 96, "sha512": 128]
    private static let hashesMax = 200
    private var rest: Substring.UTF8View
    private var isExact = false

    /// Checks one requirement.
    static func check(_ text: String, allowsURLs: Bool) throws(Fault) {
        let end = text.range(of: " --hash=")?.lowerBound ?? text.endIndex
        guard (1...1000).contains(text[..<end].utf8.count), text.utf8.count <= 32_768 else {
            throw Fault(code: "out-of-range", detail: "A requirement has 1 to 1000 characters, and hashes after them")
        }
        guard text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw Fault(code: "invalid-requirement", detail: "A requirement is one line of printable ASCII")
        }
        if text.hasPrefix("-") {
            throw Fault(code: "invalid-requirement", detail: "Options of pip cannot be given as requirements")
        }
        var syntax = RequirementSyntax(rest: text[..<end].utf8)
        try syntax.parse(allowsURLs: allowsURLs)
        if end < text.endIndex {
            guard syntax.isExact else {
                throw syntax.invalid("has a hash, and so needs an exact version such as ==1.2.3")
            }
            try syntax.checkHashes(text[end...])
        }
    }

    private func checkHashes(_ text: Substring) throws(Fault) {
        let words = text.split(separator: " ")
        guard words.count <= Self.hashesMax else { throw invalid("has more than \(Self.hashesMax) hashes") }
        for word in words {
            let parts = word.dropFirst("--hash=".count).split(separator: ":", omittingEmptySubsequences: false)
            guard word.hasPrefix("--hash="), parts.count == 2, let length = Self.hashLengths[String(parts[0])],
                parts[1].utf8.count == length,
                parts[1].utf8.allSatisfy({ Characters.isDigit($0) || (97...102).contains($0) })
            else {
                throw invalid("has a bad hash at '\(word.prefix(30))'; it looks like --hash=sha256: and 64 digits")
            }
        }
    }

    private mutating func parse(allowsURLs: Bool) throws(Fault) {
        skipSpaces()
        let name = take(while: { Characters.isWordByte($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") })
        guard let first = name.utf8.first, let last = name.utf8.last, isAlphanumeric(first), isAlphanumeric(last)
        else { throw invalid("starts with no package name") }
        if Self.archives.contains(where: { name.lowercased().hasSuffix($0) }) || rest.first == UInt8(ascii: "/")
            || rest.first == UInt8(ascii: ":")
        {
            throw Fault(code: "not-allowed", detail: "Requirements name packages; files and addresses are not allowed")
        }
        skipSpaces()
        if skip("[") { try parseExtras() }
        skipSpaces()
        if skip("@") {
            guard allowsURLs else {
                throw Fault(code: "not-allowed", detail: "A requirement must not name an address")
            }
            try parseURL()
        } else if skip("(") {
            try parseVersions()
            skipSpaces()
            guard skip(")") else { throw invalid("lacks a closing parenthesis") }
        } else if let byte = rest.first, byte != UInt8(ascii: ";") {
            try parseVersions()
        }
        skipSpaces()
        if skip(";") { try parseMarker() }
        guard rest.isEmpty else {
            let what = Substring(rest).prefix(20)
            guard !what.hasPrefix("-") else {
                throw invalid("has the option '\(what)'; of pip's options only --hash is allowed")
            }
            throw invalid("has something after its end, starting with '\(what)'")
        }
    }

    private mutating func parseExtras() throws(Fault) {
        repeat {
            skipSpaces()
            let extra = take(while: { Characters.isWordByte($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") })
            guard let first = extra.utf8.first, isAlphanumeric(first) else { throw invalid("has a bad extra") }
            skipSpaces()
        } while skip(",")
        guard skip("]") else { throw invalid("lacks a closing bracket after its extras") }
    }

    private mutating func parseVersions() throws(Fault) {
        repeat {
            skipSpaces()
            let isEqual = ["===", "=="].contains { skip($0) }
            guard isEqual || ["~=", "!=", "<=", ">=", "<", ">"].contains(where: { skip($0) }) else {
                throw invalid("needs a comparison such as ==1.2 after the name")
            }
            skipSpaces()
            let version = take(while: { Characters.isWordByte($0) || ".*+!-".utf8.contains($0) })
            guard let first = version.utf8.first, isAlphanumeric(first) else {
                throw invalid("lacks a version after a comparison")
            }
            if isEqual, !version.contains("*") { isExact = true }
            skipSpaces()
        } while skip(",")
    }

    private mutating func parseURL() throws(Fault) {
        skipSpaces()
        let address = take(while: { $0 > 0x20 })
        guard address.hasPrefix("https://") else { throw invalid("needs an https address after @") }
        guard rest.isEmpty || rest.first == 0x20 else { throw invalid("has a bad address") }
    }

    private mutating func parseMarker() throws(Fault) {
        var depth = 0
        var words = 0
        while true {
            skipSpaces()
            guard let byte = rest.first else { break }
            if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
                rest = rest.dropFirst()
                _ = take(while: { $0 != byte })
                guard rest.first == byte else { throw invalid("has an unclosed quote in its marker") }
                rest = rest.dropFirst()
                words += 1
            } else if skip("(") {
                depth += 1
            } else if skip(")") {
                depth -= 1
                guard depth >= 0 else { throw invalid("has unbalanced parentheses in its marker") }
            } else if !["===", "==", "~=", "!=", "<=", ">=", "<", ">"].contains(where: { skip($0) }) {
                let word = take(while: { Characters.isWordByte($0) || $0 == UInt8(ascii: ".") })
                guard Self.markerWords.contains(word) else { throw invalid("has a bad marker at '\(word)'") }
                words += 1
            }
        }
        guard depth == 0, words >= 2 else { throw invalid("has an incomplete marker") }
    }

    private static let markerWords: Set<String> = [
        "and", "or", "not", "in", "python_version", "python_full_version", "os_name", "sys_platform",
        "platform_release", "platform_system", "platform_version", "platform_machine", "implementation_name",
        "implementation_version", "platform_python_implementation", "extra",
    ]

    private func invalid(_ what: String) -> Fault {
        Fault(code: "invalid-requirement", detail: "The requirement \(what)")
    }

    private func isAlphanumeric(_ byte: UInt8) -> Bool { Characters.isDigit(byte) || Characters.isLetter(byte) }

    private mutating func skipSpaces() { rest = rest.drop { $0 == 0x20 } }

    private mutating func skip(_ token: String) -> Bool {
        guard rest.starts(with: token.utf8) else { return false }
        rest = rest.dropFirst(token.utf8.count)
        return true
    }

    private mutating func take(while condition: (UInt8) -> Bool) -> String {
        let taken = rest.prefix(while: condition)
        rest = rest[taken.endIndex...]
        return String(Substring(taken))
    }
}
