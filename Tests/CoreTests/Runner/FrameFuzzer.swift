import Foundation
import SlipwayCore
import TestSupport

/// Makes frames of a supervisor, and harms them; the same ones for the same seed.
struct FrameFuzzer {
    /// What was made, and what may become of it.
    struct Sample {
        var bytes: [UInt8]
        /// The value of the header where it is still one; otherwise nobody knows what its text says.
        var header: JSONValue?
        var kind: UInt8
    }

    static let kinds: [UInt8] = [0x81, 0x82, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8B, 0x8C]
    private static let names = [
        "job", "attempt", "nonce", "stream", "offset", "skipped", "seq", "outcome", "size", "encoding", "inflated",
        "error", "usage", "exit_code", "signal", "run", "slot", "swept", "code", "message", "unstarted", "begun",
        "protocol",
        "sandbox", "python", "degraded", "running", "results", "queued", "slots", "key", "preload", "uptime", "busy",
        "load", "processors", "kept",
        "index", "name", "last", "files", "cut", "skipped_count",
    ]
    var random: SimulationRandom

    init(seed: UInt64) { random = SimulationRandom(seed: seed) }

    /// A frame that the protocol allows.
    mutating func valid() -> Sample {
        let kind = random.pick(Self.kinds)
        let header = JSONValue.object(members(of: kind))
        let limit = FrameShape.bodyLimit(of: kind) ?? 0
        let body = [UInt8](repeating: 0x20, count: limit > 0 ? random.below(200) : 0)
        return Sample(bytes: Self.pack(kind, header.serialized(), body), header: header, kind: kind)
    }

    /// A frame that may come at any time of a connection, which HELLO may not.
    mutating func validButHello() -> Sample {
        while true {
            let sample = valid()
            if sample.kind != 0x81 { return sample }
        }
    }

    /// A frame with one to three things changed, or with damaged bytes.
    mutating func mutated() -> Sample {
        var sample = valid()
        let way = random.below(10)
        if way < 5, case .object(var members)? = sample.header {
            for _ in 0...random.below(3) { change(&members) }
            sample.header = .object(members)
            let body = Array(sample.bytes.suffix(Self.bodyLength(sample.bytes)))
            sample.bytes = Self.pack(sample.kind, JSONValue.object(members).serialized(), body)
            return sample
        }
        sample.header = nil
        switch way {
        case 5: sample.bytes[random.below(Frame.prefixBytes)] = UInt8(random.below(256))
        case 6: lie(&sample.bytes)
        case 7:
            for _ in 0...random.below(4) {
                let place = Frame.prefixBytes + random.below(sample.bytes.count - Frame.prefixBytes)
                sample.bytes[place] ^= 1 << UInt8(random.below(8))
            }
        case 8:
            let place = Frame.prefixBytes + random.below(sample.bytes.count - Frame.prefixBytes)
            let inserts = ["\0", "\"", "}", "NaN", "1e999", "\\ud800", String(repeating: "[", count: 2000)]
            sample.bytes.insert(contentsOf: Array(random.pick(inserts).utf8), at: place)
        default: sample.bytes = Self.pack(sample.kind, Array(strangeText().utf8), [])
        }
        return sample
    }

