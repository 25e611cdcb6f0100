extension Configuration {
    /// How environments, the installed sets of Python requirements, are built and kept.
    public struct Environments: Sendable, Hashable {
        /// The image of builders; nil for the job's own.
        public var builderImage: String?
        /// What installs requirements.
        public var installer = Installer.auto
        /// Whose downloads are kept between builds.
        public var pipCache = PipCache.tenant
        /// The package index; nil for pip's own default.
        public var indexURL: String?
        /// Further package indexes.
        public var extraIndexURLs: [String] = []
        /// Patterns of package indexes that a job may name for itself.
        public var indexAllow: [String] = []
        /// Folders of wheels on the host, or pages that link to them.
        public var findLinks: [String] = []
        /// Folders of the host whose Python projects jobs may install.
        public var projectAllow: [String] = []
        /// The authorities that a builder trusts.
        public var caBundle = CABundle.auto
        /// The proxy of builders.
        public var proxy: String?
        /// The Docker network of builders.
        public var network = "bridge"
        /// The longest build.
        public var buildTimeout = Duration.minutes(10)
        /// The memory of a builder.
        public var buildMemoryBytes = Int.gibibytes(2)
        /// The processors of a builder.
        public var buildCpus = 2.0
        /// The environments that are built at the same time.
        public var buildsMax = 2
        /// The size that all environments together may have.
        public var maxTotalBytes = Int.gibibytes(20)
        /// How long an environment of open version ranges serves before it is resolved again.
        public var openRangeTTL = Duration.hours(24)
        /// The versions of cloudpickle that are installed where the image has none.
        public var cloudpickle = ">=3,<4"

        /// The authorities that a builder trusts.
        public enum CABundle: Sendable, Hashable {
            /// The file that the service's own environment names, if it names one.
            case auto
            /// Only those of the image.
            case none
            /// A file of the host.
            case file(String)
        }

        /// What installs requirements.
        public enum Installer: String, Sendable, Hashable, CaseIterable {
            /// uv where the builder has it, else pip.
            case auto
            /// pip.
            case pip
            /// uv; a builder without it fails.
            case uv
        }

        /// Whose downloads are kept between builds.
        public enum PipCache: String, Sendable, Hashable, CaseIterable {
            /// Each tenant has a cache of its own.
            case tenant
            /// Requirements that all have hashes share one cache; others use their tenant's.
            case shared
            /// Nothing is kept.
            case none
        }

        /// The section with every value at its default.
        public init() {}
    }
}

