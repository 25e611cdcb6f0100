/// A range of user or group ids.
public struct IDRange: Sendable, Hashable {
    /// The first id.
    public var first: Int
    /// How many ids follow, with the first one.
    public var count: Int

    /// A range of `count` ids from `first` on.
    public init(first: Int, count: Int) {
        self.first = first
        self.count = count
    }
}

extension IDRange: ConfigurationSection {
    /// The first id that user namespaces usually do not map.
    private static let end = 65_536

    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "first", \.first, .integer(1000...65_535), "First id of the range.",
            tune: "Move it when accounts of the machine have ids in the range.")
        Field.value(
            "count", \.count, .integer(3...64_536), "How many ids the range has.",
            tune: "Lower it to keep ids free for others, raise it where what it bounds is reached.")
    }

    package func check() -> [ConfigurationConflict] {
        guard first + count > Self.end else { return [] }
        let message = "must end below \(Self.end): at most \(Self.end - first) with first \(first), not \(count)"
        return [.init("count", with: "first", message: message)]
    }
}
