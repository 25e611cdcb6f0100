import Foundation
import SlipwayCore
import Testing

/// A file that must be refused: the place of its first fault, and words of its message.
struct BadFile: Sendable, CustomTestStringConvertible {
    var yaml: String
    var line: Int
    var column: Int
    var path: String
    var words: String

    init(_ yaml: String, _ line: Int, _ column: Int, _ path: String, _ words: String) {
        (self.yaml, self.line, self.column, self.path, self.words) = (yaml, line, column, path, words)
    }

    var testDescription: String { String(yaml.prefix(60)) }
}

@Suite struct ConfigurationFaultTests {
    private func faults(_ yaml: String, environment: [String: String] = [:]) -> [ConfigurationFault] {
        do {
            _ = try Configuration.load(yaml: yaml, environment: environment)
            return []
        } catch {
            return error.faults
        }
    }

    static let badFiles: [BadFile] = [
        // syntax
        BadFile("jobs: [1, 2", 2, 1, "", "did not find expected"),
        BadFile("jobs:\n\tclaim: strict", 2, 1, "", "tabs"),
        BadFile("jobs:\n  claim: \"strict", 2, 17, "", "quoted scalar"),
        BadFile("jobs: {}\n---\njobs: {}", 2, 1, "", "second document"),
        BadFile("jobs: &a {}\n", 1, 7, "jobs", "anchors"),
        BadFile("jobs:\n  claim: *a\n", 2, 10, "jobs.claim", "aliases"),
        BadFile("jobs: !!map {}\n", 1, 7, "jobs", "tags"),
        BadFile("sandbox:\n  cpus: !!float 1\n", 2, 9, "sandbox.cpus", "tags"),
        BadFile("jobs: {}\nlog: {}\njobs: {}\n", 3, 1, "jobs", "twice; the first is on line 1"),
        BadFile("log:\n  level: info\n  level: debug\n", 3, 3, "log.level", "twice; the first is on line 2"),
        BadFile("[a, b]: 1\n", 1, 1, "", "a key must be a name"),
        BadFile("log:\n  level: \u{7}info\n", 2, 10, "", "control characters"),
        // shape
        BadFile("- a\n- b\n", 1, 1, "", "needs a mapping of keys, not a list"),
        BadFile("just text", 1, 1, "", "needs a mapping of keys, not a single value"),
        BadFile("jobs: 3\n", 1, 7, "jobs", "needs a mapping of keys"),
        BadFile("pools:\n  defaults: [1]\n", 2, 13, "pools.defaults", "needs a mapping of keys, not a list"),
        BadFile("sandbox:\n  memory: [512m]\n", 2, 11, "sandbox.memory", "needs a size, not a list"),
        BadFile("sandbox:\n  image_allow: a\n", 2, 16, "sandbox.image_allow", "needs a list"),
        BadFile("jobs:\n  queue_max:\n", 2, 13, "jobs.queue_max", "leave the key out"),
        // unknown keys
        BadFile("pool:\n  defaults: {}\n", 1, 1, "pool", "did you mean pools?"),
        BadFile("pools:\n  defaults:\n    min_idel: 3\n", 3, 5, "pools.defaults.min_idel", "did you mean min_idle?"),
        BadFile("pools: {defaults: {min-idle: 3}}", 1, 20, "pools.defaults.min-idle", "did you mean min_idle?"),
        BadFile("log:\n  colour: red\n", 2, 3, "log.colour", "known here: level, format"),
        BadFile("log:\n  <<: {level: info}\n", 2, 3, "log.<<", "unknown key"),
        // values
        BadFile("jobs:\n  queue_max: many\n", 2, 14, "jobs.queue_max", "needs a whole number"),
        BadFile("jobs:\n  queue_max: 010\n", 2, 14, "jobs.queue_max", "needs a whole number"),
        BadFile("jobs:\n  queue_max: 1.5\n", 2, 14, "jobs.queue_max", "needs a whole number"),
        BadFile("jobs:\n  queue_max: 99999999999999999999\n", 2, 14, "jobs.queue_max", "needs a whole number"),
        BadFile("jobs:\n  queue_max: 0\n", 2, 14, "jobs.queue_max", "must be from 1 to 10000000, not \"0\""),
        BadFile("gateway:\n  port: 65536\n", 2, 9, "gateway.port", "must be from 0 to 65535"),
        BadFile("sandbox:\n  cpus: nan\n", 2, 9, "sandbox.cpus", "needs a number"),
        BadFile("sandbox:\n  cpus: 0\n", 2, 9, "sandbox.cpus", "must be from 0.01 to 1024.0"),
        BadFile("sandbox:\n  memory: 512q\n", 2, 11, "sandbox.memory", "needs a size such as"),
        BadFile("sandbox:\n  memory: 1k\n", 2, 11, "sandbox.memory", "must be from 32m to 64t"),
        BadFile("sandbox:\n  memory: -512m\n", 2, 11, "sandbox.memory", "needs a size"),
        BadFile("jobs:\n  default_timeout: soon\n", 2, 20, "jobs.default_timeout", "needs a duration such as"),
        BadFile("jobs:\n  default_timeout: 5m1h\n", 2, 20, "jobs.default_timeout", "needs a duration"),
        BadFile("runner:\n  heartbeat: 1ms\n", 2, 14, "runner.heartbeat", "must be from 100ms to 60s, not \"1ms\""),
        BadFile("environments:\n  pip_cache: yes\n", 2, 14, "environments.pip_cache", "needs tenant, shared or none"),
        BadFile(
            "runtime:\n  trusted_tenants_only: yes\n", 2, 25, "runtime.trusted_tenants_only", "needs true or false"),
        BadFile(
            "environments:\n  pip_cache: shared\n  installer: uv\n", 2, 14, "environments.pip_cache",
            "cannot be shared with the installer uv"),
        BadFile("environments:\n  project_allow: [/]\n", 2, 18, "environments.project_allow", "must not hold /"),
        BadFile("pools: {defaults: {on_exhausted: que}}", 1, 34, "pools.defaults.on_exhausted", "queue, cold, reject"),
        BadFile("log:\n  level: inof\n", 2, 10, "log.level", "did you mean info?"),
        BadFile("docker:\n  host: /var/run/docker.sock\n", 2, 9, "docker.host", "unix:// or tcp://"),
        BadFile("data:\n  directory: here\n", 2, 14, "data.directory", "needs an absolute path"),
        BadFile("data:\n  directory: /a/../b\n", 2, 14, "data.directory", "needs an absolute path"),
        BadFile("sandbox:\n  env_deny: [OK, 1A]\n", 2, 18, "sandbox.env_deny[1]", "environment variable"),
        BadFile("sandbox:\n  image: 'a b'\n", 2, 10, "sandbox.image", "needs an image"),
        BadFile("sandbox:\n  network: host\n", 2, 12, "sandbox.network", "none, egress"),
        BadFile("network:\n  allow: [none, host]\n", 2, 17, "network.allow[1]", "needs one of none, egress"),
        BadFile("network:\n  egress: {allow: [10.0.0.1/8]}\n", 2, 20, "network.egress.allow[0]", "10.1.0.0/16"),
        BadFile("network:\n  egress: {dns: [fd00::1]}\n", 2, 18, "network.egress.dns[0]", "IPv4 address"),
        BadFile("network:\n  host_ports: [{name: a}]\n", 2, 16, "network.host_ports[0].port", "is missing"),
        BadFile("network:\n  allow: [host_gateway]\n", 2, 10, "network.allow", "host_ports is empty"),
        BadFile(
            "network:\n  host_ports: [{name: a, port: 1}, {name: b, port: 1}]\n", 2, 52,
            "network.host_ports[1].port", "stands twice"),
        BadFile("environments:\n  ca_bundle: mine\n", 2, 14, "environments.ca_bundle", "auto, none"),
        // what does not fit together
        BadFile("pools:\n  defaults:\n    min_idle: 9\n", 3, 15, "pools.defaults.min_idle", "must not exceed max (4)"),
        BadFile("sandbox:\n  memory: 1g\nlimits:\n  memory: 512m\n", 2, 11, "sandbox.memory", "limits.memory"),
        BadFile("limits: {timeout: 10m}\n", 1, 19, "jobs.default_timeout", "must not exceed limits.timeout (10m)"),
        BadFile("sandbox:\n  mount_allow: [/]\n", 2, 16, "sandbox.mount_allow", "must not hold /"),
        BadFile("runner:\n  heartbeat: 20s\n", 2, 14, "runner.silence", "three heartbeats (60s)"),
        BadFile("gpus:\n  devices: [all, 0]\n", 2, 12, "gpus.devices", "all alone"),
        BadFile("sandbox:\n  user_range: {first: 60000, count: 9000}\n", 2, 37, "sandbox.user_range.count", "65536"),
        BadFile("sandbox:\n  user_range: {count: 3}\n", 2, 23, "sandbox.user_range.count", "at least 4"),
        BadFile(
            "sandbox:\n  user_range: {count: 40}\npools:\n  classes: [{name: a, slots: 32}]\n", 2, 23,
            "sandbox.user_range.count", "at least 68, the user ids of one sandbox (pools.classes[0].slots: 32)"),
        BadFile("docker:\n  tls_cert: /c\n", 2, 13, "docker.tls_key", "tls_cert needs its key"),
        BadFile("pools:\n  classes: [{image: a}]\n", 2, 13, "pools.classes[0].name", "is missing"),
        BadFile("pools:\n  classes: [{name: a}, {name: a}]\n", 2, 31, "pools.classes[1].name", "earlier class"),
        BadFile(
            "pools:\n  classes:\n    - name: a\n      maxx: 3\n", 4, 7, "pools.classes[0].maxx", "did you mean max?"),
        // secrets
        BadFile("secrets:\n  TOKEN: hunter2\n", 2, 10, "secrets.TOKEN", "never stands here"),
        BadFile("secrets:\n  TOKEN: {value: hunter2}\n", 2, 11, "secrets.TOKEN", "known here: env, file"),
        BadFile("secrets:\n  TOKEN: {file: hunter2}\n", 2, 17, "secrets.TOKEN.file", "absolute path"),
        BadFile("secrets: hunter2\n", 1, 10, "secrets", "needs a mapping"),
    ]

