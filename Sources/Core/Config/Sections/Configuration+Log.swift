import Logging

extension Configuration {
    /// What the engine logs, and how.
    public struct Log: Sendable, Hashable {
        /// The least level that is written.
        public var level = Logger.Level.info
        /// The form of a line.
        public var format = Format.text

        /// The form of a log line.
        public enum Format: String, Sendable, CaseIterable {
            /// A line for people.
            case text
            /// A JSON object a line.
            case json
        }

        /// The section with every value at its default.
        public init() {}
    }
}

extension Configuration.Log: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "level", \.level, .choice, "Least level that is written.",
            tune: "Set debug to follow single jobs, warning to keep quiet.")
        Field.value(
            "format", \.format, .choice, "Form of a log line.",
            tune: "Set json for programs that collect logs.")
    }
}
