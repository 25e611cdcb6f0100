/// Where a value of the configuration was written.
package enum YAMLOrigin: Sendable, Hashable {
    /// A file, by the name it was given to the loader.
    case file(String)
    /// An environment variable, by its name.
    case environment(String)
}

/// The place of a node: its origin, and the line and column in it, both counted from 1.
package struct YAMLMark: Sendable, Hashable {
    package var origin: YAMLOrigin
    package var line: Int
    package var column: Int

    package init(origin: YAMLOrigin, line: Int = 1, column: Int = 1) {
        self.origin = origin
        self.line = line
        self.column = column
    }

    /// The fault that stands at this place.
    package func fault(_ path: String, _ message: String) -> ConfigurationFault {
        switch origin {
        case .file(let name):
            ConfigurationFault(file: name, line: line, column: column, path: path, message: message)
        case .environment(let name):
            ConfigurationFault(file: "$" + name, path: path, message: message)
        }
    }
}

/// One node of a YAML document: a scalar, a sequence or a mapping, with its place.
package struct YAMLNode: Sendable {
    /// One key of a mapping with its value.
    package struct Entry: Sendable {
        package var key: String
        package var keyMark: YAMLMark
        package var value: YAMLNode
    }

    package enum Content: Sendable {
        /// A scalar; `plain` is false when it was quoted or a block, which makes `null` a word.
        case scalar(String, plain: Bool)
        case sequence([YAMLNode])
        /// The entries in the order of the file, each key once.
        case mapping([Entry])
        /// Something refused while parsing and reported there: decoding stays silent about it.
        case refused
    }

    package var content: Content
    package var mark: YAMLMark

    package init(_ content: Content, _ mark: YAMLMark) {
        self.content = content
        self.mark = mark
    }

    /// Whether the node stands for no value: empty, `~` or `null`, unquoted.
    package var isNull: Bool {
        guard case .scalar(let text, plain: true) = content else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    /// What the node is, in words for a message.
    package var kind: String {
        switch content {
        case .scalar: isNull ? "nothing" : "a single value"
        case .sequence: "a list"
        case .mapping: "a mapping"
        case .refused: "something refused"
        }
    }

    /// The node at a path of keys below this one; nil where there is none.
    package func find(_ path: ArraySlice<String>) -> YAMLNode? {
        guard let key = path.first else { return self }
        guard case .mapping(let entries) = content else { return nil }
        return entries.first { $0.key == key }?.value.find(path.dropFirst())
    }

    /// Puts a node at a path of keys, making the mappings on the way.
    ///
    /// A scalar or list that stands in the way stays, so that decoding reports it.
    package mutating func set(_ path: ArraySlice<String>, to node: YAMLNode) {
        guard let key = path.first else {
            self = node
            return
        }
        if isNull { content = .mapping([]) }
        guard case .mapping(var entries) = content else { return }
        if let index = entries.firstIndex(where: { $0.key == key }) {
            entries[index].value.set(path.dropFirst(), to: node)
        } else {
            var child = YAMLNode(.mapping([]), node.mark)
            child.set(path.dropFirst(), to: node)
            entries.append(Entry(key: key, keyMark: node.mark, value: child))
        }
        content = .mapping(entries)
    }
}
