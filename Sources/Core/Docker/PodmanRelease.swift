/// That Podman answers on a Docker-compatible socket, and which version of it.
///
/// It says so with every answer, so that nothing more is asked to know.
package struct PodmanRelease: Sendable, Hashable {
    /// The version of its own interface, which is that of the program, such as 4.3.1.
    package let version: String

    package init(version: String) { self.version = version }

    /// Reads the headers of an answer; nil where another engine gave it.
    init?(_ response: CurlResponse) {
        guard let version = response.head.header("Libpod-Api-Version"), !version.isEmpty else { return nil }
        self.version = version
    }

    /// The path of a call of its own interface.
    func path(_ rest: String) -> String { "/v\(version)/libpod\(rest)" }
}
