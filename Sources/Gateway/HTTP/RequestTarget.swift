/// The path and the query of a request, checked and decoded.
struct RequestTarget {
    /// The path as it came, for showing it to its sender.
    let path: String
    /// The decoded segments of the path.
    let segments: [String]
    /// The decoded parameters of the query.
    let query: [String: String]

    /// Parses the target of a request line.
    ///
    /// - Throws: ``Problem`` 400 for anything ambiguous: dot segments, encoded slashes, dots and control characters,
    ///   parameters that stand twice, and keys, which do not belong into addresses.
    init(_ target: String, maximumBytes: Int) throws(Problem) {
        guard target.utf8.count <= maximumBytes else {
            throw Problem(.uriTooLong, "uri-too-long", "The request line has more than \(maximumBytes) bytes.")
        }
        let bytes = Substring(Self.originForm(target)).utf8
        guard bytes.first == UInt8(ascii: "/"), bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Problem.badRequest("The path must start with / and have visible ASCII characters only.")
        }
        let mark = bytes.firstIndex(of: UInt8(ascii: "?"))
        let pathBytes = bytes[..<(mark ?? bytes.endIndex)]
        path = String(Substring(pathBytes))
        segments = try Self.segments(pathBytes)
        query = try mark.map { index throws(Problem) in try Self.query(bytes[bytes.index(after: index)...]) } ?? [:]
    }

    /// The part of an absolute address that a proxy would have sent.
    private static func originForm(_ target: String) -> String {
        guard !target.hasPrefix("/"), let scheme = ["http://", "https://"].first(where: target.hasPrefix) else {
            return target
        }
        return target.dropFirst(scheme.count).firstIndex(of: "/").map { String(target[$0...]) } ?? "/"
    }

    private static func segments(_ path: Substring.UTF8View) throws(Problem) -> [String] {
        var segments: [String] = []
        for segment in path.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            if segment.contains(UInt8(ascii: "%")) {
                segments.append(try decode(segment, isPath: true))
                continue
            }
            let text = String(Substring(segment))
            let isPlain = !segment.contains { $0 == UInt8(ascii: "#") || $0 == UInt8(ascii: "\\") }
            guard text != "..", text != ".", isPlain else {
                throw Problem.badRequest("The path must not have the segments . and .., a backslash or a fragment.")
            }
            segments.append(text)
        }
        return segments
    }

    private static func query(_ text: Substring.UTF8View) throws(Problem) -> [String: String] {
        var parameters: [String: String] = [:]
        for pair in text.split(separator: UInt8(ascii: "&")) {
            let equals = pair.firstIndex(of: UInt8(ascii: "="))
            let name = try decode(pair[..<(equals ?? pair.endIndex)], isPath: false)
            let value = try equals.map { index throws(Problem) in
                try decode(pair[pair.index(after: index)...], isPath: false)
            }
            if ["key", "api_key", "apikey", "access_token", "token"].contains(name.lowercased()) {
                throw Problem.badRequest("Keys are taken from the Authorization header only, never from the address.")
            }
            guard parameters.updateValue(value ?? "", forKey: name) == nil else {
                throw Problem.badRequest("The query parameter '\(name)' stands twice.")
            }
        }
        return parameters
    }

    private static func decode(_ text: Substring.UTF8View, isPath: Bool) throws(Problem) -> String {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "+"), !isPath {
                bytes.append(0x20)
            } else if byte == UInt8(ascii: "%") {
                guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                    throw Problem.badRequest("A percent sign must be followed by two hexadecimal digits.")
                }
                let decoded = high << 4 | low
                guard !isPath || !(decoded < 0x20 || decoded == 0x7F || "/\\.".utf8.contains(decoded)) else {
                    throw Problem.badRequest("The path must not have encoded dots, slashes or control characters.")
                }
                bytes.append(decoded)
            } else {
                bytes.append(byte)
            }
        }
        guard let decoded = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw Problem.badRequest("The address must be UTF-8 without NUL.")
        }
        return decoded
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
