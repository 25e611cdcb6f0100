import Foundation

/// What the builder's program is told, in `spec.json`; `docs/environments.md` describes every member.
struct BuildSpec: Encodable {
    enum Mode: String, Encodable {
        case build
        case probe
        case remove
        case close
        case adopt
        case seal
        case survey
    }

    var mode: Mode
    var target = ""
    var requirements: [String] = []
    var additions: [String] = []
    var isHashed = false
    var onlyWheels = false
    var installer = Configuration.Environments.Installer.auto.rawValue
    var project: String?
    var expected: Interpreter?
    var user: Int?
    var group: Int?
    var indexURL: String?
    var extraIndexURLs: [String] = []
    var findLinks: [String] = []
    var noIndex = false
    var cache: String?
    var caBundle: String?
    var proxy: String?
    var timeout = 0.0
    var maxBytes = 0
    var workers = 1
    var names: [String] = []
    var source: String?
    var name: String?
    var draft: String?
    var removes = false

    enum CodingKeys: String, CodingKey {
        case mode, target, requirements, additions, installer, project
        case expected, user, group, cache, proxy, timeout, workers, names, source, name, draft, removes
        case isHashed = "hashed"
        case onlyWheels = "only_wheels"
        case indexURL = "index_url"
        case extraIndexURLs = "extra_index_urls"
        case findLinks = "find_links"
        case noIndex = "no_index"
        case caBundle = "ca_bundle"
        case maxBytes = "max_bytes"
    }

    init(_ mode: Mode) { self.mode = mode }

    /// What an order and the options say, with places as the host names them.
    init(_ order: BuildOrder, options: EnvironmentOptions) {
        mode = .build
        target = order.target
        requirements = order.requirements
        additions = order.additions
        isHashed = order.isHashed
        project = order.project?.path
        installer = options.installer.rawValue
        group = order.groupID
        indexURL = order.indexURL ?? options.indexURL
        if order.usesSharedCache(options) {
            // What others will be given from this cache comes from the index as it is, and no code of a package runs.
            onlyWheels = true
            installer = Configuration.Environments.Installer.pip.rawValue
        }
        extraIndexURLs = options.extraIndexURLs
        findLinks = options.findLinks
        noIndex = options.network == "none"
        caBundle = options.caBundle
        proxy = options.proxy
        timeout = options.buildTimeout.seconds
        maxBytes = options.maxTotalBytes
        workers = max(1, Int(options.buildCpus.rounded(.up)))
    }

    /// Writes it where the program looks for it; it may hold an index's password.
    func write(to work: String) throws {
        try GuestFile.write(try JSONEncoder().encode(self), to: "\(work)/\(Self.fileName)")
    }

    /// The name of the file.
    static let fileName = "spec.json"
}

extension BuildOrder {
    /// Whether the build may use the cache that all tenants share.
    func usesSharedCache(_ options: EnvironmentOptions) -> Bool {
        // Whatever runs in a builder can write to the cache: it takes an image that the operator chose.
        options.pipCache == .shared && isHashed && project == nil
            && (options.builderImage != nil || options.isOperators(image))
    }
}
