import Crypto

/// What names an environment: the same needs under the same options give the same key.
package struct EnvironmentKey: Sendable, Hashable {
    /// 24 hexadecimal digits.
    package let text: String
    /// What pip is asked to install.
    package let requirements: [String]
    /// Those of them that the job named.
    let own: [String]
    /// Those that the engine added.
    let additions: [String]
    /// Whether the job gave hashes: then everything but the additions is checked against one.
    package let isHashed: Bool
    /// Whether another version than the installed one may fit the requirements some day.
    package let isOpen: Bool

    /// Makes the key of a need.
    ///
    /// - Parameter identity: What installed files depend on: the image, or the interpreter where there is none.
    package init(_ need: EnvironmentNeed, identity: String, options: EnvironmentOptions) {
        let wanted = RequirementText.normalised(need.requirements)
        own = wanted.map(\.text)
        // A version that the job names itself goes before the engine's own limits.
        let addsCloudpickle = need.needsCloudpickle && !wanted.contains { $0.name == "cloudpickle" }
        additions = addsCloudpickle ? ["cloudpickle" + options.cloudpickle] : []
        requirements = own + additions
        isHashed = wanted.contains(where: \.isHashed)
        // What a source tree depends on may change with the index, as open ranges do.
        isOpen = need.project != nil || wanted.contains { !$0.isPinned }
        var hash = SHA256()
        func add(_ label: String, _ values: [String]) {
            // Lengths keep neighbouring values apart.
            hash.update(data: Array("\(label) \(values.count)\n".utf8))
            for value in values { hash.update(data: Array("\(value.utf8.count) \(value)\n".utf8)) }
        }
        add("tenant", [need.tenant.description])
        add("runtime", [need.runtime])
        add("identity", [identity])
        add("requirements", requirements)
        add("index", (need.indexURL ?? options.indexURL).map { [$0] } ?? [])
        add("extra", options.extraIndexURLs)
        add("links", options.findLinks)
        // Keys of needs without a tree stay what they were.
        if let project = need.project { add("project", [project.path, project.digest]) }
        text = hash.finalize().prefix(12).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
