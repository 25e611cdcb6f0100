/// One thing that is wrong in a configuration file or in an environment variable.
public struct ConfigurationFault: Sendable, Hashable, CustomStringConvertible {
    /// The file as it was named to the loader, or `$NAME` for an environment variable.
    public var file: String
    /// The line, counted from 1; nil where the fault concerns the whole file or a variable.
    public var line: Int?
    /// The column in characters, counted from 1; nil together with `line`.
    public var column: Int?
    /// The dotted path of the key, such as `pools.defaults.max`; empty for faults of syntax.
    public var path: String
    /// What is wrong and what to write instead.
    public var message: String

    package init(file: String, line: Int? = nil, column: Int? = nil, path: String = "", message: String) {
        self.file = file
        self.line = line
        self.column = column
        self.path = path
        self.message = message
    }

    /// The fault as `file:line:column: path: message`.
    public var description: String {
        var text = file
        if let line, let column { text += ":\(line):\(column)" }
        if !path.isEmpty { text += ": \(path)" }
        return text + ": " + message
    }
}

/// A configuration that cannot be used, with everything that is wrong with it at once.
public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The faults in the order of the file, those of environment variables last; never empty.
    public var faults: [ConfigurationFault]

    package init(faults: [ConfigurationFault]) {
        self.faults = faults
    }

    /// One fault a line, each as `file:line:column: path: message`.
    public var description: String {
        faults.map(\.description).joined(separator: "\n")
    }
}
