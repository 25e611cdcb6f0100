/// Where the value of a secret is read from when a job needs it; the value itself never stands in the configuration.
public enum SecretSource: Sendable, Hashable {
    /// An environment variable of the engine.
    case environment(String)
    /// A file, without its last line break.
    case file(String)
}

extension FieldType where Value == [String: SecretSource] {
    /// A mapping of names to `{env: NAME}` or `{file: PATH}`.
    ///
    /// Messages never quote what was written instead, since it may be the secret.
    static func secrets(max: Int) -> FieldType {
        FieldType(
            form: "a mapping of names to {env: NAME} or {file: PATH}", limits: "at most \(max) names",
            read: { node, path, decoding in
                guard case .mapping(let entries) = node.content else {
                    decoding.fault(node, path, "needs a mapping of names to {env: NAME} or {file: PATH}; {} for none")
                    return nil
                }
                guard entries.count <= max else {
                    decoding.fault(node, path, "has \(entries.count) names; at most \(max) are allowed")
                    return nil
                }
                var secrets: [String: SecretSource] = [:]
                for entry in entries {
                    guard isName(entry.key) else {
                        decoding.fault(
                            at: entry.keyMark, path,
                            "a name needs 1 to 128 letters, digits, dots, - and _, a letter first")
                        continue
                    }
                    secrets[entry.key] = source(entry.value, "\(path).\(entry.key)", &decoding)
                }
                return secrets
            },
            write: { secrets in
                .mapping(
                    secrets.sorted { $0.key < $1.key }.map { name, source in
                        .init(key: name, value: written(source))
                    })
            })
    }

    fileprivate static func written(_ source: SecretSource) -> ConfigurationValue {
        switch source {
        case .environment(let variable): .mapping([.init(key: "env", value: .text(variable))])
        case .file(let path): .mapping([.init(key: "file", value: .text(path))])
        }
    }

    private static func isName(_ text: String) -> Bool {
        guard let first = text.first, first.isASCII, first.isLetter, text.utf8.count <= 128 else { return false }
        return text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
    }

    fileprivate static func source(
        _ node: YAMLNode, _ path: String, _ decoding: inout ConfigurationDecoding
    ) -> SecretSource? {
        guard case .mapping(let entries) = node.content, entries.count == 1, let entry = entries.first,
            case .scalar(let text, _) = entry.value.content, !entry.value.isNull
        else {
            decoding.fault(node, path, "needs {env: NAME} or {file: PATH}; the secret itself never stands here")
            return nil
        }
        switch entry.key {
        case "env" where FieldType<String>.isVariable(text): return .environment(text)
        case "env": decoding.fault(entry.value, path + ".env", "needs the name of an environment variable")
        case "file" where text.hasPrefix("/") && !text.unicodeScalars.contains { $0.value < 0x20 }: return .file(text)
        case "file": decoding.fault(entry.value, path + ".file", "needs an absolute path")
        default: decoding.fault(at: entry.keyMark, path, "unknown key; known here: env, file")
        }
        return nil
    }
}

extension FieldType where Value == SecretSource {
    /// The place of one secret: `{env: NAME}` or `{file: PATH}`.
    static var secretSource: FieldType {
        FieldType(
            form: "{env: NAME} or {file: PATH}", limits: "",
            read: { node, path, decoding in FieldType<[String: SecretSource]>.source(node, path, &decoding) },
            write: { FieldType<[String: SecretSource]>.written($0) })
    }
}
