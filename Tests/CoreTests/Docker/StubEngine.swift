import Foundation
import SlipwayCore
import Synchronization

/// A container engine of few words: pings are answered, everything else is the test's.
final class StubEngine: Sendable {
    let server: StubServer
    private let seen: Recorder

    private final class Recorder: Sendable {
        let requests = Mutex<[(line: String, body: [UInt8])]>([])
    }

    /// - Parameters:
    ///   - headers: Further ones of the answer to a ping, each with its line end.
    ///   - answer: gets each request that is no ping, with its number from 1; false closes the connection.
    init(
        version: String = "1.41", headers: String = "",
        _ answer: @escaping @Sendable (StubServer.Connection, _ line: String, _ number: Int) -> Bool
    ) throws {
        let seen = Recorder()
        self.seen = seen
        server = try StubServer { connection in
            while let request = connection.readRequest() {
                let line = String(request.head.prefix { $0 != "\r\n" })
                if line.contains("/_ping") {
                    connection.respond(headers: "Api-Version: \(version)\r\n\(headers)", "OK")
                    continue
                }
                let number = seen.requests.withLock { requests in
                    requests.append((line, request.body))
                    return requests.count
                }
                guard answer(connection, line, number) else { return }
            }
        }
    }

    /// The request lines and bodies so far, without pings.
    var requests: [(line: String, body: [UInt8])] { seen.requests.withLock { $0 } }

    /// A client with short pauses and limits.
    func client(_ change: (inout DockerClient.Options) -> Void = { _ in }) -> DockerClient {
        var options = DockerClient.Options()
        options.retry = RetryPolicy(maxAttempts: 3, baseDelay: .milliseconds(1), maxDelay: .milliseconds(2))
        // Tests run side by side: what is tested is the number of tries, not their time.
        options.retryBudget = .seconds(600)
        change(&options)
        return DockerClient(endpoint: DockerEndpoint(address: .unix(path: server.path)), options: options)
    }
}
