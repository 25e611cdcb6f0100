/// One key of a section: how it is read, shown and documented.
///
/// Its default is the initial value of the property, and stands nowhere else.
package struct ConfigurationField<Section>: Sendable {
    let key: String
    /// What the key means, in plain words.
    let about: String
    /// When to change it.
    let tune: String
    /// The environment variable that gives the value where the file leaves it out or writes `null`.
    let fallbackVariable: String?
    let isRequired: Bool
    let shape: Shape
    let read: @Sendable (YAMLNode, String, inout Section, inout ConfigurationDecoding) -> Void
    let write: @Sendable (Section) -> ConfigurationValue

    enum Shape: Sendable {
        /// A value that one line holds.
        case value(form: String, limits: String, null: String?, isList: Bool)
        /// A mapping of further keys.
        case section(@Sendable () -> [ConfigurationKey])
        /// A list of mappings.
        case list(@Sendable () -> [ConfigurationKey])
    }

    /// A key with a single value, or a list or mapping of plain values.
    static func value<Value: Sendable>(
        _ key: String, _ property: any WritableKeyPath<Section, Value> & Sendable, _ type: FieldType<Value>,
        _ about: String, tune: String, fallback: String? = nil, required: Bool = false
    ) -> Self {
        Self(
            key: key, about: about, tune: tune, fallbackVariable: fallback, isRequired: required,
            shape: .value(form: type.form, limits: type.limits, null: type.null, isList: type.isList),
            read: { node, path, section, decoding in
                if node.isNull, type.null == nil {
                    // With a fallback, null asks for it, and where the variable is not set either, for the default.
                    if fallback != nil { return }
                    return decoding.fault(node, path, "needs \(type.form); leave the key out for the default")
                }
                guard let value = type.read(node, path, &decoding) else { return }
                section[keyPath: property] = value
                decoding.note(path, node.mark)
            },
            write: { type.write($0[keyPath: property]) })
    }

    /// A key with further keys below it.
    static func section<Value: ConfigurationSection>(
        _ key: String, _ property: any WritableKeyPath<Section, Value> & Sendable, _ about: String
    ) -> Self {
        Self(
            key: key, about: about, tune: "", fallbackVariable: nil, isRequired: false,
            shape: .section { Value.keys },
            read: { node, path, section, decoding in
                section[keyPath: property].read(node, path, &decoding)
            },
            write: { $0[keyPath: property].write() })
    }

    /// A key with a list of mappings, each of which starts from the value that `new` makes.
    static func list<Value: ConfigurationSection>(
        _ key: String, _ property: any WritableKeyPath<Section, [Value]> & Sendable, max: Int,
        new: @escaping @Sendable (Section) -> Value, _ about: String, tune: String
    ) -> Self {
        Self(
            key: key, about: about, tune: tune, fallbackVariable: nil, isRequired: false,
            shape: .list { Value.keys },
            read: { node, path, section, decoding in
                guard case .sequence(let items) = node.content else {
                    return decoding.fault(node, path, "needs a list, not \(node.kind); [] for none")
                }
                guard items.count <= max else {
                    return decoding.fault(node, path, "has \(items.count) items; at most \(max) are allowed")
                }
                section[keyPath: property] = items.enumerated().map { index, item in
                    var value = new(section)
                    if item.isNull { decoding.fault(item, "\(path)[\(index)]", "needs a mapping of keys") }
                    value.read(item, "\(path)[\(index)]", &decoding)
                    return value
                }
                decoding.note(path, node.mark)
            },
            write: { .list($0[keyPath: property].map { $0.write() }) })
    }

    /// The same key as a key of a section that holds this one's section in a property.
    func lifted<Outer>(_ property: any WritableKeyPath<Outer, Section> & Sendable) -> ConfigurationField<Outer> {
        let (read, write) = (read, write)
        let shape: ConfigurationField<Outer>.Shape =
            switch shape {
            case .value(let form, let limits, let null, let isList):
                .value(form: form, limits: limits, null: null, isList: isList)
            case .section(let keys): .section(keys)
            case .list(let keys): .list(keys)
            }
        return ConfigurationField<Outer>(
            key: key, about: about, tune: tune, fallbackVariable: fallbackVariable, isRequired: isRequired,
            shape: shape,
            read: { node, path, outer, decoding in read(node, path, &outer[keyPath: property], &decoding) },
            write: { write($0[keyPath: property]) })
    }
}

/// Collects the fields of a section; each line is type-checked by itself, which keeps builds fast.
@resultBuilder
package enum FieldList<Section> {
    package static func buildExpression(_ field: ConfigurationField<Section>) -> [ConfigurationField<Section>] {
        [field]
    }

    package static func buildExpression(_ fields: [ConfigurationField<Section>]) -> [ConfigurationField<Section>] {
        fields
    }

    package static func buildBlock(_ fields: [ConfigurationField<Section>]...) -> [ConfigurationField<Section>] {
        fields.flatMap { $0 }
    }
}
