import CShimYAML

/// One event of libyaml's parser, with its place.
struct YAMLEvent {
    enum Kind {
        case streamStart, streamEnd, documentStart, documentEnd
        case alias
        case scalar(String, plain: Bool)
        case sequenceStart, sequenceEnd, mappingStart, mappingEnd
    }

    var kind: Kind
    var line: Int
    var column: Int
    /// Whether the node carries an anchor, such as `&name`.
    var hasAnchor = false
    /// Whether the node carries a tag, such as `!!binary`.
    var hasTag = false
}

/// A fault of syntax that libyaml found.
struct YAMLSyntaxError: Error {
    var line: Int
    var column: Int
    var message: String
}

/// The owner of one libyaml parser and of the bytes it reads.
package struct YAMLEventReader: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let input: UnsafeMutableBufferPointer<UInt8>

    /// The version of the libyaml that is linked, such as `0.2.5`.
    package static var libraryVersion: String { String(cString: yaml_get_version_string()) }

    /// Starts a parser over a copy of the bytes, read as UTF-8 whatever byte order mark they carry.
    init(_ bytes: some Collection<UInt8>) throws(YAMLSyntaxError) {
        let input = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(1, bytes.count))
        _ = input.initialize(from: bytes)
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        parser.initialize(to: yaml_parser_t())
        guard yaml_parser_initialize(parser) == 1 else {
            parser.deallocate()
            input.deallocate()
            throw YAMLSyntaxError(line: 1, column: 1, message: "cannot be parsed: out of memory")
        }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, input.baseAddress, bytes.count)
        self.parser = parser
        self.input = input
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        input.deallocate()
    }

    /// The next event; after the end of the stream, or an error, it must not be called again.
    func next() throws(YAMLSyntaxError) -> YAMLEvent {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw failure() }
        defer { yaml_event_delete(&event) }
        let line = Int(event.start_mark.line) + 1
        let column = Int(event.start_mark.column) + 1
        switch event.type {
        case YAML_STREAM_START_EVENT: return YAMLEvent(kind: .streamStart, line: line, column: column)
        case YAML_STREAM_END_EVENT: return YAMLEvent(kind: .streamEnd, line: line, column: column)
        case YAML_DOCUMENT_START_EVENT: return YAMLEvent(kind: .documentStart, line: line, column: column)
        case YAML_DOCUMENT_END_EVENT: return YAMLEvent(kind: .documentEnd, line: line, column: column)
        case YAML_ALIAS_EVENT: return YAMLEvent(kind: .alias, line: line, column: column)
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            let plain = scalar.style == YAML_PLAIN_SCALAR_STYLE
            return YAMLEvent(
                kind: .scalar(text, plain: plain), line: line, column: column,
                hasAnchor: scalar.anchor != nil, hasTag: scalar.tag != nil)
        case YAML_SEQUENCE_START_EVENT:
            let start = event.data.sequence_start
            return YAMLEvent(
                kind: .sequenceStart, line: line, column: column,
                hasAnchor: start.anchor != nil, hasTag: start.tag != nil)
        case YAML_MAPPING_START_EVENT:
            let start = event.data.mapping_start
            return YAMLEvent(
                kind: .mappingStart, line: line, column: column,
                hasAnchor: start.anchor != nil, hasTag: start.tag != nil)
        case YAML_SEQUENCE_END_EVENT: return YAMLEvent(kind: .sequenceEnd, line: line, column: column)
        case YAML_MAPPING_END_EVENT: return YAMLEvent(kind: .mappingEnd, line: line, column: column)
        default: throw YAMLSyntaxError(line: line, column: column, message: "cannot be parsed as YAML")
        }
    }

    private func failure() -> YAMLSyntaxError {
        let problem = parser.pointee.problem.map { String(cString: $0) } ?? "cannot be parsed as YAML"
        switch parser.pointee.error {
        case YAML_MEMORY_ERROR:
            return YAMLSyntaxError(line: 1, column: 1, message: "cannot be parsed: out of memory")
        case YAML_READER_ERROR:
            // The reader gives a byte offset and no mark.
            let before = input.prefix(Int(parser.pointee.problem_offset))
            let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? before.startIndex
            let line = before.count { $0 == 0x0A } + 1
            let column = String(decoding: before[lineStart...], as: UTF8.self).unicodeScalars.count + 1
            return YAMLSyntaxError(line: line, column: column, message: "\(problem): the file must be UTF-8 text")
        default:
            let mark = parser.pointee.problem_mark
            let context = parser.pointee.context.map { String(cString: $0) }
            var message = problem
            if let context { message += " \(context) that starts on line \(parser.pointee.context_mark.line + 1)" }
            if problem.contains("cannot start any token") {
                message += " (tabs cannot indent; quote values that start with @, `, % or a tab)"
            }
            return YAMLSyntaxError(line: Int(mark.line) + 1, column: Int(mark.column) + 1, message: message)
        }
    }
}
