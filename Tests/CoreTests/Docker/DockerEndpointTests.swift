import SlipwayCore
import Testing

@Suite("Addresses of container engines")
struct DockerEndpointTests {
    @Test(
        "what DOCKER_HOST may hold is understood",
        arguments: [
            ("unix:///var/run/docker.sock", DockerEndpoint.Address.unix(path: "/var/run/docker.sock")),
            ("tcp://10.0.0.1:2375", .tcp(host: "10.0.0.1", port: 2375)),
            ("tcp://engine.example", .tcp(host: "engine.example", port: 2375)),
            ("tcp://engine.example:99/", .tcp(host: "engine.example", port: 99)),
            ("tcp://[::1]:77", .tcp(host: "::1", port: 77)),
            ("tcp://[::1]", .tcp(host: "::1", port: 2375)),
            ("https://engine:1", .tcp(host: "engine", port: 1)),
        ])
    func understood(text: String, address: DockerEndpoint.Address) throws {
        let endpoint = try DockerEndpoint(parsing: text)
        #expect(endpoint.address == address)
        #expect(try DockerEndpoint(parsing: endpoint.description).address == address)
        #expect((endpoint.tls != nil) == text.hasPrefix("https"))
    }

    @Test(
        "anything else is refused with a reason",
        arguments: [
            "", "docker.sock", "unix://docker.sock", "unix://", "tcp://", "tcp://:2375", "tcp://host:0",
            "tcp://host:65536", "tcp://host:x", "tcp://user@host:1", "tcp://host/path", "tcp://[::1]x:1",
            "ssh://host", "npipe:////./pipe/docker", "tcp://ho st:1", "tcp://host:1\r\nX: y",
            "unix:///" + String(repeating: "x", count: 120),
        ])
    func refused(text: String) {
        let error = #expect(throws: EngineError.self) { try DockerEndpoint(parsing: text) }
        #expect(error?.code == .configuration)
        #expect(error?.message.contains("\"\(text)\"") == true)
    }

    @Test("configuration comes before DOCKER_HOST, and that before the default")
    func precedence() throws {
        let environment = ["DOCKER_HOST": "unix:///env"]
        #expect(
            try DockerEndpoint.resolve(configured: "unix:///c", environment: environment).description == "unix:///c")
        #expect(try DockerEndpoint.resolve(configured: nil, environment: environment).description == "unix:///env")
        #expect(try DockerEndpoint.resolve(configured: "", environment: environment).description == "unix:///env")
        let fallback = try DockerEndpoint.resolve(configured: nil, environment: ["DOCKER_HOST": ""])
        #expect(fallback.description == DockerEndpoint.defaultText)
        #expect(fallback.isLocal)
    }

    @Test("certificates come from DOCKER_CERT_PATH and are checked when DOCKER_TLS_VERIFY says so")
    func certificates() throws {
        var environment = ["DOCKER_HOST": "tcp://h", "DOCKER_CERT_PATH": "/c", "DOCKER_TLS_VERIFY": "1"]
        let endpoint = try DockerEndpoint.resolve(configured: nil, environment: environment)
        #expect(endpoint.address == .tcp(host: "h", port: 2376))
        #expect(
            endpoint.tls
                == CurlTLS(
                    trustedCertificatesPath: "/c/ca.pem", clientCertificatePath: "/c/cert.pem",
                    clientKeyPath: "/c/key.pem"))
        environment["DOCKER_TLS_VERIFY"] = nil
        #expect(try DockerEndpoint.resolve(configured: nil, environment: environment).tls?.verifiesPeer == false)
    }

    @Test("versions compare by number")
    func versions() {
        #expect(DockerAPIVersion("1.41") == DockerAPIVersion.oldest)
        #expect(DockerAPIVersion(1, 9) < DockerAPIVersion(1, 41))
        for text in ["", "1", "1.x", "1.4.1", "-1.4", "1.-4"] { #expect(DockerAPIVersion(text) == nil) }
    }
}
