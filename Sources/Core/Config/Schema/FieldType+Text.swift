extension FieldType where Value == String {
    /// A text on one line that passes a test; `form` says in words what passes.
    static func text(
        _ form: String, max: Int = 4096, _ isValid: @escaping @Sendable (String) -> Bool = { _ in true }
    ) -> FieldType {
        scalar(
            form, limits: "",
            parse: { text throws(FieldFault) in
                guard !text.isEmpty else { throw FieldFault("is empty; needs \(form)") }
                guard text.utf8.count <= max else { throw FieldFault("is longer than \(max) bytes") }
                let isClean = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
                guard isClean, isValid(text) else { throw FieldFault("needs \(form), not \(shown(text))") }
                return text
            }, write: { .text($0) })
    }

    /// An absolute path without `..`.
    static var path: FieldType {
        text("an absolute path") { $0.hasPrefix("/") && !$0.split(separator: "/").contains("..") }
    }

    /// An absolute path, or one below the home folder written with `~/`.
    static var folder: FieldType {
        text("an absolute path, or one that starts with ~/") { text in
            (text.hasPrefix("/") || text.hasPrefix("~/")) && !text.split(separator: "/").contains("..")
        }
    }

    /// An address with one of some schemes and something after it.
    static func url(_ schemes: String...) -> FieldType {
        text("an address that starts with " + schemes.map { $0 + "://" }.joined(separator: " or ")) { text in
            !text.contains(" ") && schemes.contains { text.hasPrefix($0 + "://") && text.count > $0.count + 3 }
        }
    }

    /// A text made of certain ASCII characters only.
    static func word(_ form: String, extra: String, max: Int = 128, leading: String = "") -> FieldType {
        text(form, max: max) { text in
            guard let first = text.first, first.isASCII, first.isLetter || first.isNumber || leading.contains(first)
            else {
                return false
            }
            return text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || extra.contains($0)) }
        }
    }

    /// The reference of a container image.
    static var image: FieldType { word("an image such as slipway/python:3.11", extra: "._-/:@", max: 512) }

    /// The name of an environment variable.
    static var variable: FieldType {
        text("the name of an environment variable", max: 256) { isVariable($0) }
    }

    /// Whether a text can be the name of an environment variable.
    static func isVariable(_ text: String) -> Bool {
        text.first?.isNumber == false && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
    }
}
