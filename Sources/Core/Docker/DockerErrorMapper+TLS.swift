extension DockerErrorMapper {
    /// No connection that both sides trust: which of the settings is at fault, as far as the words tell.
    func untrusted(_ error: CurlError) -> EngineError {
        EngineError(
            .containerEngineUnavailable,
            "no trusted connection to the container engine at \(endpoint): \(Self.reason(error.message)) "
                + "(\(error.message))", cause: error)
    }

    /// The answer of an engine that speaks TLS to a client that does not; nil for any other.
    func plainToTLS(_ error: DockerAPIError) -> EngineError? {
        guard error.status == 400, error.message.contains("HTTP request to an HTTPS server") else { return nil }
        return EngineError(
            .containerEngineUnavailable,
            "the container engine at \(endpoint) speaks TLS only: set docker.tls_ca, docker.tls_cert and docker.tls_key, "
                + "or DOCKER_TLS_VERIFY and DOCKER_CERT_PATH", cause: error)
    }

    private static func reason(_ words: String) -> String {
        let lower = words.lowercased()
        func has(_ parts: String...) -> Bool { parts.contains { lower.contains($0) } }
        if has("wrong version number", "packet length", "record layer", "unexpected message") {
            return
                "there is no TLS on this port; name the engine's TLS port, usually 2376, or take the docker.tls_ settings "
                + "and DOCKER_TLS_VERIFY away"
        }
        if has("local client certificate", "private key", "could not load pem", "unable to set") {
            return
                "the client's certificate or key cannot be used: check docker.tls_cert and docker.tls_key, or cert.pem "
                + "and key.pem in DOCKER_CERT_PATH"
        }
        if has("error setting certificate", "ca cert", "cafile") {
            return "the file of the authority cannot be read: check docker.tls_ca, or ca.pem in DOCKER_CERT_PATH"
        }
        if has("alternative certificate subject", "does not match", "common name") {
            return "the engine's certificate is not for this host name: use the name in the certificate in docker.host"
        }
        if has("expired", "not yet valid") { return "the engine's certificate is not valid today: renew it" }
        if has("alert") {
            return
                "the engine does not accept this client: docker.tls_cert and docker.tls_key (cert.pem and key.pem in "
                + "DOCKER_CERT_PATH) must be signed by the authority that the engine was started with"
        }
        if has("issuer", "self-signed", "self signed", "verify") {
            return
                "its certificate is not signed by a trusted authority: docker.tls_ca (ca.pem in DOCKER_CERT_PATH) must "
                + "be the one that signed it"
        }
        return "check docker.tls_ca, docker.tls_cert and docker.tls_key, or DOCKER_CERT_PATH and DOCKER_TLS_VERIFY"
    }
}
