/// The numbers at the start of a release's name, such as 1.1.5 of `1.1.5+ds1`.
package struct ReleaseNumber: Sendable, Comparable, CustomStringConvertible {
    package let major: Int
    package let minor: Int
    package let patch: Int

    package init(_ major: Int, _ minor: Int, _ patch: Int) {
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// Reads a name; nil when it starts with no numbers.
    package init?(_ text: String) {
        let digits = text.drop { $0 == "v" }.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let parts = digits.split(separator: ".").compactMap { Int($0) }
        guard parts.count >= 2 else { return nil }
        self.init(parts[0], parts[1], parts.count > 2 ? parts[2] : 0)
    }

    package var description: String { "\(major).\(minor).\(patch)" }

    package static func < (left: Self, right: Self) -> Bool {
        (left.major, left.minor, left.patch) < (right.major, right.minor, right.patch)
    }

    /// Whether it has a fix that appeared in these releases, one of each line that was maintained.
    package func has(fixedIn releases: [ReleaseNumber]) -> Bool {
        if let own = releases.first(where: { $0.major == major && $0.minor == minor }) { return self >= own }
        return releases.allSatisfy { self > $0 }
    }
}
