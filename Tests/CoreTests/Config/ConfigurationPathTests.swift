import SlipwayCore
import Testing

@Suite struct ConfigurationPathTests {
    @Test func foldersFollowTheEnvironment() {
        var data = Configuration.Data()
        #expect(data.directoryPath(environment: ["HOME": "/home/a"]) == "/home/a/.local/share/slipway")
        #expect(data.directoryPath(environment: ["HOME": "/home/a", "XDG_DATA_HOME": "/x"]) == "/x/slipway")
        #expect(data.directoryPath(environment: ["HOME": "/home/a", "XDG_DATA_HOME": "rel"]).hasPrefix("/home/a/"))
        data.directory = "~/s"
        #expect(data.artifactsPath(environment: ["HOME": "/home/a"]) == "/home/a/s/artifacts")
        data.artifacts = "/big"
        #expect(data.artifactsPath(environment: [:]) == "/big")
        #expect(data.socketPath(environment: ["XDG_RUNTIME_DIR": "/run/user/1"]) == "/run/user/1/slipway")
        let long = "/" + String(repeating: "x", count: 60)
        #expect(data.socketPath(environment: ["XDG_RUNTIME_DIR": long]).hasPrefix("/tmp/slipway-"))
    }

    @Test func authoritiesAreFound() {
        var environments = Configuration.Environments()
        #expect(environments.caBundlePath(environment: [:]) == nil)
        #expect(environments.caBundlePath(environment: ["PIP_CERT": "/p", "SSL_CERT_FILE": "/s"]) == "/s")
        environments.caBundle = .none
        #expect(environments.caBundlePath(environment: ["SSL_CERT_FILE": "/s"]) == nil)
        environments.caBundle = .file("/f")
        #expect(environments.caBundlePath(environment: [:]) == "/f")
    }
}
