/// Why an image could not be pulled, in words that name what to change.
struct PullFailure {
    let image: String
    let registry: String
    /// Whether credentials were sent.
    let hasCredentials: Bool

    /// An error that the engine's words tell of.
    func error(_ words: String, cause: (any Error)? = nil) -> EngineError {
        let lower = words.lowercased()
        func has(_ parts: String...) -> Bool { parts.contains { lower.contains($0) } }
        let short = String(words.prefix(500))
        if has("denied", "unauthorized", "authentication required", "no basic auth", "incorrect username", "forbidden")
        {
            let advice =
                hasCredentials
                ? "its credentials in images.registries (or Docker's config.json) are wrong or may not read it"
                : "it does not exist there, or needs credentials: add the registry to images.registries"
            return EngineError(
                .imageNotFound, "the registry \(registry) refuses the image \"\(image)\": \(advice) (\(short))",
                cause: cause)
        }
        if has("manifest unknown", "not found", "name unknown", "repository name not known") {
            return EngineError(
                .imageNotFound,
                "the registry \(registry) has no image \"\(image)\": check its name and tag (\(short))", cause: cause)
        }
        if has("toomanyrequests", "rate limit") {
            return failed(
                "the registry limits how often it is asked; add credentials to images.registries", short, cause)
        }
        if has("no matching manifest", "no match for platform") {
            return failed("it is not made for the engine's processor architecture", short, cause)
        }
        if has("no space left") {
            return failed("the engine's disk is full: remove images that nobody needs", short, cause)
        }
        if has("x509", "certificate", "server gave http response to https client") {
            return failed(
                "the engine does not trust the registry \(registry): its certificate, or the engine's "
                    + "insecure-registries, must be set up where the engine runs", short, cause)
        }
        let unreachable = has(
            "connection refused", "no such host", "timeout", "timed out", "unreachable", "no route", "dial tcp",
            "awaiting headers", "connection reset", "eof", "server misbehaving", "temporary failure")
        if unreachable {
            return failed(
                "the engine cannot reach the registry \(registry): check its address and the engine's network, or load the "
                    + "image by hand", short, cause)
        }
        return failed("the engine could not pull it", short, cause)
    }

    /// A pull that took too long.
    func tooLong(_ key: String, _ limit: Duration, _ progress: PullProgress) -> EngineError {
        failed("it took longer than \(key) (\(Quantity.text(limit)))", "at \(progress.text)", nil)
    }

    private func failed(_ reason: String, _ words: String, _ cause: (any Error)?) -> EngineError {
        EngineError(.startFailed, "cannot pull the image \"\(image)\": \(reason) (\(words))", cause: cause)
    }
}
