/// The syntax of base64 (RFC 4648 section 4): padded, one line.
enum Base64Syntax {
    /// Whether bytes are base64.
    static func isValid(_ text: [UInt8]) -> Bool {
        guard text.count % 4 == 0 else { return false }
        let padding = text.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count
        return text.dropLast(padding).allSatisfy { byte in
            Characters.isDigit(byte) || Characters.isLetter(byte) || byte == UInt8(ascii: "+")
                || byte == UInt8(ascii: "/")
        }
    }
}
