/// A filter of system calls in the form of the OCI runtime specification, as engines keep their default one.
struct SeccompProfile {
    /// Calls that make or enter namespaces, change mounts or use keyrings.
    ///
    /// Docker's default profile refuses them to containers without further capabilities; that of Podman does not, as it
    /// lets containers run containers. Within a user namespace of its own a task has every capability.
    private static let withheld: Set<String> = [
        "unshare", "setns", "mount", "umount", "umount2", "pivot_root", "mount_setattr", "move_mount", "open_tree",
        "fsopen", "fsconfig", "fsmount", "fspick", "keyctl", "add_key", "request_key",
    ]
    /// Those that also make ordinary processes and threads.
    private static let cloning: Set<String> = ["clone", "clone3"]
    /// The flags of clone(2) that make namespaces: mount, cgroup, uts, ipc, user, pid and net.
    private static let namespaceFlags: Int64 = 0x7E02_0000

    private let members: [String: JSONValue]
    private let rules: [JSONValue]

    /// Reads a profile.
    ///
    /// - Throws: `EngineError` when it is none, or one that allows what it does not name.
    init(_ text: [UInt8]) throws {
        let parsed = try JSONValue(parsing: text)
        guard case .object(let members) = parsed, case .array(let rules)? = members["syscalls"],
            members["defaultAction"]?.text == "SCMP_ACT_ERRNO"
        else { throw EngineError(.configuration, "it does not refuse what it does not name") }
        self.members = members
        self.rules = rules
    }

    /// The same without namespaces, mounts and keyrings.
    ///
    /// `clone3` is refused as if the kernel had none: its flags lie in memory, where no filter sees them, and C libraries
    /// then take `clone`.
    func withoutNamespaces() -> [UInt8] {
        let kept = rules.compactMap { Self.without($0, Self.withheld.union(Self.cloning)) }
        // A name with two rules of one action would be refused by the runtime.
        let refused = rules.filter { $0["action"]?.text != "SCMP_ACT_ALLOW" }.flatMap(Self.names)
        let added: [JSONValue] = [
            Self.refusal(of: Self.withheld.subtracting(refused), 1, "EPERM"),
            Self.refusal(of: ["clone3"], 38, "ENOSYS"),
            Self.cloneRule(flagsIndex: 0, arches: "excludes"), Self.cloneRule(flagsIndex: 1, arches: "includes"),
        ]
        var members = members
        members["syscalls"] = .array(kept + added)
        return JSONValue.object(members).serialized()
    }

    /// A rule without these names where it allows them always; nil when nothing of it is left.
    private static func without(_ rule: JSONValue, _ withheld: Set<String>) -> JSONValue? {
        guard case .object(var members) = rule, members["action"]?.text == "SCMP_ACT_ALLOW" else { return rule }
        let kept = names(rule).filter { !withheld.contains($0) }
        guard !kept.isEmpty else { return nil }
        members["names"] = .array(kept.map { .string($0) })
        return .object(members)
    }

    private static func names(_ rule: JSONValue) -> [String] {
        guard case .array(let names)? = rule["names"] else { return [] }
        return names.compactMap(\.text)
    }

    private static func refusal(of names: Set<String>, _ number: Int64, _ symbol: String) -> JSONValue {
        [
            "names": .array(names.sorted().map { .string($0) }), "action": "SCMP_ACT_ERRNO",
            "errnoRet": .integer(number), "errno": .string(symbol),
        ]
    }

    /// Allows `clone` without the flags of namespaces; they are its second argument on s390.
    private static func cloneRule(flagsIndex: Int64, arches: String) -> JSONValue {
        [
            "names": ["clone"], "action": "SCMP_ACT_ALLOW",
            "args": [
                [
                    "index": .integer(flagsIndex), "value": .integer(namespaceFlags), "valueTwo": 0,
                    "op": "SCMP_CMP_MASKED_EQ",
                ]
            ],
            arches: ["arches": ["s390", "s390x"]],
        ]
    }
}