    /// The bytes of a frame.
    static func pack(_ kind: UInt8, _ header: [UInt8], _ body: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = [1, kind, 0, 0]
        for length in [header.count, body.count] {
            for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: length >> shift)) }
        }
        return bytes + header + body
    }

    /// The length of the body that a prefix tells.
    static func bodyLength(_ bytes: [UInt8]) -> Int { number(bytes, 8) }

    /// Four bytes as a number.
    static func number(_ bytes: [UInt8], _ place: Int) -> Int {
        bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
    }

    private mutating func lie(_ bytes: inout [UInt8]) {
        let place = random.chance(50) ? 4 : 8
        let length = random.pick([0, 1, 2, 99, 65_536, 65_537, 1 << 20, (1 << 20) + 1, 1 << 31, 0xFFFF_FFFF])
        for (index, shift) in [24, 16, 8, 0].enumerated() {
            bytes[place + index] = UInt8(truncatingIfNeeded: length >> shift)
        }
    }

    private mutating func strangeText() -> String {
        random.pick([
            "[]", "3", "\"x\"", "null", "{}{}", "{", "{}", "{\"a\":1,\"a\":2}", "{\"a\":NaN}", "\u{FEFF}{}", "{'a':1}",
            String(repeating: "[", count: 30_000), String(repeating: "{\"a\":", count: 9000),
            "{\"attempt\":" + String(repeating: "9", count: 6000) + "}", "{\"a\":\"\\ud800\"}", "{\"a\":01}",
        ])
    }

    private mutating func change(_ members: inout [String: JSONValue]) {
        let present = members.keys.sorted()
        switch random.below(6) {
        case 0 where !present.isEmpty: members[random.pick(present)] = nil
        case 1: members[random.pick(Self.names)] = oddValue()
        default: members[random.pick(present.isEmpty ? Self.names : present)] = oddValue()
        }
    }

    private mutating func oddValue() -> JSONValue {
        switch random.below(12) {
        case 0: .null
        case 1: .bool(random.chance(50))
        case 2: .integer(random.pick([0, 1, -1, 2, 255, 256, -255, -256, 1023, 1024, 1025, 1_000_000, 1_000_001]))
        case 3: .integer(random.pick([1 << 40, (1 << 40) + 1, 1_000_000_001, .max, .min]))
        case 4: .number(random.pick([0.5, -0.5, 1e300, -1e300, -0.0, 1.0]))
        case 5: .string(random.pick(["", "x", "stdout", "all", "zlib", "gzip", "ok", "OK", "\u{0}", "\u{1F600}"]))
        case 6: .string(String(repeating: "x", count: random.pick([127, 128, 129, 4096])))
        case 7: .string(random.pick([nonce(), nonce().uppercased(), nonce() + "0", String(nonce().dropLast())]))
        case 8: .array([])
        case 9: .array([random.pick([.null, .integer(1), .string("x"), .object([:]), .object(task()), .array([])])])
        case 10: .object([:])
        default: .object(["errors": .array([.integer(1)]), "cpu_seconds": -1, "type": 3, "state": .bool(true)])
        }
    }

    private mutating func nonce() -> String {
        let digits = Array("0123456789abcdef")
        return String((0..<32).map { _ in random.pick(digits) })
    }

    private mutating func task() -> [String: JSONValue] {
        [
            "job": .string("job_\(random.below(1 << 40))"), "attempt": .integer(Int64(1 + random.below(20))),
            "nonce": .string(nonce()),
        ]
    }

    private mutating func tasks() -> JSONValue { .array((0..<random.below(3)).map { _ in .object(task()) }) }

    private mutating func members(of kind: UInt8) -> [String: JSONValue] {
        let more: [String: JSONValue]
        switch kind {
        case 0x81:
            return [
                "protocol": 1, "sandbox": "sbx_1", "pid": 1, "python": "3.11.2", "abi": "cpython-311", "libc": "glibc",
                "degraded": [], "cgroup": "v2", "processors": "0-3,8", "running": tasks(),
                "kept": random.chance(50) ? .null : "1", "configured": random.chance(50) ? .null : "k",
                "results": tasks(), "queued": tasks(), "slots": [["slot": 0, "state": "idle"]],
            ]
        case 0x82:
            return [
                "key": "k", "cloudpickle": random.chance(50) ? .null : "3.0", "zygote_seconds": 0.2,
                "preload": ["seconds": 0.1, "errors": [["module": "x", "message": "No module named 'x'"]]],
            ]
        case 0x84:
            more = [
                "stream": random.chance(50) ? "stdout" : "stderr", "offset": .integer(Int64(random.below(1 << 40))),
            ]
        case 0x85: more = ["seq": .integer(Int64(1 + random.below(1000)))]
        case 0x86:
            more = [
                "offset": .integer(Int64(random.below(1 << 30))),
                "size": random.chance(50) ? .null : .integer(Int64(random.below(1 << 30))),
            ]
        case 0x87:
            more = [
                "outcome": random.pick(["ok", "exception", "exit", "timeout", "oom"]), "media": "json",
                "encoding": random.chance(50) ? "identity" : "zlib", "size": 12, "inflated": 12,
                "error": random.chance(50)
                    ? .null : ["type": "ValueError", "message": "\u{E9}", "traceback": "line 1\n"],
                "exit_code": random.chance(50) ? .null : -9, "signal": random.chance(50) ? .null : 9, "run": 0.25,
                "usage": ["cpu_seconds": 0.1, "max_rss": 12_345], "events_dropped": 0,
            ]
        case 0x88: more = ["slot": 0, "usage": ["cpu_seconds": 0.1, "max_rss": 1], "swept": 0, "seconds": 0.01]
        case 0x8B:
            let isFirst = random.chance(50)
            more = [
                "index": 1, "offset": .integer(isFirst ? 0 : 4096), "name": isFirst ? "a/b.txt" : .null,
                "last": .bool(random.chance(50)),
            ]
        case 0x8C:
            more = ["files": 1, "skipped": [["name": "x", "reason": "a link"]], "skipped_count": 1, "cut": false]
        case 0x89: return ["uptime": 1.5, "busy": 0, "load": 0.5]
        default: return ["code": "dirty", "message": "left", "unstarted": tasks(), "begun": tasks()]
        }
        return task().merging(more) { $1 }
    }
}
