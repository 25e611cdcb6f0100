/// The number of one request for a sandbox; its maker never uses a number twice.
package struct RequestID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The number.
    package let number: UInt64

    /// Makes the identifier with this number.
    package init(_ number: UInt64) { self.number = number }

    /// The number, for people.
    package var description: String { "request \(number)" }

    /// Orders requests by number.
    package static func < (left: RequestID, right: RequestID) -> Bool { left.number < right.number }
}
