extension FieldType where Value == Int {
    /// A whole number in decimal digits.
    static func integer(_ bounds: ClosedRange<Int>) -> FieldType {
        bounded(
            "a whole number", bounds,
            parse: { text in
                let digits = text.hasPrefix("-") ? text.dropFirst() : Substring(text)
                guard digits.first != "0" || digits == "0", digits.first?.isASCII == true, digits.first != "+" else {
                    return nil
                }
                return Int(text)
            },
            hint: "", text: { "\($0)" }, write: { .integer($0) })
    }

    /// A size in bytes, with or without a unit of 1,024.
    static func size(_ bounds: ClosedRange<Int>) -> FieldType {
        bounded(
            "a size", bounds, parse: { Quantity.bytes($0) }, hint: " such as 512m, 2g or a number of bytes",
            text: { Quantity.text(bytes: $0) }, write: { .text(Quantity.text(bytes: $0)) })
    }
}

extension FieldType where Value == Double {
    /// A number with an optional fraction.
    static func number(_ bounds: ClosedRange<Double>) -> FieldType {
        bounded(
            "a number", bounds,
            parse: { text in
                let allowed = text.allSatisfy { $0.isASCII && ($0.isNumber || $0 == "." || $0 == "-") }
                return allowed ? Double(text) : nil
            },
            hint: "", text: { "\($0)" }, write: { .number($0) })
    }
}

extension FieldType where Value == Duration {
    /// A duration with a unit, or a number of seconds.
    static func duration(_ bounds: ClosedRange<Duration>) -> FieldType {
        bounded(
            "a duration", bounds, parse: { Quantity.duration($0) }, hint: " such as 500ms, 30s, 5m, 1h30m or 7d",
            text: { Quantity.text($0) }, write: { .text(Quantity.text($0)) })
    }
}

extension FieldType where Value == Bool {
    /// `true` or `false`; the other words of old YAML are refused, since half of their readers guess otherwise.
    static var bool: FieldType {
        scalar(
            "true or false", limits: "",
            parse: { text throws(FieldFault) in
                switch text {
                case "true": true
                case "false": false
                default: throw FieldFault("needs true or false, not \(shown(text))")
                }
            }, write: { .bool($0) })
    }
}

extension FieldType where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of the words of an enum.
    static var choice: FieldType {
        let words = Value.allCases.map(\.rawValue)
        let form = "one of " + words.joined(separator: ", ")
        return scalar(
            form, limits: "",
            parse: { text throws(FieldFault) in
                if let value = Value(rawValue: text) { return value }
                let hint = nearest(text, in: words).map { "; did you mean \($0)?" } ?? ""
                throw FieldFault("needs \(form), not \(shown(text))\(hint)")
            }, write: { .text($0.rawValue) })
    }
}
