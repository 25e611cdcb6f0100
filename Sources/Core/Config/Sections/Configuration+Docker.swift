extension Configuration {
    /// How the Docker engine is reached.
    public struct Docker: Sendable, Hashable {
        /// The address of the engine; nil for the local socket, see `address`.
        public var host: String?
        /// How the engine speaks with its sandboxes.
        public var transport = Transport.auto
        /// How files of this machine reach containers.
        public var files = Files.auto
        /// The longest wait for a connection.
        public var connectTimeout = Duration.seconds(5)
        /// The longest wait for the answer to one request.
        public var requestTimeout = Duration.seconds(60)
        /// How often an idempotent request is tried again.
        public var retries = 4
        /// The wait before the first of these tries; it doubles each time.
        public var retryBase = Duration.milliseconds(100)
        /// The failures in a row after which the engine counts as down.
        public var circuitFailures = 5
        /// The wait before an engine that counts as down is asked again.
        public var circuitCooldown = Duration.seconds(2)
        /// The containers that are removed at the same time.
        public var removingMax = 4
        /// The file with the authority that signed the engine's certificate.
        public var tlsCA: String?
        /// The file with the client's certificate.
        public var tlsCert: String?
        /// The file with the client certificate's key.
        public var tlsKey: String?

        /// What carries the frames between the engine and its sandboxes.
        public enum Transport: String, Sendable, CaseIterable {
            /// `unix` for an engine behind a unix socket, `attach` for one that is reached over the network.
            case auto
            /// A socket in a folder that both this machine and the container see.
            case unix
            /// The container's standard input and output, through the Docker engine.
            case attach
        }

        /// How the runner and the environments reach containers.
        public enum Files: String, Sendable, CaseIterable {
            /// `bind` for an engine behind a unix socket, `volume` for one that is reached over the network.
            case auto
            /// Folders of this machine are mounted.
            case bind
            /// Volumes of the engine are filled through its API.
            case volume
        }

        /// The section with every value at its default.
        public init() {}

        /// The address of the engine: `host`, or the local socket.
        public var address: String { host ?? "unix:///var/run/docker.sock" }
    }
}

extension Configuration.Docker: ConfigurationSection {
    package static var fields: [ConfigurationField<Self>] {
        Field.value(
            "host", \.host, .optional(.url("unix", "tcp"), null: "unix:///var/run/docker.sock"),
            "Address of the Docker engine.",
            tune: "Set it for an engine on another socket, such as Podman's, or on another machine.",
            fallback: "DOCKER_HOST")
        Field.value(
            "transport", \.transport, .choice,
            "How the engine speaks with its sandboxes. unix: a socket in a folder that the containers mount. attach: "
                + "their standard input and output, through the Docker engine. auto: unix for a unix:// address, "
                + "attach for tcp://.",
            tune: "Write attach where the Docker engine answers on a unix socket and runs in a virtual machine or "
                + "another mount namespace, so that its containers cannot see sockets of this machine.")
        Field.value(
            "files", \.files, .choice,
            "How the runner and installed requirements reach containers. bind: folders of this machine are mounted. "
                + "volume: volumes of the engine are filled through its API. auto: bind for a unix:// address, volume "
                + "for tcp://.",
            tune: "Write volume where the Docker engine answers on a unix socket and cannot mount folders of this "
                + "machine; bind for an engine on tcp:// that runs here.")
        Field.value(
            "connect_timeout", \.connectTimeout, .duration(.milliseconds(100) ... .minutes(5)),
            "Longest wait for a connection to the engine.",
            tune: "Raise it for an engine behind a slow network.")
        Field.value(
            "request_timeout", \.requestTimeout, .duration(.seconds(1) ... .hours(1)),
            "Longest wait for the answer to one request.",
            tune: "Raise it when creating or starting containers takes minutes on a loaded machine.")
        Field.value(
            "retries", \.retries, .integer(0...20),
            "How often a request that may be repeated is tried again.",
            tune: "Raise it when the engine restarts often; 0 reports every failure at once.")
        Field.value(
            "retry_base", \.retryBase, .duration(.milliseconds(1) ... .minutes(1)),
            "Wait before the first of these tries. It doubles each time and is varied at random.",
            tune: "Raise it when retries arrive before the engine is back.")
        Field.value(
            "circuit_failures", \.circuitFailures, .integer(1...1000),
            "Failures in a row after which the engine counts as down: /readyz says so and requests fail at once.",
            tune: "Lower it to notice an engine that is down sooner.")
        Field.value(
            "circuit_cooldown", \.circuitCooldown, .duration(.milliseconds(100) ... .minutes(10)),
            "Wait before an engine that counts as down is asked again.",
            tune: "Lower it to resume sooner, raise it to write fewer log lines during an outage.")
        Field.value(
            "removing_max", \.removingMax, .integer(1...64),
            "Containers that are killed or removed at the same time; further ones wait their turn.",
            tune: "Lower it to 1 for an engine that locks up when many containers end at one moment (Docker 20.10 was "
                + "seen to); raise it where a machine with many processors takes too long to remove its sandboxes.")
        Field.value(
            "tls_ca", \.tlsCA,
            .optional(.path, null: "no TLS, unless tls_cert is set or those variables ask for it"),
            "File with the authority that signed the engine's certificate, for tcp:// with TLS. Where neither this nor "
                + "tls_cert is set, DOCKER_TLS_VERIFY gives TLS, and so does DOCKER_CERT_PATH, with ca.pem, cert.pem and "
                + "key.pem of that folder; without DOCKER_TLS_VERIFY the engine's certificate is then not checked.",
            tune: "Set all three files for an engine on another machine. An open port gives everybody root.")
        Field.value(
            "tls_cert", \.tlsCert, .optional(.path, null: "no client certificate"),
            "File with the client's certificate.",
            tune: "Set it together with tls_key.")
        Field.value(
            "tls_key", \.tlsKey, .optional(.path, null: "no client certificate"),
            "File with the key of the client's certificate.",
            tune: "Set it together with tls_cert, readable by the engine's user only.")
    }

    package func check() -> [ConfigurationConflict] {
        if tlsCert != nil, tlsKey == nil {
            return [.init("tls_key", with: "tls_cert", message: "is missing: tls_cert needs its key")]
        }
        if tlsKey != nil, tlsCert == nil {
            return [.init("tls_cert", with: "tls_key", message: "is missing: tls_key needs its certificate")]
        }
        return []
    }
}
