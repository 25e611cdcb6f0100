/// What one reading of a configuration gathers: faults, and where each value came from.
package struct ConfigurationDecoding {
    /// The most faults that are kept: beyond that a file is not a configuration.
    static let faultLimit = 200

    /// Everything found wrong so far.
    private(set) var faults: [ConfigurationFault] = []
    /// The place of each value that was read, by its dotted path.
    private(set) var marks: [String: YAMLMark] = [:]

    /// Records a fault at a node, except at one that was refused, and so reported, while parsing.
    mutating func fault(_ node: YAMLNode, _ path: String, _ message: String) {
        if case .refused = node.content { return }
        fault(at: node.mark, path, message)
    }

    /// Records a fault at a place.
    mutating func fault(at mark: YAMLMark, _ path: String, _ message: String) {
        guard faults.count < Self.faultLimit else { return }
        faults.append(mark.fault(path, message))
    }

    /// Records that the value at a path was read from a place.
    mutating func note(_ path: String, _ mark: YAMLMark) {
        marks[path] = mark
    }
}

/// A text from a configuration as it may stand in a message: short, on one line, without credentials.
func shown(_ text: String) -> String {
    let redacted = ConfigurationValue.redact(text)
    let quoted = ConfigurationValue.quoted(String(redacted.prefix(60)))
    return redacted.count > 60 ? quoted + "..." : quoted
}

/// The candidate that a mistyped word most likely meant; nil when none is near.
func nearest(_ word: String, in candidates: some Sequence<String>, atMost limit: Int = .max) -> String? {
    guard word.count <= 64 else { return nil }
    let plain = word.lowercased().replacing("-", with: "_")
    var best: (distance: Int, candidate: String)?
    for candidate in candidates {
        let distance = editDistance(Array(plain.utf8), Array(candidate.lowercased().utf8))
        guard distance <= min(limit, max(1, min(word.count, candidate.count) / 3)) else { continue }
        if distance < best?.distance ?? .max { best = (distance, candidate) }
    }
    return best?.candidate
}

/// The number of insertions, deletions, replacements and swaps of neighbours that lead from one word to another.
private func editDistance(_ from: [UInt8], _ to: [UInt8]) -> Int {
    guard !from.isEmpty, !to.isEmpty else { return max(from.count, to.count) }
    var beforeLast = [Int](repeating: 0, count: to.count + 1)
    var last = Array(0...to.count)
    for i in 1...from.count {
        var row = [i]
        for j in 1...to.count {
            var cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1))
            if i > 1, j > 1, from[i - 1] == to[j - 2], from[i - 2] == to[j - 1] {
                cost = min(cost, beforeLast[j - 2] + 1)
            }
            row.append(cost)
        }
        beforeLast = last
        last = row
    }
    return last[to.count]
}
