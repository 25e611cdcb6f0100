import Foundation
import SlipwayCore

#if canImport(Glibc)
    import Glibc
#endif

/// Several callers with a connection each, of which each sends its next request as soon as it has its answer.
///
/// One thread serves them all: they share the processors with what they measure, and a thread for each would spend
/// more of them on waking up than on the requests.
struct RESTLoad {
    private let request: [UInt8]
    private let callers: [RESTClient]
    /// How many requests each of them has yet to send.
    private var left: [Int]

    init(port: Int, request: [UInt8], callers: Int, each: Int) throws {
        self.request = request
        self.callers = try (0..<callers).map { _ in try RESTClient(port: port) }
        left = Array(repeating: each, count: callers)
    }

    /// Sends everything and waits for the last answer.
    mutating func run() throws {
        var waiting = callers.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        for index in callers.indices { try next(index, &waiting) }
        while waiting.contains(where: { $0.fd >= 0 }) {
            let ready = poll(&waiting, nfds_t(waiting.count), 60_000)
            if ready < 0, errno == EINTR { continue }
            guard ready > 0 else {
                throw EngineError(.internalFault, "REST answers nobody")
            }
            for index in waiting.indices where waiting[index].revents != 0 {
                guard let answer = try callers[index].receive() else { continue }
                guard answer.status == 200 else {
                    let said = String(decoding: answer.body, as: UTF8.self)
                    throw EngineError(.internalFault, "REST answered \(answer.status): \(said)")
                }
                try next(index, &waiting)
            }
        }
    }

    private mutating func next(_ index: Int, _ waiting: inout [pollfd]) throws {
        guard left[index] > 0 else {
            waiting[index].fd = -1
            waiting[index].revents = 0
            return
        }
        left[index] -= 1
        try callers[index].begin(request)
    }
}
