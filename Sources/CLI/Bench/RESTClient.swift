import Foundation
import SlipwayCore

/// A kept-alive HTTP/1.1 connection that sends one prepared request again and again.
///
/// It shares the processors with what it measures, so it looks at an answer's bytes no more than it has to and keeps
/// its memory from one answer to the next.
final class RESTClient {
    private static let lengthField = Array("\r\ncontent-length: ".utf8)
    private static let emptyLine = Array("\r\n\r\n".utf8)

    private let connection: BlockingSocket
    private var buffer = [UInt8](repeating: 0, count: 65_536)
    private var filled = 0

    init(port: Int) throws { connection = try BlockingSocket.connect(port: port) }

    /// What tells whether there is something to receive.
    var descriptor: Int32 { connection.descriptor }

    /// The bytes of a POST.
    static func request(_ path: String, key: String, wait: Bool, body: [UInt8]) -> [UInt8] {
        let head =
            "POST \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \(key)\r\n"
            + "Content-Type: application/json\r\n" + (wait ? "Prefer: wait=30\r\n" : "")
            + "Content-Length: \(body.count)\r\n\r\n"
        return Array(head.utf8) + body
    }

    /// Sends the request and reads the whole answer; gives its status and body.
    func send(_ request: [UInt8]) throws -> (status: Int, body: ArraySlice<UInt8>) {
        try begin(request)
        while true {
            if let answer = try receive() { return answer }
        }
    }

    /// Sends the request; `receive` gives the answer.
    func begin(_ request: [UInt8]) throws {
        filled = 0
        try connection.send(request)
    }

    /// Reads what is there of the answer, waiting for the first byte of it; nil while it is not whole.
    func receive() throws -> (status: Int, body: ArraySlice<UInt8>)? {
        filled += try connection.receive(into: &buffer, at: filled)
        guard let head = Self.end(of: Self.emptyLine, in: buffer[..<filled]) else {
            guard filled < buffer.count else {
                throw EngineError(.internalFault, "an answer's head has more than \(buffer.count) bytes")
            }
            return nil
        }
        let whole = head + Self.length(in: buffer[..<head])
        if whole > buffer.count { buffer += [UInt8](repeating: 0, count: whole - buffer.count) }
        guard filled >= whole else { return nil }
        // "HTTP/1.1 200 OK"
        return (Self.number(in: buffer[9..<head]), buffer[head..<whole])
    }

    private static func length(in head: ArraySlice<UInt8>) -> Int {
        end(of: lengthField, in: head).map { number(in: head[$0...]) } ?? 0
    }

    /// Where `words` end in `bytes`, the case of letters aside.
    private static func end(of words: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        bytes.withUnsafeBufferPointer { found in
            guard found.count >= words.count else { return nil }
            for start in 0...(found.count - words.count)
            where words.indices.allSatisfy({ found[start + $0] | 0x20 == words[$0] | 0x20 }) {
                return bytes.startIndex + start + words.count
            }
            return nil
        }
    }

    /// The digits at the start of `bytes`.
    private static func number(in bytes: ArraySlice<UInt8>) -> Int {
        bytes.prefix { (48...57).contains($0) }.reduce(0) { $0 * 10 + Int($1 - 48) }
    }
}
