import SlipwayCore

/// Bytes for payload tests.
enum PayloadSamples {
    /// Bytes that do not compress; the same for the same seed.
    static func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            for index in 0..<count {
                state ^= state << 13
                state ^= state >> 7
                state ^= state << 17
                buffer[index] = UInt8(truncatingIfNeeded: state >> 32)
            }
            filled = count
        }
    }

    /// Text that compresses well.
    static func prose(_ count: Int) -> [UInt8] {
        let line = Array("def main(x, y=1):\n    return x * y  # and so on\n".utf8)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + line.count)
        while bytes.count < count { bytes.append(contentsOf: line) }
        return Array(bytes.prefix(count))
    }

    /// A zlib stream of the bytes.
    static func zlib(_ plain: [UInt8]) throws -> [UInt8] {
        try PayloadCodec.decodeBase64(PayloadCodec.pack(plain).text)
    }
}

/// The one fault code of an error, or its code where it has no fault.
func faultCode(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch let error as EngineError {
        return error.faults.first?.code ?? error.code.rawValue
    } catch {
        return "\(error)"
    }
}
