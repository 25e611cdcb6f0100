/// What the operator is told of a failure, and what tenants are.
///
/// The container engine's own words name folders of the host, addresses and other containers: they go to the log and to
/// the operator. Tenants get what kind of failure it was.
package struct FailureWords: Sendable {
    /// The most bytes of an error's message, as runners have it for those of tasks.
    package static let limitBytes = 16_384

    /// The most full texts that are kept for the operator.
    private static let most = 256

    private let paths: HostPaths
    private var full: [String: String] = [:]

    package init(_ paths: HostPaths) { self.paths = paths }

    /// The text of an error for a tenant: the engine's own words are for the tenant `default` alone, which is the
    /// operator's; paths of the host are for nobody.
    package func text(_ error: any Error, for tenant: TenantID) -> String {
        tenant == .default ? paths.cut(Self.whole(error)) : plain(error)
    }

    /// The whole text of an error, for the log.
    package static func whole(_ error: any Error) -> String { (error as? EngineError)?.wholeMessage ?? "\(error)" }

    /// A text without paths of the host.
    package func cut(_ text: String) -> String { paths.cut(text) }

    /// An error without paths of the host, its message cut to `limitBytes`.
    package func cut(_ error: JobError) -> JobError {
        var error = error
        error.message = Self.limited(paths.cut(error.message))
        return error
    }

    /// A text of at most `limitBytes`, which says where the rest of a longer one is left out.
    static func limited(_ text: String) -> String {
        guard text.utf8.count > limitBytes else { return text }
        let mark = " [cut]"
        var end = text.utf8.index(text.startIndex, offsetBy: limitBytes - mark.utf8.count)
        while end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
        return String(text.unicodeScalars[..<end]) + mark
    }

    /// Notes why a sandbox failed.
    ///
    /// - Parameters:
    ///   - whole: What the operator is told.
    ///   - output: What the sandbox itself wrote last.
    /// - Returns: What everybody may be told; it names the sandbox, under which the log has the rest.
    package mutating func note(_ error: any Error, whole: String, output: String = "", of id: SandboxID) -> String {
        var text = plain(error)
        if text == (error as? EngineError)?.message, !output.isEmpty { text += "; its last output: \(cut(output))" }
        guard text != whole else { return text }
        text += " (\(id))"
        if full.count >= Self.most { full = [:] }
        full[text] = whole
        return text
    }

    /// A text in which what `note` returned is put back to what it stands for.
    package func restored(_ text: String) -> String {
        for (short, whole) in full where text.contains(short) { return text.replacing(short, with: whole) }
        return text
    }

    /// What anybody may be told of an error.
    private func plain(_ error: any Error) -> String {
        guard let error = error as? EngineError else { return "the engine failed" }
        switch error.code {
        case .containerEngineUnavailable: return "the container engine does not answer"
        case .containerEngineError: return "the container engine refused: \(Self.kind(of: error.message))"
        case .internalFault, .storage, .configuration: return "the engine failed (\(error.code.rawValue))"
        default:
            guard error.quotesContainerEngine else { return paths.cut(error.message) }
            return "the container engine could not start it: \(Self.kind(of: error.message))"
        }
    }

    /// What can be said of the container engine's words without repeating them.
    private static func kind(of words: String) -> String {
        let words = words.lowercased()
        if words.contains("no space left") { return "its disk is full" }
        if words.contains("bind source path") || words.contains("mount") { return "a mount is not possible" }
        if words.contains("permission denied") { return "a permission is missing" }
        if words.contains("runtime") { return "its runtime failed" }
        return "the operator's log says why"
    }
}

extension EngineError {
    /// The message, with what only the operator is told.
    var wholeMessage: String { operatorDetail.map { "\(message) (\($0))" } ?? message }

    /// Whether the message repeats what the container engine said.
    fileprivate var quotesContainerEngine: Bool {
        var next: (any Error)? = self
        while let error = next {
            if let refusal = error as? DockerAPIError { return message.contains(refusal.message) }
            next = (error as? EngineError)?.cause
        }
        return false
    }
}
