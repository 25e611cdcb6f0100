extension Configuration {
    /// Where images come from.
    public struct Images: Sendable, Hashable {
        /// When the container engine is asked to pull an image.
        public var pull = Pull.missing
        /// The longest pull of one image.
        public var pullTimeout = Duration.minutes(30)
        /// The longest time in which a pull makes no progress.
        public var pullStall = Duration.minutes(2)
        /// The images that are pulled at the same time.
        public var pullsMax = 2
        /// The registries that want credentials.
        public var registries: [RegistryAccess] = []

        /// When an image is pulled.
        public enum Pull: String, Sendable, CaseIterable {
            /// When the container engine does not have it.
            case missing
            /// Never: an image that is not there is an error at once.
            case never
            /// Again and again, so that a tag that moves is followed.
            case always
        }

        /// The section with every value at its default.
        public init() {}
    }
}

/// The credentials of one registry.
public struct RegistryAccess: Sendable, Hashable {
    /// The registry as it stands in front of image names; `docker.io` for names without one.
    public var host = ""
    /// The user.
    public var username = ""
    /// Where the password is read from.
    public var password: SecretSource?

    /// Credentials that name nothing yet.
    public init() {}
}

extension Configuration.Images: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "pull", \.pull, .choice,
            "When the container engine is asked to pull an image. missing: when it does not have it. never: not at all. "
                + "always: whenever an image was not looked at for a minute. Images below slipway/ are built here and "
                + "never pulled.",
            tune: "Write never on machines without a registry, or when keys are given to strangers and "
                + "sandbox.image_allow is not set; always when tags move.")
        Field.value(
            "pull_timeout", \.pullTimeout, .duration(.seconds(10) ... .days(1)),
            "Longest pull of one image. The jobs that wait for it then end as start_failed.",
            tune: "Raise it for images of many gigabytes behind a slow network.")
        Field.value(
            "pull_stall", \.pullStall, .duration(.seconds(5) ... .hours(1)),
            "Longest time in which a pull makes no progress.",
            tune: "Raise it for registries that take long to answer.")
        Field.value(
            "pulls_max", \.pullsMax, .integer(1...64),
            "Images that are pulled at the same time. Further ones wait.",
            tune: "Raise it when many images are used and the network is fast.")
        Field.list(
            "registries", \.registries, max: 256, new: { _ in RegistryAccess() },
            "Credentials of registries. A registry that is not listed gets those of Docker's own config.json (auths, in "
                + "DOCKER_CONFIG or ~/.docker), if it is there.",
            tune: "Add the registries of your private images.")
    }

    package func check() -> [ConfigurationConflict] {
        var hosts: Set<String> = []
        return registries.enumerated().compactMap { index, item in
            guard !hosts.insert(item.host).inserted else { return nil }
            return .init("registries[\(index)].host", message: "is that of an earlier one, too: \(shown(item.host))")
        }
    }
}

extension RegistryAccess: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "host", \.host, .word("a registry such as registry.example.org:5000", extra: ".-:", max: 256),
            "The registry as it stands in front of image names; docker.io for names without one.",
            tune: "Write no scheme and no path.", required: true)
        Field.value(
            "username", \.username, .text("a user name", max: 256),
            "User of the registry.", tune: "Use one that can only read.", required: true)
        Field.value(
            "password", \.password, .optional(.secretSource, null: "no password"),
            "Where the password or token is read from: {env: NAME} or {file: PATH}. It never stands in this file.",
            tune: "Set it together with username.")
    }

    package func check() -> [ConfigurationConflict] {
        password == nil ? [.init("password", with: "username", message: "is missing: username needs it")] : []
    }
}
