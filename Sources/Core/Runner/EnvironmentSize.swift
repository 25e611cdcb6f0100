/// How much of START's header environment variables take.
///
/// The header has at most `Frame.headerLimitBytes`, and the task's variables, secrets included, travel in it as JSON.
package enum EnvironmentSize {
    /// What the rest of the header takes at most: references, limits, and a name of 255 characters in escaped form.
    package static let reservedBytes = 4096

    /// The most bytes of all variables of a task together, as JSON.
    package static let limitBytes = Frame.headerLimitBytes - reservedBytes

    /// What the variables that the engine itself adds take at most, within what is reserved.
    package static let ownBytes = 256

    /// The bytes of variables as JSON: quotes, separators and escapes included.
    package static func bytes(of env: [String: String]) -> Int {
        env.reduce(2) { $0 + quoted($1.key) + quoted($1.value) + 2 }
    }

    /// The bytes of a text as a JSON string, as `JSONWriter` writes it.
    private static func quoted(_ text: String) -> Int {
        var bytes = 2
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), 0x09, 0x0A, 0x0D: bytes += 2
            case 0..<0x20: bytes += 6
            default: bytes += 1
            }
        }
        return bytes
    }
}
