import Foundation

/// What the environment store and its builders need to know.
package struct EnvironmentOptions: Sendable {
    /// Names the engine that owns the environments.
    package var engineID: String
    /// The host's folder that holds every environment, mounted read-only in sandboxes.
    package var rootFolder: String
    /// The host's folder of what is known about environments; nothing mounts it.
    package var manifestFolder: String
    /// The host's folder of what builders are told and answer; nothing in it outlives a build.
    package var workFolder: String
    /// The host's folder below which the builder's program is written.
    package var programFolder: String
    /// The host's folder of pip's caches of builds without containers, one below it for each tenant.
    package var cacheFolder: String
    /// The image of builders; nil for the job's own.
    package var builderImage: String?
    /// The images that the configuration names, as it names them.
    package var operatorImages: Set<String> = []
    /// The text of a seccomp profile; nil for the engine's own.
    package var seccompProfile: String?
    /// The OCI runtime of builders, such as `runsc`; nil for the engine's default.
    package var ociRuntime: String?
    /// The image that builds when the job's own has no pip, and that removes environments.
    package var fallbackImage: String
    /// The interpreter of builds without containers, a path or a name on PATH.
    package var python: String
    /// What installs requirements.
    package var installer: Configuration.Environments.Installer
    /// Whose downloads are kept between builds.
    package var pipCache: Configuration.Environments.PipCache
    /// The package index; nil for pip's own default.
    package var indexURL: String?
    /// Further package indexes.
    package var extraIndexURLs: [String]
    /// Folders of wheels on the host, or pages that link to them.
    package var findLinks: [String]
    /// The host's file of authorities that builders trust; nil for those of the image.
    package var caBundle: String?
    /// The proxy of builders.
    package var proxy: String?
    /// The Docker network of builders.
    package var network: String
    /// The name servers of builders in networks of the mode `egress`; empty for the engine's own.
    package var nameServers: [String]
    /// The longest build.
    package var buildTimeout: Duration
    /// The memory of a builder in bytes; swap is not allowed on top.
    package var buildMemoryBytes: Int
    /// The processors of a builder.
    package var buildCpus: Double
    /// The size that all environments together may have, and so each one.
    package var maxTotalBytes: Int
    /// How long an environment of open version ranges serves before it is resolved again.
    package var openRangeTTL: Duration
    /// The versions of cloudpickle that are installed where the image has none.
    package var cloudpickle: String
    /// How many builds run at once.
    package var buildsMax: Int
    /// How many processes and threads a builder may have.
    package var buildPids = 512
    /// The user as whom packages' own code runs in builders; no sandbox uses it.
    package var buildUser = 65_530
    /// Whether the container engine can mount folders of this machine.
    package var sharesFolders = true
    /// How long a failed build is answered from memory.
    package var failureMemory = Duration.seconds(10)

    /// Takes the options from a configuration.
    ///
    /// - Parameters:
    ///   - dataFolder: The engine's data folder.
    ///   - environment: The variables of the engine's own process.
    package init(
        configuration: Configuration, dataFolder: String, engineID: String, environment: [String: String]
    ) {
        let section = configuration.environments
        self.engineID = engineID
        rootFolder = dataFolder + "/environments"
        manifestFolder = dataFolder + "/environment-manifests"
        workFolder = dataFolder + "/builds"
        programFolder = dataFolder + "/builder"
        cacheFolder = dataFolder + "/pip-cache"
        builderImage = section.builderImage
        fallbackImage = configuration.sandbox.image
        python = configuration.runtime.python
        installer = section.installer
        pipCache = section.pipCache
        indexURL = section.indexURL
        extraIndexURLs = section.extraIndexURLs
        findLinks = section.findLinks
        caBundle = section.caBundlePath(environment: environment)
        proxy = section.proxy
        network = section.network
        nameServers = configuration.network.egress.dns
        buildTimeout = section.buildTimeout
        buildMemoryBytes = section.buildMemoryBytes
        buildCpus = section.buildCpus
        buildsMax = section.buildsMax
        maxTotalBytes = section.maxTotalBytes
        openRangeTTL = section.openRangeTTL
        cloudpickle = section.cloudpickle
        ociRuntime = configuration.runtime.ociRuntime
        operatorImages = Set(configuration.pools.classes.compactMap(\.image) + [configuration.sandbox.image])
    }

    /// Whether the operator chose an image, whose programs then do as they should.
    func isOperators(_ image: ResolvedImage) -> Bool { operatorImages.contains(image.reference) }
}
