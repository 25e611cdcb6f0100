/// Why some bytes are not the JSON that was asked for, and where.
package struct JSONParseError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of fault it is.
    package enum Reason: String, Sendable, CaseIterable {
        /// There is nothing but white space.
        case empty = "empty-body"
        /// A character that the grammar does not allow here.
        case syntax = "invalid-json"
        /// The text ends in the middle of a value.
        case truncated = "truncated-json"
        /// Something follows the value.
        case trailingData = "trailing-data"
        /// Bytes that are not UTF-8.
        case invalidUTF8 = "invalid-utf8"
        /// Half of a surrogate pair, which is no character.
        case loneSurrogate = "lone-surrogate"
        /// The same member name twice in one object.
        case duplicateKey = "duplicate-key"
        /// More nested arrays and objects than the limit.
        case tooDeep = "too-deep"
        /// More values than the limit.
        case tooManyValues = "too-many-values"
        /// A number too large to represent.
        case numberOutOfRange = "number-out-of-range"
    }

    /// What kind of fault it is.
    package let reason: Reason
    /// The byte at which it was found, counted from 0.
    package let offset: Int
    /// What was found and what would be right.
    package let detail: String

    package init(_ reason: Reason, at offset: Int, _ detail: String) {
        self.reason = reason
        self.offset = offset
        self.detail = detail
    }

    package var description: String { "\(detail) (at byte \(offset))" }

    /// The same as an error of the engine.
    package var engineError: EngineError {
        EngineError(
            .invalidRequest, "Not valid JSON: \(description).",
            faults: [.init(pointer: "", code: reason.rawValue, detail: description)], cause: self)
    }
}
