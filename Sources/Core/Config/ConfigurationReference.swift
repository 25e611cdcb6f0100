/// The shipped `config.yaml` and the reference in `docs/config.md`, made from the same fields that read the file.
package enum ConfigurationReference {
    /// An item of each list of mappings, as the file shows it.
    private static let examples: [[String]: String] = [
        ["pools", "classes"]: "name: numpy, image: example/numpy:1, memory: 2g, min_idle: 2, max: 8",
        ["images", "registries"]: "host: registry.example.org, username: reader, password: {env: REGISTRY_TOKEN}",
        ["network", "host_ports"]: "name: models, port: 11434",
        ["tenants", "named"]: "name: team-a, cpus: 8, memory: 16g, running: 50",
    ]

    /// Keys of items whose type takes `null`, and which are needed all the same: the check of the item asks for them.
    private static let askedFor: Set<[String]> = [["images", "registries", "password"]]

    /// The file with every key, explained, at its default.
    package static func yaml() -> String {
        var lines = [
            "# Slipway's configuration: every key, each at its default. A file may leave out whatever it does not change.",
            "#",
            "# Durations: 500ms, 30s, 5m, 1h30m, 7d, or a number of seconds. Sizes: 64k, 512m, 2g, or a number of bytes;",
            "# units are powers of 1,024. Each key can be set as an environment variable, too: SLIPWAY_POOLS_DEFAULTS_MAX=8",
            "# sets pools.defaults.max and goes before this file. docs/config.md says when to change what;",
            "# `slipway config check` checks a file, `slipway config show` prints what is in effect.",
        ]
        let defaults = Configuration()
        for key in Configuration.keys {
            lines.append("")
            appendYAML(key, defaults, indent: "", to: &lines)
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The reference of all keys in Markdown.
    package static func markdown() -> String {
        var lines: [String] = []
        let defaults = Configuration()
        for section in Configuration.keys {
            lines += ["## \(section.name)", "", section.about, ""]
            switch section.shape {
            case .section:
                for key in section.children { appendMarkdown(key, defaults, to: &lines) }
            case .value, .list:
                appendFacts(section, defaults, to: &lines)
            }
        }
        while lines.last == "" { lines.removeLast() }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func appendYAML(
        _ key: ConfigurationKey, _ defaults: Configuration, indent: String, to lines: inout [String]
    ) {
        let comment: String
        switch key.shape {
        case .section, .list: comment = key.about
        case .value: comment = key.about + " " + sentence(key, defaults)
        }
        lines += wrapped(comment, prefix: indent + "# ", width: 108)
        switch key.shape {
        case .section:
            lines.append("\(indent)\(key.name):")
            for child in key.children { appendYAML(child, defaults, indent: indent + "  ", to: &lines) }
        case .list:
            let needed = key.children.filter { isNeeded($0, in: key) }.map(\.name).joined(separator: ", ")
            lines += wrapped(
                "Each is a mapping with the keys " + key.children.map(\.name).joined(separator: ", ")
                    + "; needed: \(needed)." + (examples[key.path] == nil ? "" : " Example:"), prefix: indent + "# ",
                width: 108)
            if let example = examples[key.path] { lines.append("\(indent)#   - {\(example)}") }
            lines.append("\(indent)\(key.name): []")
        case .value:
            lines.append("\(indent)\(key.name): \(written(key, defaults))")
        }
    }

    /// The default as the shipped file writes it: `null` where a variable of another name may give the value, so that
    /// the file does not hide that variable.
    private static func written(_ key: ConfigurationKey, _ defaults: Configuration) -> String {
        key.fallbackVariable == nil ? builtIn(key, defaults) : "null"
    }

    private static func builtIn(_ key: ConfigurationKey, _ defaults: Configuration) -> String {
        defaults.value(at: key.path)?.inline(json: false) ?? ""
    }

    /// What may stand at a key, and what `null` stands for, as a sentence in a comment.
    private static func sentence(_ key: ConfigurationKey, _ defaults: Configuration) -> String {
        guard case .value(let form, let limits, let null, _) = key.shape else { return "" }
        var text = form.prefix(1).uppercased() + form.dropFirst() + (limits.isEmpty ? "" : ", \(limits)") + "."
        if let meaning = nullMeaning(key, null, defaults) { text += " null: \(meaning)." }
        return text
    }

    private static func nullMeaning(_ key: ConfigurationKey, _ null: String?, _ defaults: Configuration) -> String? {
        guard let variable = key.fallbackVariable else { return null }
        return "$\(variable) when it is set, else \(null ?? builtIn(key, defaults))"
    }

    private static func appendMarkdown(_ key: ConfigurationKey, _ defaults: Configuration, to lines: inout [String]) {
        lines += ["### `\(key.path.joined(separator: "."))`", "", key.about, ""]
        switch key.shape {
        case .section:
            for child in key.children { appendMarkdown(child, defaults, to: &lines) }
        case .value:
            appendFacts(key, defaults, to: &lines)
        case .list:
            appendFacts(key, defaults, to: &lines)
            lines += ["Keys of each item:", ""]
            for child in key.children {
                guard case .value(let form, let limits, let null, _) = child.shape else { continue }
                let allowed = form + (limits.isEmpty ? "" : ", \(limits)")
                let otherwise = absent(child, of: key, null, defaults)
                lines.append("- `\(child.name)`: \(child.about) (\(allowed); \(otherwise))")
            }
            lines.append("")
        }
    }

    private static func isNeeded(_ child: ConfigurationKey, in list: ConfigurationKey) -> Bool {
        child.isRequired || askedFor.contains(list.path + child.path)
    }

    /// What holds where an item leaves a key out, and what `null` stands for there.
    private static func absent(
        _ child: ConfigurationKey, of list: ConfigurationKey, _ null: String?, _ defaults: Configuration
    ) -> String {
        if isNeeded(child, in: list) { return "needed" }
        // A list with a section `defaults` beside it starts its items from that.
        let path = Array(list.path.dropLast()) + ["defaults", child.name]
        guard defaults.value(at: path) != nil else { return "else `\(null ?? "[]")`" }
        return "else `\(path.joined(separator: "."))`" + (null.map { ", and `null` stands for: \($0)" } ?? "")
    }

    private static func appendFacts(_ key: ConfigurationKey, _ defaults: Configuration, to lines: inout [String]) {
        if case .value(let form, let limits, let null, _) = key.shape {
            lines.append("- Value: \(form)\(limits.isEmpty ? "" : ", \(limits)")")
            var text = "- Default: `\(builtIn(key, defaults))`"
            if let null {
                text += (builtIn(key, defaults) == "null" ? ", which" : "; `null`") + " stands for: \(null)"
            }
            lines.append(text)
        } else {
            lines.append("- Value: a list of mappings")
            lines.append("- Default: `\(builtIn(key, defaults))`")
        }
        var variables = "- Environment: `\(key.variable)`"
        if let variable = key.fallbackVariable {
            variables += "; `\(variable)` where the file leaves it out or writes `null`"
        }
        lines += [variables, "- When to change it: \(key.tune)", ""]
    }

    private static func wrapped(_ text: String, prefix: String, width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, prefix.count + line.count + 1 + word.count > width {
                lines.append(prefix + line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return lines + [prefix + line]
    }
}
