/// The values that environment variables give, laid over those of the file before anything is decoded.
struct EnvironmentOverlay {
    private(set) var faults: [ConfigurationFault] = []
    /// Variables that begin with the prefix and mean nothing here.
    ///
    /// They are no faults, since a container platform sets variables such as `SLIPWAY_PORT_7433_TCP` for a service
    /// named slipway.
    private(set) var warnings: [ConfigurationFault] = []

    private let environment: [String: String]

    private static let prefix = "SLIPWAY_"
    /// Variables of other parts of the product.
    private static let others: Set<String> = ["SLIPWAY_CONFIG", "SLIPWAY_URL", "SLIPWAY_KEY", "SLIPWAY_OUTPUT"]
    private static let otherPrefixes = ["SLIPWAY_TEST_", "SLIPWAY_JOB_"]

    init(environment: [String: String]) {
        self.environment = environment
    }

    /// Lays the variables over a tree: fallbacks only where it says nothing, overrides always.
    mutating func apply(to root: inout YAMLNode) {
        let sections = Configuration.keys
        let leaves = sections.flatMap(\.leaves)
        for leaf in leaves {
            guard let variable = leaf.fallbackVariable, let text = environment[variable], !text.isEmpty else {
                continue
            }
            guard root.find(leaf.path[...])?.isNull ?? true, isOpen(root, leaf.path) else { continue }
            set(variable, text, leaf, in: &root)
        }
        let byVariable = Dictionary(leaves.map { ($0.variable, $0) }) { first, _ in first }
        for (variable, text) in environment.sorted(by: { $0.key < $1.key }) where variable.hasPrefix(Self.prefix) {
            if let leaf = byVariable[variable] {
                set(variable, text, leaf, in: &root)
            } else if !Self.others.contains(variable), !Self.otherPrefixes.contains(where: variable.hasPrefix) {
                reportUnknown(variable, sections, Array(byVariable.keys))
            }
        }
    }

    /// Whether a value can be put at a path without hiding a fault of the file on the way.
    private func isOpen(_ root: YAMLNode, _ path: [String]) -> Bool {
        for length in 0..<path.count {
            guard let node = root.find(path[..<length]) else { return true }
            if case .mapping = node.content { continue }
            return node.isNull
        }
        return true
    }

    private mutating func set(_ variable: String, _ text: String, _ leaf: ConfigurationKey, in root: inout YAMLNode) {
        let path = leaf.path.joined(separator: ".")
        guard !text.isEmpty else {
            faults.append(
                ConfigurationFault(
                    file: "$" + variable, path: path, message: "is empty; unset the variable, or write null or []"))
            return
        }
        if let node = node(variable, text, leaf, path) { root.set(leaf.path[...], to: node) }
    }

    /// The node that a variable's text stands for: one value, a comma-separated list, or YAML in brackets.
    private mutating func node(_ variable: String, _ text: String, _ leaf: ConfigurationKey, _ path: String)
        -> YAMLNode?
    {
        let mark = YAMLMark(origin: .environment(variable))
        let isList: Bool
        switch leaf.shape {
        case .value(_, _, _, let list): isList = list
        case .section, .list: isList = false
        }
        if text.hasPrefix("[") || text.hasPrefix("{") {
            let document = YAMLDocument(parsing: Array(text.utf8), origin: .environment(variable))
            faults += document.faults.map { fault in
                ConfigurationFault(file: fault.file, path: path, message: fault.message)
            }
            return document.faults.isEmpty ? document.root : nil
        }
        let whole = YAMLNode(.scalar(text, plain: true), mark)
        guard isList, !whole.isNull else { return whole }
        let items = text.split(separator: ",", omittingEmptySubsequences: false).map { item in
            let trimmed = item.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
            return YAMLNode(.scalar(String(trimmed), plain: false), mark)
        }
        return YAMLNode(.sequence(items), mark)
    }

    private mutating func reportUnknown(_ variable: String, _ sections: [ConfigurationKey], _ known: [String]) {
        // Long names are near each other by length alone: two slips are a typing error, more are another name.
        let hint = nearest(variable, in: known.sorted(), atMost: 2).map { "; did you mean \($0)?" } ?? ""
        let isSetting = sections.contains { variable == $0.variable || variable.hasPrefix($0.variable + "_") }
        let fault = ConfigurationFault(file: "$" + variable, message: "names no setting" + hint)
        if isSetting || !hint.isEmpty { faults.append(fault) } else { warnings.append(fault) }
    }
}
