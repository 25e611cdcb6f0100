extension Configuration {
    /// How environments, the installed sets of Python requirements, are built and kept.
    public struct Environments: Sendable, Hashable {
        /// The image of builders; nil for the job's own.
        public var builderImage: String?
        /// Whether pip keeps a cache volume between builds.
        public var pipCache = true
        /// The package index; nil for pip's own default.
        public var indexURL: String?
        /// Further package indexes.
        public var extraIndexURLs: [String] = []
        /// Folders of wheels on the host, or pages that link to them.
        public var findLinks: [String] = []
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
            "pip_cache", \.pipCache, .bool,
            "Whether pip keeps downloads and built wheels in a cache volume, one per tenant.",
            tune: "Switch it off when disk is scarcer than time.")
        Field.value(
            "index_url", \.indexURL, .optional(.url("https", "http"), null: "pip's own default"),
            "Package index.",
            tune: "Set it to a mirror of your own for speed and control.", fallback: "PIP_INDEX_URL")
        Field.value(
            "extra_index_urls", \.extraIndexURLs, .list(.url("https", "http"), max: 32),
            "Further package indexes. pip takes the highest version from any of them.",
            tune: "Prefer one index that serves both: a stranger's package of the same name can win otherwise.")
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
            "Docker network of builders: bridge, host, none or one that exists.",
            tune: "Name a network from which only the index can be reached, or none with find_links.")
        Field.value(
            "build_timeout", \.buildTimeout, .duration(.seconds(1) ... .hours(24)),
            "Longest build of one environment.",
            tune: "Raise it for requirements that compile.")
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
