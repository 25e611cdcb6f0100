/// Where requests go: an HTTP origin, possibly reached through a unix socket.
package struct CurlOrigin: Sendable, Hashable {
    /// Scheme, host and port, without a trailing slash: `http://localhost`, `https://10.0.0.1:2376`.
    package var base: String
    /// The unix socket to dial instead of the host in `base`.
    package var unixSocketPath: String?
    /// Client certificate and trust anchors, for `https`.
    package var tls: CurlTLS?

    package init(base: String, unixSocketPath: String? = nil, tls: CurlTLS? = nil) {
        self.base = base
        self.unixSocketPath = unixSocketPath
        self.tls = tls
    }
}

/// Files for a TLS connection, all in PEM form.
package struct CurlTLS: Sendable, Hashable {
    /// Certificates that are trusted; the system's when nil.
    package var trustedCertificatesPath: String?
    package var clientCertificatePath: String?
    package var clientKeyPath: String?
    /// Whether the peer's certificate and name are checked.
    package var verifiesPeer: Bool

    package init(
        trustedCertificatesPath: String? = nil, clientCertificatePath: String? = nil, clientKeyPath: String? = nil,
        verifiesPeer: Bool = true
    ) {
        self.trustedCertificatesPath = trustedCertificatesPath
        self.clientCertificatePath = clientCertificatePath
        self.clientKeyPath = clientKeyPath
        self.verifiesPeer = verifiesPeer
    }
}

/// How long a request may take.
package struct CurlTimeouts: Sendable, Hashable {
    /// Until the connection (and TLS) stands.
    package var connect: Duration
    /// From submission to the last byte, waiting for a slot included; nil for no limit.
    package var total: Duration?
    /// Without a byte in either direction, not counting time in which we hold the peer back; nil for no limit.
    package var idle: Duration?

    package init(connect: Duration = .seconds(5), total: Duration? = .seconds(30), idle: Duration? = nil) {
        self.connect = connect
        self.total = total
        self.idle = idle
    }
}

/// One HTTP/1.1 request.
package struct CurlRequest: Sendable {
    /// What is sent as the body.
    package enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// Bytes written while the request runs; chunked when the length is not known.
        case upload(CurlUpload, lengthBytes: Int64?)
    }

    /// Which concurrency limit the request counts against.
    package enum Lane: Sendable, Hashable, CaseIterable {
        /// Answers soon.
        case brief
        /// Stays open for as long as something lasts: events, wait, followed logs.
        case lasting
    }

    package var method: String
    package var origin: CurlOrigin
    /// Path and query, already percent-encoded, beginning with a slash.
    package var target: String
    package var headers: [(name: String, value: String)]
    package var body: Body
    package var timeouts: CurlTimeouts
    package var lane: Lane
    /// Whether a kept-alive connection may carry it.
    ///
    /// libcurl sends a request again by itself when such a connection
    /// turns out to be dead, even if the peer had read it: a request that must not come twice sets this to false.
    package var reusesConnection = true

    package init(
        method: String, origin: CurlOrigin, target: String, headers: [(name: String, value: String)] = [],
        body: Body = .none, timeouts: CurlTimeouts = CurlTimeouts(), lane: Lane = .brief
    ) {
        self.method = method
        self.origin = origin
        self.target = target
        self.headers = headers
        self.body = body
        self.timeouts = timeouts
        self.lane = lane
    }
}
