/// The type of a configuration value: how it is written, its limits, and how it is read and shown.
package struct FieldType<Value: Sendable>: Sendable {
    /// The form in words for messages and documents, such as `a duration`.
    var form: String
    /// The limits in words, such as `100ms to 24h`; empty where there are none.
    var limits: String
    /// What `null` stands for; nil where it is refused.
    var null: String?
    var isList = false
    var read: @Sendable (YAMLNode, String, inout ConfigurationDecoding) -> Value?
    var write: @Sendable (Value) -> ConfigurationValue

    /// A type whose values are single words that `parse` reads; it throws what is wrong as a message.
    static func scalar(
        _ form: String, limits: String, parse: @escaping @Sendable (String) throws(FieldFault) -> Value,
        write: @escaping @Sendable (Value) -> ConfigurationValue
    ) -> FieldType {
        FieldType(
            form: form, limits: limits,
            read: { node, path, decoding in
                guard case .scalar(let text, _) = node.content, !node.isNull else {
                    decoding.fault(node, path, "needs \(form), not \(node.kind)")
                    return nil
                }
                do throws(FieldFault) {
                    return try parse(text)
                } catch {
                    decoding.fault(node, path, error.message)
                    return nil
                }
            }, write: write)
    }

    /// A type whose values have an order and bounds.
    static func bounded(
        _ form: String, _ bounds: ClosedRange<Value>, parse: @escaping @Sendable (String) -> Value?,
        hint: String, text: @escaping @Sendable (Value) -> String,
        write: @escaping @Sendable (Value) -> ConfigurationValue
    ) -> FieldType where Value: Comparable {
        let limits = "\(text(bounds.lowerBound)) to \(text(bounds.upperBound))"
        return scalar(
            form, limits: limits,
            parse: { word throws(FieldFault) in
                guard let value = parse(word) else { throw FieldFault("needs \(form)\(hint), not \(shown(word))") }
                guard bounds.contains(value) else {
                    throw FieldFault("must be from \(limits), not \(shown(word))")
                }
                return value
            }, write: write)
    }

    /// A type that also takes `null`.
    static func optional<Wrapped: Sendable>(_ wrapped: FieldType<Wrapped>, null: String) -> FieldType
    where Value == Wrapped? {
        FieldType(
            form: wrapped.form, limits: wrapped.limits, null: null, isList: wrapped.isList,
            read: { node, path, decoding in
                node.isNull ? .some(nil) : wrapped.read(node, path, &decoding).map { .some($0) }
            },
            write: { $0.map(wrapped.write) ?? .null })
    }

    /// A list of values of one type.
    static func list<Item: Sendable>(_ item: FieldType<Item>, max: Int) -> FieldType where Value == [Item] {
        let limits = "at most \(max) items" + (item.limits.isEmpty ? "" : ", each \(item.limits)")
        return FieldType(
            form: "a list; each item is \(item.form)", limits: limits, isList: true,
            read: { node, path, decoding in
                guard case .sequence(let nodes) = node.content else {
                    decoding.fault(node, path, "needs a list, not \(node.kind); [] for none")
                    return nil
                }
                guard nodes.count <= max else {
                    decoding.fault(node, path, "has \(nodes.count) items; at most \(max) are allowed")
                    return nil
                }
                let items = nodes.enumerated().map { item.read($1, "\(path)[\($0)]", &decoding) }
                return items.contains { $0 == nil } ? nil : items.compactMap { $0 }
            },
            write: { .list($0.map(item.write)) })
    }
}

/// Why a single word is not a value of its type.
struct FieldFault: Error {
    var message: String

    init(_ message: String) {
        self.message = message
    }
}
