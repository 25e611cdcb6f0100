import Foundation
import SlipwayCore

/// A kept-alive HTTP/1.1 connection that sends one prepared request again and again.
final class RESTClient {
    private let connection: BlockingSocket

    init(port: Int) throws { connection = try BlockingSocket.connect(port: port) }

    /// The bytes of a POST.
    static func request(_ path: String, key: String, wait: Bool, body: [UInt8]) -> [UInt8] {
        let head =
            "POST \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer \(key)\r\n"
            + "Content-Type: application/json\r\n" + (wait ? "Prefer: wait=30\r\n" : "")
            + "Content-Length: \(body.count)\r\n\r\n"
        return Array(head.utf8) + body
    }

    /// Sends the request and reads the whole answer; gives its status.
    func send(_ request: [UInt8]) throws -> (status: Int, bytes: [UInt8]) {
        try connection.send(request)
        var answer: [UInt8] = []
        while true {
            try connection.receive(into: &answer)
            guard let end = Self.headEnd(answer) else { continue }
            let head = String(decoding: answer[..<end], as: UTF8.self)
            let lines = head.split(separator: "\r\n")
            let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            let length =
                lines.first { $0.lowercased().hasPrefix("content-length:") }
                .flatMap { Int($0.split(separator: ":")[1].trimmingCharacters(in: .whitespaces)) } ?? 0
            while answer.count < end + length { try connection.receive(into: &answer) }
            return (status, Array(answer[end...]))
        }
    }

    private static func headEnd(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        for index in 0...(bytes.count - 4)
        where bytes[index] == 13 && bytes[index + 1] == 10 && bytes[index + 2] == 13 && bytes[index + 3] == 10 {
            return index + 4
        }
        return nil
    }
}
