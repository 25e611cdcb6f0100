/// Why an image could not be pulled, in words that name what to change.
struct PullFailure {
    let image: String
    let registry: String
    /// Whether credentials were sent.
    let hasCredentials: Bool

    /// An error that the engine's words tell of; the words themselves are for the operator.
    func error(_ words: String, cause: (any Error)? = nil) -> EngineError {
        var error = sorted(words.lowercased(), cause)
        error.operatorDetail = String(words.prefix(500))
        return error
    }

    private func sorted(_ words: String, _ cause: (any Error)?) -> EngineError {
        func has(_ parts: String...) -> Bool { parts.contains { words.contains($0) } }
        if has("denied", "unauthorized", "authentication required", "no basic auth", "incorrect username", "forbidden")
        {
            let advice =
                hasCredentials
                ? "its credentials in images.registries (or Docker's config.json) are wrong or may not read it"
                : "it does not exist there, or needs credentials: add the registry to images.registries"
            return EngineError(
                .imageNotFound, "the registry \(registry) refuses the image \"\(image)\": \(advice)", cause: cause)
        }
        if has("manifest unknown", "not found", "name unknown", "repository name not known") {
            return EngineError(
                .imageNotFound, "the registry \(registry) has no image \"\(image)\": check its name and tag",
                cause: cause)
        }
        if has("toomanyrequests", "rate limit") {
            return failed("the registry limits how often it is asked; add credentials to images.registries", cause)
        }
        if has("no matching manifest", "no match for platform") {
            return failed("it is not made for the engine's processor architecture", cause)
        }
        if has("no space left") {
            return failed("the engine's disk is full: remove images that nobody needs", cause)
        }
        // Whether a port is open, refuses or speaks something else is said to the operator only.
        return failed(
            "the engine cannot reach the registry \(registry), does not trust its certificate, or gets no answer of a "
                + "registry: check its address, the engine's network and its insecure-registries, or load the image by "
                + "hand", cause)
    }

    /// A pull that took too long.
    func tooLong(_ key: String, _ limit: Duration, _ progress: PullProgress) -> EngineError {
        failed("it took longer than \(key) (\(Quantity.text(limit))) (at \(progress.text))", nil)
    }

    private func failed(_ reason: String, _ cause: (any Error)?) -> EngineError {
        EngineError(.startFailed, "cannot pull the image \"\(image)\": \(reason)", cause: cause)
    }
}
