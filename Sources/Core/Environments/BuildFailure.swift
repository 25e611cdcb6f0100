/// Says why requirements could not be installed and what to change.
package struct BuildFailure {
    /// The kinds that the builder's program tells apart.
    enum Kind: String, CaseIterable {
        case missing
        case conflict
        case python
        case invalid
        case hash
        case compile
        case offline
        case certificate
        case disk
        case memory
        case timeout
        case tooLarge = "too_large"
        case noPip = "no_pip"
        case noUV = "no_uv"
        case project
        case changed
        case mismatch
        case failed
        case `internal`
    }

    var kind: Kind
    var requirements: [String]
    var culprit = ""
    var detail = ""
    var lines: [String] = []
    var python = ""
    /// The image that was to install; of the process runtime, the interpreter.
    var image = ""
    /// Whether this machine's Python was to install, for sandboxes that are local processes.
    var isLocal = false
    var installer = "pip"

    init(_ kind: Kind, _ requirements: [String], detail: String = "", lines: [String] = []) {
        self.kind = kind
        self.requirements = requirements
        self.detail = BuildResult.cut(detail)
        self.lines = BuildResult.cut(lines)
    }

    /// Takes what the program answered.
    package init(_ result: BuildResult, _ requirements: [String], image: String, isLocal: Bool = false) {
        kind = result.kind.flatMap(Kind.init) ?? .failed
        self.requirements = requirements
        culprit = result.culprit ?? ""
        detail = result.detail ?? ""
        lines = result.lines ?? []
        python = result.interpreter.map { "Python \($0.version)" } ?? "this Python"
        self.image = image
        self.isLocal = isLocal
        installer = result.installer ?? "pip"
    }

    /// The error that the job gets; its message has at most `FailureWords.limitBytes`.
    package var error: EngineError {
        let named = requirements.isEmpty ? ["cloudpickle"] : requirements
        let names = named.prefix(10).joined(separator: ", ") + (named.count > 10 ? ", ..." : "")
        var text = "cannot install \(names): \(reason). \(remedy)"
        if !lines.isEmpty { text += "\n\(installer)'s last lines:\n" + lines.map { "  " + $0 }.joined(separator: "\n") }
        return EngineError(.dependency, FailureWords.limited(text))
    }

    private var reason: String {
        switch kind {
        case .missing: "there is no \(culprit.isEmpty ? "such package or version" : culprit) for \(python)"
        case .conflict: "the requirements exclude each other"
        case .python: "a package needs another Python than \(python)" + (culprit.isEmpty ? "" : " (\(culprit))")
        case .invalid: "\(culprit.isEmpty ? "a requirement" : "'\(culprit)'") is not a requirement"
        case .hash: "what the index offers does not match the hashes"
        case .compile:
            "\(culprit.isEmpty ? "a package" : culprit) has no wheel for \(python) and could not be compiled"
        case .offline:
            (culprit.isEmpty ? "" : "\(culprit) is not in environments.find_links, and ")
                + "no package index can be reached (\(detail.isEmpty ? "see the lines below" : detail))"
        case .certificate: "the index's certificate is not trusted"
        case .disk: "the disk is full"
        case .memory: "the builder ran out of memory"
        case .timeout: "it took longer than environments.build_timeout"
        case .tooLarge: "it is larger than environments.max_total" + (detail.isEmpty ? "" : " (\(detail))")
        case .noPip: "the \(isLocal ? "interpreter" : "image") \"\(image)\" has no pip"
        case .noUV: "the builder has no uv, and environments.installer is uv"
        case .project: "the project cannot be installed: \(detail)"
        case .changed: "the project changed while it was installed"
        case .mismatch: "the builder's image does not match the job's: \(detail)"
        case .failed: "\(installer) failed" + (detail.isEmpty ? "" : " (\(detail))")
        case .internal: "the builder failed (\(detail))"
        }
    }

    private var remedy: String {
        if isLocal, let remedy = localRemedy { return remedy }
        return switch kind {
        case .missing:
            "Check the name and the version; for packages of your own set environments.index_url or "
                + "environments.extra_index_urls."
        case .conflict: "Loosen or remove one of the versions that \(installer) names."
        case .python: "Use another version of the package, or an image with another Python."
        case .invalid: "Write it as pip reads it, such as numpy==2.1.* or requests>=2."
        case .hash: "Correct the hashes, or find out who changed the package."
        case .compile:
            "Use a version that has wheels, or name an image with a compiler as environments.builder_image."
        case .offline:
            "Put the wheels into a folder and name it in environments.find_links, or use an image that has the "
                + "packages."
        case .certificate: "Name the file of your authority in environments.ca_bundle."
        case .disk: "Free some space, or remove environments with `slipway env prune`."
        case .memory: "Raise environments.build_memory."
        case .timeout: "Raise environments.build_timeout, or use versions that have wheels."
        case .tooLarge: "Raise environments.max_total, or require less."
        case .noPip, .mismatch:
            "Name an image of the same Python and C library, with pip, as environments.builder_image, or use an image "
                + "that has the packages."
        case .noUV: "Name an image with uv as environments.builder_image, or set environments.installer to auto or pip."
        case .project: "Correct its pyproject.toml."
        case .changed: "Submit the job again."
        case .failed: "See its lines."
        case .internal: "The engine's log says more."
        }
    }

    /// What to change on this machine, where the remedy for containers would be another image.
    private var localRemedy: String? {
        switch kind {
        case .noPip:
            "Install its pip (on Debian and Ubuntu the package python3-pip), or name an interpreter that has it, such "
                + "as a virtual environment's, as runtime.python."
        case .noUV: "Install uv, or set environments.installer to auto or pip."
        case .compile: "Use a version that has wheels, or install a compiler."
        case .python: "Use another version of the package, or name another interpreter as runtime.python."
        case .missing, .conflict, .invalid, .hash, .offline, .certificate, .disk, .memory, .timeout, .tooLarge,
            .project, .changed, .mismatch, .failed, .internal:
            nil
        }
    }
}
