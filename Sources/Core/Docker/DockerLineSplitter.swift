/// Cuts a byte stream into lines, however it was chunked.
struct DockerLineSplitter {
    private var partial: [UInt8] = []
    private let limitBytes: Int

    /// Makes a splitter that refuses lines above `limitBytes`.
    init(limitBytes: Int = 1024 * 1024) {
        self.limitBytes = limitBytes
    }

    /// The lines that the bytes complete, without line ends; empty ones are left out.
    mutating func feed(_ bytes: [UInt8]) throws -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var rest = bytes[...]
        while let end = rest.firstIndex(of: 10) {
            let line = partial + rest[..<end]
            partial = []
            rest = rest[(end + 1)...]
            guard line.count <= limitBytes else { throw tooLong }
            let trimmed = line.last == 13 ? Array(line.dropLast()) : line
            if !trimmed.isEmpty { lines.append(trimmed) }
        }
        partial += rest
        guard partial.count <= limitBytes else { throw tooLong }
        return lines
    }

    /// What follows the last line end; nil when there is nothing.
    mutating func finish() -> [UInt8]? {
        defer { partial = [] }
        return partial.isEmpty ? nil : partial
    }

    private var tooLong: DockerMalformedAnswer {
        DockerMalformedAnswer(description: "a line exceeds \(limitBytes) bytes")
    }
}
