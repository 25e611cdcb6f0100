/// A part of the configuration that is one mapping in the file.
package protocol ConfigurationSection: Sendable {
    /// The keys, in the order of the file: they drive reading, `config show`, the shipped file and the reference.
    @FieldList<Self> static var fields: [ConfigurationField<Self>] { get }

    /// What does not fit together; asked when every single value is right.
    func check() -> [ConfigurationConflict]
}

/// Values of a section that are right by themselves and wrong together.
package struct ConfigurationConflict: Sendable, Hashable {
    /// The path, from the section on, of the key to change.
    var key: String
    /// The keys it does not fit to: where the first is not written anywhere, the fault stands at one of these.
    var others: [String]
    var message: String

    init(_ key: String, with others: String..., message: String) {
        (self.key, self.others, self.message) = (key, others, message)
    }
}

/// A key with everything that documents it, without the type of its section.
package struct ConfigurationKey: Sendable {
    package enum Shape: Sendable {
        case value(form: String, limits: String, null: String?, isList: Bool)
        case section
        case list
    }

    package var path: [String]
    package var about: String
    package var tune: String
    package var fallbackVariable: String?
    package var isRequired: Bool
    package var shape: Shape
    /// The keys of a section, or of each item of a list of mappings.
    package var children: [ConfigurationKey]

    /// The last part of the path.
    package var name: String { path.last ?? "" }

    /// The environment variable that overrides the key.
    package var variable: String { "SLIPWAY_" + path.joined(separator: "_").uppercased() }

    /// The key itself, or for a section the values in it, however deep.
    package var leaves: [ConfigurationKey] {
        guard case .section = shape else { return [self] }
        return children.flatMap(\.leaves)
    }

    fileprivate func below(_ parent: String) -> ConfigurationKey {
        var key = self
        key.path.insert(parent, at: 0)
        if case .section = shape { key.children = children.map { $0.below(parent) } }
        return key
    }
}

extension ConfigurationSection {
    /// A key of this section.
    typealias Field = ConfigurationField<Self>

    package func check() -> [ConfigurationConflict] { [] }

    /// The keys with their paths from this section on; those of list items start at the item.
    package static var keys: [ConfigurationKey] {
        fields.map { field in
            var key = ConfigurationKey(
                path: [field.key], about: field.about, tune: field.tune, fallbackVariable: field.fallbackVariable,
                isRequired: field.isRequired, shape: .section, children: [])
            switch field.shape {
            case .value(let form, let limits, let null, let isList):
                key.shape = .value(form: form, limits: limits, null: null, isList: isList)
            case .section(let keys):
                key.children = keys().map { $0.below(field.key) }
            case .list(let keys):
                key.shape = .list
                key.children = keys()
            }
            return key
        }
    }

    /// Reads the keys that a mapping gives over the values that stand here.
    mutating func read(_ node: YAMLNode, _ path: String, _ decoding: inout ConfigurationDecoding) {
        if node.isNull { return }
        guard case .mapping(let entries) = node.content else {
            return decoding.fault(node, path, "needs a mapping of keys, not \(node.kind)")
        }
        let prefix = path.isEmpty ? "" : path + "."
        let faultsBefore = decoding.faults.count
        let fields = Self.fields
        for field in fields {
            if let entry = entries.first(where: { $0.key == field.key }) {
                field.read(entry.value, prefix + field.key, &self, &decoding)
            } else if field.isRequired {
                decoding.fault(node, prefix + field.key, "is missing")
            }
        }
        let names = fields.map(\.key)
        for entry in entries where !names.contains(entry.key) {
            let name = entry.key.utf8.count <= 60 ? entry.key : String(entry.key.prefix(60)) + "..."
            let hint =
                nearest(entry.key, in: names).map { "did you mean \($0)?" }
                ?? "known here: " + names.joined(separator: ", ")
            decoding.fault(at: entry.keyMark, prefix + name, "unknown key; \(hint)")
        }
        guard decoding.faults.count == faultsBefore else { return }
        for conflict in check() {
            let marks = ([conflict.key] + conflict.others).compactMap { decoding.marks[prefix + $0] }
            decoding.fault(at: marks.first ?? node.mark, prefix + conflict.key, conflict.message)
        }
    }

    /// The values that stand here, as one mapping.
    package func write() -> ConfigurationValue {
        .mapping(Self.fields.map { ConfigurationValue.Entry(key: $0.key, value: $0.write(self)) })
    }
}