    @Test(arguments: badFiles)
    func isRefusedAtItsPlace(_ file: BadFile) throws {
        let faults = faults(file.yaml)
        let fault = try #require(faults.first)
        #expect(faults.count == 1, "\(faults)")
        #expect(fault.file == "config.yaml")
        #expect(fault.line == file.line && fault.column == file.column, "\(fault)")
        #expect(fault.path == file.path)
        #expect(fault.message.contains(file.words), "\(fault)")
        #expect(!fault.description.contains("hunter2"))
    }

    @Test func allFaultsComeAtOnceInTheOrderOfTheFile() {
        let found = faults(
            """
            gateway:
              prot: 80
              host: ""
            jobs:
              claim: *later
              queue_max: 0
            log: {level: loud}
            """, environment: ["SLIPWAY_JOBS_BATCH_MAX": "none", "DOCKER_MEM_LIMIT": "lots"])
        #expect(
            found.map { "\($0)" } == [
                "config.yaml:2:3: gateway.prot: unknown key; did you mean port?",
                "config.yaml:3:9: gateway.host: is empty; needs an address or a host name",
                "config.yaml:5:10: jobs.claim: aliases (*name) are not allowed: write the value out",
                "config.yaml:6:14: jobs.queue_max: must be from 1 to 10000000, not \"0\"",
                "config.yaml:7:14: log.level: needs one of trace, debug, info, notice, warning, error, critical, "
                    + "not \"loud\"",
                "$DOCKER_MEM_LIMIT: sandbox.memory: needs a size such as 512m, 2g or a number of bytes, not \"lots\"",
                "$SLIPWAY_JOBS_BATCH_MAX: jobs.batch_max: needs a whole number, not \"none\"",
            ])
    }

    @Test func columnsCountCharactersNotBytes() {
        #expect(faults("log: {\"ключ\": 1, \"level\": x}").last?.column == 27)
    }

    @Test func credentialsAreNotRepeatedInMessages() {
        let found = faults("environments:\n  index_url: ftp://me:hunter2@index/simple?token=hunter2\n")
        #expect(found.count == 1)
        #expect(found.first?.message.contains("REDACTED") == true)
        #expect(found.first?.message.contains("hunter2") == false)
    }

    @Test func invalidTextIsRefusedAtItsPlace() {
        let document = YAMLDocument(parsing: Array("log:\n  level: a".utf8) + [0xFF, 0x0A], origin: .file("f"))
        #expect(document.root == nil)
        #expect(document.faults.first?.line == 2)
        #expect(document.faults.first?.column == 11)
        #expect(document.faults.first?.message.contains("UTF-8") == true)
    }

    @Test func aByteOrderMarkIsSkipped() throws {
        let document = YAMLDocument(parsing: [0xEF, 0xBB, 0xBF] + Array("log: {}".utf8), origin: .file("f"))
        #expect(document.faults == [])
        #expect(document.root?.find(["log"]) != nil)
    }

    @Test func aMissingFileIsNamed() {
        let error = #expect(throws: ConfigurationError.self) {
            try Configuration.load(path: "/nowhere/config.yaml", environment: [:])
        }
        #expect(error?.description == "/nowhere/config.yaml: cannot be read: there is no such file")
    }

    @Test func becomesAnEngineError() {
        let fault = ConfigurationFault(file: "f", line: 1, column: 2, path: "a.b", message: "is odd")
        let error = EngineError(ConfigurationError(faults: [fault]))
        #expect(error.code == .configuration)
        #expect(error.message == "f:1:2: a.b: is odd")
    }
}
