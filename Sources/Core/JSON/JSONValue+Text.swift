extension JSONValue {
    /// The value as compact JSON text, the members of objects sorted by name.
    ///
    /// Numbers that JSON cannot hold (infinite, not a number) become `null`.
    public func serialized() -> [UInt8] {
        var writer = JSONWriter()
        writer.value(self)
        return writer.bytes
    }

    /// Parses JSON text.
    ///
    /// - Throws: ``EngineError`` with the offset of the first fault. Besides bad grammar these are refused: duplicate
    ///   names, bytes that are not UTF-8, lone surrogates, more than 512 nested levels, numbers beyond a `Double`.
    public init(parsing bytes: [UInt8]) throws { try self.init(parsing: bytes, depth: 512) }

    /// Parses JSON text with this many nested levels at most.
    package init(parsing bytes: [UInt8], depth: Int) throws {
        do throws(JSONParseError) {
            let document = try JSONDocument(parsing: bytes, limits: .init(depth: depth))
            self = try document.root.value()
        } catch {
            throw error.engineError
        }
    }

    /// The value of a member of an object; nil when there is none.
    public subscript(_ name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members[name]
    }

    /// The text, when the value is a string.
    public var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }
}

extension JSONNode {
    /// The value as a tree.
    package func value() throws(JSONParseError) -> JSONValue {
        switch kind {
        case .null: return .null
        case .true: return .bool(true)
        case .false: return .bool(false)
        case .string: return .string(string ?? "")
        case .number:
            if let integer { return .integer(Int64(integer)) }
            guard let double else {
                throw JSONParseError(.numberOutOfRange, at: range.lowerBound, "The number is too large")
            }
            return .number(double)
        case .array:
            var values: [JSONValue] = []
            for element in elements { values.append(try element.value()) }
            return .array(values)
        case .object:
            var values: [String: JSONValue] = [:]
            for member in members {
                // Names that differ only in their Unicode normalisation are one key of a Swift dictionary.
                guard values.updateValue(try member.value.value(), forKey: member.name) == nil else {
                    throw JSONParseError(
                        .duplicateKey, at: member.key.range.lowerBound,
                        "The member '\(member.name)' stands twice in one object")
                }
            }
            return .object(values)
        }
    }
}
