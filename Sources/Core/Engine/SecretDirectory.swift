import Foundation

/// The values of configured secrets, read when they are needed and kept nowhere.
struct SecretDirectory: Sendable {
    private let sources: [String: SecretSource]
    private let environment: [String: String]

    init(_ sources: [String: SecretSource], environment: [String: String]) {
        self.sources = sources
        self.environment = environment
    }

    /// The values of several secrets by their names, which are the names of the task's variables.
    func values(of names: [String]) -> [String: String] {
        Dictionary(names.map { ($0, value(of: $0) ?? "") }, uniquingKeysWith: { first, _ in first })
    }

    /// The value of a secret; nil when its source has none.
    func value(of name: String) -> String? {
        switch sources[name] {
        case .environment(let variable)?: environment[variable]
        case .file(let path)?:
            FileManager.default.contents(atPath: path).map {
                String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .newlines)
            }
        case nil: nil
        }
    }
}
