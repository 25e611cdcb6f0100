extension Configuration {
    /// The effective configuration as YAML that reads back as the same configuration.
    ///
    /// Credentials and queries in addresses are replaced by `REDACTED`; of secrets, only the place they are read from
    /// is part of the configuration. With `sources`, each value that does not stand at its default carries a comment
    /// that says where it came from: `file:line`, or the environment variable.
    public func render(sources: Bool = false) -> String {
        var lines: [String] = []
        for key in Self.keys {
            guard let value = value(at: [key.name]) else { continue }
            append(key, value.redacted, indent: "", sources: sources, to: &lines)
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The effective configuration as one JSON object, redacted like `render`.
    ///
    /// With `sources`, an object with the two keys `config` and `sources`; the latter maps the dotted path of each
    /// single value to `default`, `file:line` or the environment variable's name.
    public func renderJSON(sources: Bool = false) -> String {
        let config = write().redacted
        guard sources else { return config.inline(json: true) }
        let places = Self.keys.flatMap(\.leaves).map { leaf in
            let path = leaf.path.joined(separator: ".")
            return ConfigurationValue.Entry(key: path, value: .text(source(of: path)))
        }
        let both: ConfigurationValue = .mapping([
            .init(key: "config", value: config), .init(key: "sources", value: .mapping(places)),
        ])
        return both.inline(json: true)
    }

    /// Where the value at a dotted path came from: `default`, `file:line`, or the name of an environment variable.
    public func source(of path: String) -> String {
        guard let mark = marks[path] else { return "default" }
        switch mark.origin {
        case .file(let name): return "\(name):\(mark.line)"
        case .environment(let name): return "$" + name
        }
    }

    /// The dotted paths of all values that differ between two configurations, in the order of the file.
    public func differences(from other: Configuration) -> [String] {
        Self.keys.flatMap(\.leaves).map(\.path).filter { value(at: $0) != other.value(at: $0) }
            .map { $0.joined(separator: ".") }
    }

    /// The value at a path of keys; nil where there is no such key.
    package func value(at path: [String]) -> ConfigurationValue? {
        var value = write()
        for key in path {
            guard case .mapping(let entries) = value, let entry = entries.first(where: { $0.key == key }) else {
                return nil
            }
            value = entry.value
        }
        return value
    }

    private func append(
        _ key: ConfigurationKey, _ value: ConfigurationValue, indent: String, sources: Bool, to lines: inout [String]
    ) {
        let path = key.path.joined(separator: ".")
        let comment = sources && marks[path] != nil ? "  # " + source(of: path) : ""
        switch (key.shape, value) {
        case (.section, .mapping(let entries)):
            lines.append("\(indent)\(key.name):")
            for (child, entry) in zip(key.children, entries) {
                append(child, entry.value, indent: indent + "  ", sources: sources, to: &lines)
            }
        case (.list, .list(let items)) where !items.isEmpty:
            lines.append("\(indent)\(key.name):\(comment)")
            for item in items { lines.append("\(indent)  - \(item.inline(json: false))") }
        default:
            lines.append("\(indent)\(key.name): \(value.inline(json: false))\(comment)")
        }
    }
}

extension Configuration: Equatable {
    /// Whether two configurations set everything alike, wherever the values came from.
    public static func == (left: Configuration, right: Configuration) -> Bool {
        left.write() == right.write()
    }
}
