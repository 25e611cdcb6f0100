import Foundation
import SlipwayCore
import Synchronization
import Testing

@Suite("Streams over libcurl, against a scripted server")
struct CurlStreamTests {
    let transport = CurlTransport()

    @Test("a reader that does not read holds the server back, and gets every byte in the end")
    func backPressure() async throws {
        let written = Atomic<Int>(0)
        let block = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let server = try StubServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: \(block.count * 2000)\r\n\r\n")
            for _ in 0..<2000 where connection.write(block) { written.add(block.count, ordering: .relaxed) }
        }
        let (head, body) = try await transport.open(stubRequest(server))
        #expect(head.status == 200)
        var last = -1
        // The server is stuck once its count no longer changes over many looks.
        for _ in 0..<400 where written.load(ordering: .relaxed) != last {
            last = written.load(ordering: .relaxed)
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(written.load(ordering: .relaxed) < 5_000_000)
        var received = 0
        var mismatches = 0
        for try await chunk in body {
            #expect(!chunk.isEmpty)
            for byte in chunk {
                if byte != block[received % block.count] { mismatches += 1 }
                received += 1
            }
        }
        #expect(received == block.count * 2000)
        #expect(mismatches == 0)
    }

    @Test("dropping a body aborts its transfer")
    func dropping() async throws {
        let closed = Mutex(false)
        let server = try StubServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            connection.hang()
            closed.withLock { $0 = true }
        }
        for try await chunk in try await transport.open(stubRequest(server)).body {
            #expect(chunk == Array("abc".utf8))
            break
        }
        while !closed.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(1)) }
    }

    @Test("a reader's cancellation ends its wait; a cut shows after the bytes that came")
    func readerCancellation() async throws {
        let server = try StubServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            if connection.number == 1 { connection.hang() }
        }
        let (_, body) = try await transport.open(stubRequest(server))
        let reader = Task { try await body.collect(limitBytes: 100) }
        reader.cancel()
        await #expect(throws: CancellationError.self) { try await reader.value }
        let (_, cut) = try await transport.open(stubRequest(server))
        #expect(try await cut.next() == Array("abc".utf8))
        await expectCurlError(.connectionLost) { try await cut.next() }
    }

    @Test("an upload streams with back-pressure, chunked or with a length", arguments: [true, false])
    func upload(hasLength: Bool) async throws {
        let bodies = Mutex<[(head: String, body: [UInt8])]>([])
        let server = try StubServer { connection in
            while let request = connection.readRequest() {
                bodies.withLock { $0.append(request) }
                connection.respond("ok")
            }
        }
        let block = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 13) }
        let upload = CurlUpload(limitBytes: 50_000)
        var request = stubRequest(server, method: "PUT")
        request.body = .upload(upload, lengthBytes: hasLength ? 3_000_000 : nil)
        let sending = Task { [request] in try await transport.send(request, limitBytes: 100) }
        for round in 0..<30 {
            if round % 7 == 3 { try await Task.sleep(for: .milliseconds(2)) }
            try await upload.write(block)
        }
        upload.finish()
        #expect(try await sending.value.body == Array("ok".utf8))
        let seen = bodies.withLock { $0 }
        #expect(seen.count == 1)
        #expect(seen.first?.body.count == 3_000_000)
        #expect(seen.first?.body.prefix(100_000) == block[...])
        #expect(seen.first?.head.hasPrefix("PUT / ") == true)
        #expect(seen.first?.head.contains("Content-Length: 3000000") == hasLength)
    }

    @Test("writers fail when the request has ended")
    func uploadEnds() async throws {
        let server = try StubServer { connection in
            _ = connection.readBytes(20)
            connection.respond(status: "500 Internal Server Error", "no")
        }
        let upload = CurlUpload(limitBytes: 1000)
        var request = stubRequest(server, method: "POST")
        request.body = .upload(upload, lengthBytes: nil)
        let sending = Task { [request] in try await transport.send(request, limitBytes: 100) }
        await #expect(throws: CurlError.self) {
            while true { try await upload.write([UInt8](repeating: 1, count: 10_000)) }
        }
        _ = await sending.result
    }

    @Test("a raw connection goes both ways, half-closes, and ends with the peer")
    func rawConnection() async throws {
        let server = try StubServer { connection in
            while let bytes = connection.readBytes(1000) { connection.write(bytes) }
            connection.write("bye")
        }
        let connection = try await transport.connect(stubRequest(server).origin, timeout: .seconds(5))
        let sent = (0..<2_000_000).map { UInt8(truncatingIfNeeded: $0 &* 11 >> 2) }
        let writer = Task {
            for start in stride(from: 0, to: sent.count, by: 1000) {
                try await connection.write(Array(sent[start..<(start + 1000)]))
            }
            connection.finishWriting()
        }
        let received = try await connection.incoming.collect(limitBytes: 3_000_000)
        try await writer.value
        #expect(received == sent + Array("bye".utf8))
        await #expect(throws: CurlError.self) { try await connection.write([1]) }
    }

    @Test("a raw connection to nobody fails, one that is closed lets go of both sides")
    func rawConnectionEnds() async throws {
        await expectCurlError(.couldNotConnect) {
            let origin = CurlOrigin(base: "http://localhost", unixSocketPath: "/tmp/no-such-socket")
            return try await transport.connect(origin, timeout: .seconds(5))
        }
        let server = try StubServer { $0.hang() }
        let connection = try await transport.connect(stubRequest(server).origin, timeout: .seconds(5))
        let reader = Task { try await connection.incoming.next() }
        connection.close()
        await expectCurlError(.cancelled) { try await reader.value }
        await #expect(throws: CurlError.self) {
            while true { try await connection.write([UInt8](repeating: 0, count: 1000)) }
        }
    }

    @Test("200 raw connections and requests share one thread without losing a byte")
    func manyAtOnce() async throws {
        let server = try StubServer { connection in
            guard let first = connection.readBytes(1) else { return }
            if first == [71] {
                _ = connection.readRequest()
                connection.respond("answer")
            } else {
                while let bytes = connection.readBytes(1) { connection.write(bytes) }
            }
        }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for index in 0..<200 {
                group.addTask {
                    if index.isMultiple(of: 2) {
                        return try await transport.send(stubRequest(server), limitBytes: 100).body
                            == Array("answer".utf8)
                    }
                    let connection = try await transport.connect(stubRequest(server).origin, timeout: .seconds(5))
                    try await connection.write([0] + [UInt8](repeating: UInt8(index), count: 300))
                    connection.finishWriting()
                    let echo = try await connection.incoming.collect(limitBytes: 1000)
                    return echo == [UInt8](repeating: UInt8(index), count: 300)
                }
            }
            for try await isRight in group { #expect(isRight) }
        }
    }
}
