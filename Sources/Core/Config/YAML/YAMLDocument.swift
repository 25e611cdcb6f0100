/// The one document of a YAML file, parsed within limits.
///
/// Refused, each with its place: anchors and aliases, tags, duplicate keys, keys that are not scalars, more than one
/// document, nesting beyond 32, more than 20,000 nodes, and more than 1 MiB of text.
package struct YAMLDocument: Sendable {
    package static let byteLimit = 1 << 20
    package static let depthLimit = 32
    package static let nodeLimit = 20_000

    /// The root node; nil for an empty file or one that could not be parsed to its end.
    package private(set) var root: YAMLNode?
    /// What was refused while parsing, in the order of the file.
    package private(set) var faults: [ConfigurationFault] = []

    private let origin: YAMLOrigin
    private var nodes = 0

    /// Parses bytes; never throws, since faults are collected.
    package init(parsing bytes: some Collection<UInt8>, origin: YAMLOrigin) {
        self.origin = origin
        guard bytes.count <= Self.byteLimit else {
            fault(1, 1, "", "is larger than \(Quantity.text(bytes: Self.byteLimit)), the most a configuration may have")
            return
        }
        let hasByteOrderMark = bytes.starts(with: [0xEF, 0xBB, 0xBF])
        do {
            let reader = try YAMLEventReader(bytes.dropFirst(hasByteOrderMark ? 3 : 0))
            try readStream(reader)
        } catch {
            root = nil
            fault(error.line, error.column, "", error.message)
        }
    }

    private mutating func fault(_ line: Int, _ column: Int, _ path: String, _ message: String) {
        faults.append(YAMLMark(origin: origin, line: line, column: column).fault(path, message))
    }

    private mutating func readStream(_ reader: borrowing YAMLEventReader) throws(YAMLSyntaxError) {
        _ = try reader.next()
        guard case .documentStart = try reader.next().kind else { return }
        root = try readNode(reader, try reader.next(), path: "", depth: 0)
        _ = try reader.next()
        let after = try reader.next()
        if case .documentStart = after.kind {
            throw YAMLSyntaxError(
                line: after.line, column: after.column, message: "starts a second document; only one is allowed")
        }
    }

    /// Reads the node that an event starts, to its end.
    private mutating func readNode(
        _ reader: borrowing YAMLEventReader, _ event: YAMLEvent, path: String, depth: Int
    ) throws(YAMLSyntaxError) -> YAMLNode {
        nodes += 1
        guard nodes <= Self.nodeLimit else {
            throw YAMLSyntaxError(
                line: event.line, column: event.column, message: "has more than \(Self.nodeLimit) values")
        }
        guard depth <= Self.depthLimit else {
            throw YAMLSyntaxError(
                line: event.line, column: event.column, message: "is nested deeper than \(Self.depthLimit) levels")
        }
        let mark = YAMLMark(origin: origin, line: event.line, column: event.column)
        if event.hasAnchor {
            fault(event.line, event.column, path, "anchors (&name) are not allowed: write the value out")
        }
        if event.hasTag {
            fault(event.line, event.column, path, "tags (!name) are not allowed: write the plain value")
        }
        switch event.kind {
        case .scalar(let text, let plain):
            return YAMLNode(event.hasTag ? .refused : .scalar(text, plain: plain), mark)
        case .sequenceStart:
            let items = try readSequence(reader, path: path, depth: depth)
            return YAMLNode(event.hasTag ? .refused : .sequence(items), mark)
        case .mappingStart:
            let entries = try readMapping(reader, path: path, depth: depth)
            return YAMLNode(event.hasTag ? .refused : .mapping(entries), mark)
        case .alias:
            fault(event.line, event.column, path, "aliases (*name) are not allowed: write the value out")
            return YAMLNode(.refused, mark)
        case .streamStart, .streamEnd, .documentStart, .documentEnd, .sequenceEnd, .mappingEnd:
            throw YAMLSyntaxError(line: event.line, column: event.column, message: "cannot be parsed as YAML")
        }
    }

    private mutating func readSequence(
        _ reader: borrowing YAMLEventReader, path: String, depth: Int
    ) throws(YAMLSyntaxError) -> [YAMLNode] {
        var items: [YAMLNode] = []
        while true {
            let event = try reader.next()
            if case .sequenceEnd = event.kind { return items }
            items.append(try readNode(reader, event, path: "\(path)[\(items.count)]", depth: depth + 1))
        }
    }

    private mutating func readMapping(
        _ reader: borrowing YAMLEventReader, path: String, depth: Int
    ) throws(YAMLSyntaxError) -> [YAMLNode.Entry] {
        var entries: [YAMLNode.Entry] = []
        var firstLines: [String: Int] = [:]
        while true {
            let event = try reader.next()
            if case .mappingEnd = event.kind { return entries }
            let keyNode = try readNode(reader, event, path: path, depth: depth + 1)
            var key: String?
            if case .scalar(let text, _) = keyNode.content { key = text }
            let below = key.map { path.isEmpty ? $0 : "\(path).\($0)" } ?? path
            let value = try readNode(reader, try reader.next(), path: below, depth: depth + 1)
            guard let key else {
                if case .refused = keyNode.content { continue }
                fault(event.line, event.column, path, "a key must be a name, not \(keyNode.kind)")
                continue
            }
            if let first = firstLines[key] {
                fault(event.line, event.column, below, "is given twice; the first is on line \(first)")
                continue
            }
            firstLines[key] = event.line
            entries.append(YAMLNode.Entry(key: key, keyMark: keyNode.mark, value: value))
        }
    }
}
