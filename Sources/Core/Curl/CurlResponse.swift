/// Status and headers of a response.
package struct CurlResponseHead: Sendable {
    package var status: Int
    package var headers: [(name: String, value: String)]

    package init(status: Int, headers: [(name: String, value: String)] = []) {
        self.status = status
        self.headers = headers
    }

    /// The first value of a header, its name compared without case.
    package func header(_ name: String) -> String? {
        let wanted = name.lowercased()
        return headers.first { $0.name.lowercased() == wanted }?.value
    }
}

/// A response whose body was read whole.
package struct CurlResponse: Sendable {
    package var head: CurlResponseHead
    package var body: [UInt8]

    package init(head: CurlResponseHead, body: [UInt8]) {
        self.head = head
        self.body = body
    }
}

/// Collects the lines of a response head, skipping interim (1xx) responses and trailers.
struct CurlHeadCollector {
    enum Outcome: Equatable {
        case more
        case complete
        case malformed(String)
    }

    private(set) var head = CurlResponseHead(status: 0)
    private var totalBytes = 0
    private var isComplete = false

    static let limitBytes = 128 * 1024

    /// Takes one line with its line ending; after `complete` every further line is a trailer and ignored.
    mutating func consume(line bytes: UnsafeRawBufferPointer) -> Outcome {
        if isComplete { return .more }
        totalBytes += bytes.count
        guard totalBytes <= Self.limitBytes else { return .malformed("the response head exceeds 128 KiB") }
        let line = String(decoding: bytes, as: UTF8.self).trimmingLineEnd()
        if line.isEmpty { return finishBlock() }
        if line.hasPrefix("HTTP/") { return startBlock(line) }
        guard let colon = line.firstIndex(of: ":") else { return .malformed("a header line has no colon") }
        let value = line[line.index(after: colon)...].trimmingBlanks()
        head.headers.append((String(line[..<colon]), String(value)))
        return .more
    }

    private mutating func startBlock(_ line: String) -> Outcome {
        let words = line.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, let status = Int(words[1]), (100...999).contains(status) else {
            return .malformed("the status line is unreadable")
        }
        head = CurlResponseHead(status: status)
        return .more
    }

    private mutating func finishBlock() -> Outcome {
        guard head.status >= 200 || head.status == 101 else { return .more }
        isComplete = true
        return .complete
    }
}

extension Substring {
    fileprivate func trimmingBlanks() -> Substring {
        let isBlank = { (character: Character) in character == " " || character == "\t" }
        var trimmed = drop(while: isBlank)
        while let last = trimmed.last, isBlank(last) { trimmed.removeLast() }
        return trimmed
    }
}

extension String {
    fileprivate func trimmingLineEnd() -> String {
        var end = endIndex
        while end > startIndex, self[index(before: end)].isNewline { end = index(before: end) }
        return String(self[..<end])
    }
}