extension Configuration.Environments: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "builder_image", \.builderImage, .optional(.image, null: "the job's own image"),
            "Image in which requirements are installed.",
            tune:
                "Name one with a compiler when requirements have no wheels. Its Python and C library must match the job's."
        )
        Field.value(
            "installer", \.installer, .choice,
            "What installs requirements. auto: uv where the builder's image has it, else pip.",
            tune:
                "Name an image with uv as builder_image for faster builds; pip takes some old packages that uv does not."
        )
        Field.value(
            "pip_cache", \.pipCache, .pipCache,
            "Whose downloads and built wheels are kept in a cache volume. tenant (or true): one for each tenant. shared: "
                + "one for all requirements that have hashes, from which only wheels are installed and checked; all others "
                + "use their tenant's. none (or false): nothing is kept.",
            tune:
                "Share it when many tenants install the same locked requirements; none when disk is scarcer than time.")
        Field.value(
            "index_url", \.indexURL, .optional(.url("https", "http"), null: "pip's own default"),
            "Package index.",
            tune: "Set it to a mirror of your own for speed and control.", fallback: "PIP_INDEX_URL")
        Field.value(
            "extra_index_urls", \.extraIndexURLs, .list(.url("https", "http"), max: 32),
            "Further package indexes. pip takes the highest version from any of them.",
            tune: "Prefer one index that serves both: a stranger's package of the same name can win otherwise.")
        Field.value(
            "index_allow", \.indexAllow,
            .list(
                .text("an address, in which * stands for any characters", max: 1024) {
                    $0.hasPrefix("https://") || $0.hasPrefix("http://")
                }, max: 100),
            "Package indexes that jobs may name for themselves as index_url. * stands for any characters.",
            tune: "List the indexes of teams that share this engine.")
        Field.value(
            "project_allow", \.projectAllow, .list(.path, max: 100),
            "Folders of the host whose Python projects jobs may install, each with everything below it, for development.",
            tune:
                "List the folder of your checkouts on a machine of your own. Leave it empty where strangers have keys.")
        Field.value(
            "find_links", \.findLinks,
            .list(
                .text("an absolute path or an address") { $0.hasPrefix("/") || $0.contains("://") }, max: 32),
            "Folders of wheels on the host, or pages that link to wheels.",
            tune: "List a folder of wheels to install without a network.")
        Field.value(
            "ca_bundle", \.caBundle, .caBundle,
            "Authorities that builders trust. auto: the file that SSL_CERT_FILE, PIP_CERT or REQUESTS_CA_BUNDLE names in "
                + "the engine's own environment. none: those of the image.",
            tune: "Name a file when the index or the proxy has a certificate of your own authority.")
        Field.value(
            "proxy", \.proxy, .optional(.url("http", "https"), null: "no proxy"),
            "Proxy through which builders reach the index.",
            tune: "Set it when the machine has no direct way to the index.")
        Field.value(
            "network", \.network, .word("the name of a Docker network", extra: "_.-"),
            "Docker network of builders: bridge, host, none or one that exists; egress for the networks of that mode.",
            tune:
                "Code of packages and of tenants' images has this network. Name egress where tenants are strangers: of "
                + "private addresses only those in network.egress.allow are open then. Or a network from which only the "
                + "index can be reached, or none with find_links.")
        Field.value(
            "build_timeout", \.buildTimeout, .duration(.seconds(1) ... .hours(24)),
            "Longest build of one environment.",
            tune: "Raise it for requirements that compile.")
        Field.value(
            "builds_max", \.buildsMax, .integer(1...64),
            "Environments that are built at the same time. Further ones wait, and tenants take turns.",
            tune: "Raise it where many tenants have requirements of their own and the machine has room for builders.")
        Field.value(
            "build_memory", \.buildMemoryBytes, .size(.mebibytes(64) ... .tebibytes(64)),
            "Memory of a builder.", tune: "Raise it for requirements that compile.")
        Field.value(
            "build_cpus", \.buildCpus, .number(0.01...1024),
            "Processors of a builder.", tune: "Raise it for requirements that compile.")
        Field.value(
            "max_total", \.maxTotalBytes, .size(.mebibytes(64) ... .tebibytes(64)),
            "Size of all environments together, above which those used longest ago are removed.",
            tune: "Raise it when the same environments are built again and again.")
        Field.value(
            "open_range_ttl", \.openRangeTTL, .duration(.minutes(1) ... .days(365)),
            "How long requirements without exact versions use what was resolved before.",
            tune: "Lower it to get new versions sooner; pin versions to get the same ones always.")
        Field.value(
            "cloudpickle", \.cloudpickle,
            .word(
                "version limits such as >=3,<4", extra: "<>=!~.,*+-", leading: "<>=!~"),
            "Versions of cloudpickle that are installed for callables where the image has none.",
            tune: "Pin it to the version that your clients pickle with.")
    }

    package func check() -> [ConfigurationConflict] {
        var conflicts: [ConfigurationConflict] = []
        if projectAllow.contains("/") {
            conflicts.append(.init("project_allow", message: "must not hold /: name the folders of your checkouts"))
        }
        if pipCache == .shared, installer == .uv {
            conflicts.append(
                .init(
                    "pip_cache", with: "environments.installer",
                    message: "cannot be shared with the installer uv, which trusts what lies unpacked in its cache: "
                        + "set installer to pip or auto, or pip_cache to tenant"))
        }
        return conflicts
    }
}

extension FieldType where Value == Configuration.Environments.PipCache {
    /// `tenant`, `shared` or `none`; `true` and `false` stand for the first and the last.
    fileprivate static var pipCache: FieldType {
        scalar(
            "tenant, shared or none", limits: "",
            parse: { text throws(FieldFault) in
                switch text {
                case "true": return .tenant
                case "false": return .none
                default:
                    guard let value = Value(rawValue: text) else {
                        throw FieldFault("needs tenant, shared or none, not \(shown(text))")
                    }
                    return value
                }
            }, write: { .text($0.rawValue) })
    }
}

extension FieldType where Value == Configuration.Environments.CABundle {
    /// `auto`, `none` or an absolute path.
    fileprivate static var caBundle: FieldType {
        scalar(
            "auto, none or an absolute path", limits: "",
            parse: { text throws(FieldFault) in
                switch text {
                case "auto": .auto
                case "none": .none
                case _ where text.hasPrefix("/") && text.utf8.count <= 4096: .file(text)
                default: throw FieldFault("needs auto, none or an absolute path, not \(shown(text))")
                }
            },
            write: { bundle in
                switch bundle {
                case .auto: .text("auto")
                case .none: .text("none")
                case .file(let path): .text(path)
                }
            })
    }
}
