import Foundation
import SlipwayCore

/// Measures what large arguments and results cost: callables that do next to nothing with them.
struct PayloadBench {
    /// What is carried.
    private struct Load {
        let name: String
        let request: JobRequest
    }

    let engine: Engine
    /// Bytes of an argument or a result.
    let sizeBytes: Int

    /// Runs each kind `count` times, in turns.
    func report(count: Int) async throws -> PayloadReport {
        let text = Self.text(sizeBytes)
        let noise = Self.noise(sizeBytes)
        let loads = [
            Load(name: "nothing", request: Self.call("builtins\nlen", [.bytes([])])),
            Load(name: "argument, text", request: Self.call("builtins\nlen", [.bytes(text)])),
            Load(name: "argument, random", request: Self.call("builtins\nlen", [.bytes(noise)])),
            Load(name: "both ways, text", request: Self.call("builtins\nbytes", [.bytes(text)])),
            Load(name: "both ways, random", request: Self.call("builtins\nbytes", [.bytes(noise)])),
            Load(
                name: "result, one line repeated",
                request: Self.call("operator\nmul", [.bytes(Array("a line of text\n".utf8)), .number(sizeBytes / 15)])),
            // Deflate sees 32 KiB at a time: to it this is random from end to end.
            Load(
                name: "result, 1 MiB of random repeated",
                request: Self.call("operator\nmul", [.bytes(Array(noise.prefix(1 << 20))), .number(sizeBytes >> 20)])),
        ]
        var samples = loads.map { Sample($0.name) }
        for round in 0...count {
            for (place, load) in loads.enumerated() {
                let began = ContinuousClock.now
                let outcome = try await engine.submit(load.request, waitingUpTo: .seconds(120))
                let took = ContinuousClock.now - began
                guard outcome.job.state == .completed else {
                    let reason = outcome.job.error?.message ?? "no reason"
                    throw EngineError(.internalFault, "'\(load.name)' ended as \(outcome.job.state): \(reason)")
                }
                // The first round warms up.
                if round > 0 { samples[place].add(took) }
            }
        }
        return PayloadReport(sizeBytes: sizeBytes, samples: samples)
    }

    private enum Argument {
        case bytes([UInt8])
        case number(Int)
    }

    /// A call in pickle protocol 3: `(function, arguments, {})`.
    private static func call(_ function: String, _ arguments: [Argument]) -> JobRequest {
        var pickle: [UInt8] = [0x80, 3] + Array("c\(function)\n(".utf8)
        for argument in arguments {
            switch argument {
            case .bytes(let bytes):
                pickle.append(UInt8(ascii: "B"))
                pickle += withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { Array($0) }
                pickle += bytes
            case .number(let number):
                pickle.append(UInt8(ascii: "J"))
                pickle += withUnsafeBytes(of: Int32(number).littleEndian) { Array($0) }
            }
        }
        return JobRequest(task: .callable(pickle: pickle + Array("t}\u{87}.".unicodeScalars.map { UInt8($0.value) })))
    }

    /// Lines such as a service logs.
    private static func text(_ size: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(size + 128)
        var generator = SystemRandomNumberGenerator()
        while bytes.count < size {
            let number = UInt32.random(in: 0 ... .max, using: &generator)
            bytes += Array("{\"id\": \(number), \"user\": \"user\(number % 9973)\", \"tags\": [\"a\", \"b\"]}\n".utf8)
        }
        return Array(bytes.prefix(size))
    }

    private static func noise(_ size: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        var bytes: [UInt8] = []
        bytes.reserveCapacity(size + 8)
        while bytes.count < size { withUnsafeBytes(of: generator.next()) { bytes.append(contentsOf: $0) } }
        return Array(bytes.prefix(size))
    }
}

/// What large payloads cost.
struct PayloadReport {
    let sizeBytes: Int
    /// The first is a call without any.
    let samples: [Sample]

    /// The report for people.
    var text: String {
        let title = "payloads of \(sizeBytes >> 20) MiB, ms"
        var text = title.padding(toLength: 34, withPad: " ", startingAt: 0) + "     min      p50   p50 beyond nothing\n"
        for sample in samples {
            text += "  " + sample.name.padding(toLength: 32, withPad: " ", startingAt: 0)
            text += String(format: "%8.1f %8.1f", sample.minimum, sample.median)
            if let nothing = samples.first { text += String(format: " %16.1f\n", sample.median - nothing.median) }
        }
        return text
    }

    /// The report for machines.
    var json: JSONValue {
        .object([
            "size": .integer(Int64(sizeBytes)),
            "payloads": .array(
                samples.map {
                    .object([
                        "name": .string($0.name), "min_ms": .number($0.minimum), "p50_ms": .number($0.median),
                    ])
                }),
        ])
    }
}
