import SlipwayCore
import Testing

@Suite struct ConfigurationEnvironmentTests {
    private func fault(_ environment: [String: String], yaml: String = "") -> String? {
        do {
            _ = try Configuration.load(yaml: yaml, environment: environment)
            return nil
        } catch {
            return error.description
        }
    }

    @Test func overridesBeatTheFile() throws {
        let configuration = try Configuration.load(
            yaml: "pools:\n  defaults: {min_idle: 2, max: 6}\n",
            environment: [
                "SLIPWAY_POOLS_DEFAULTS_MIN_IDLE": "3", "SLIPWAY_GATEWAY_PORT": "8080",
                "SLIPWAY_SANDBOX_USER_RANGE_FIRST": "30000", "SLIPWAY_SANDBOX_USER_RANGE_COUNT": "1000",
                "SLIPWAY_JOBS_DEFAULT_TIMEOUT": "90", "SLIPWAY_LOG_LEVEL": "debug", "PATH": "/bin",
            ])
        #expect(configuration.pools.defaults.minIdle == 3)
        #expect(configuration.pools.defaults.max == 6)
        #expect(configuration.gateway.port == 8080)
        #expect(configuration.sandbox.userRange == IDRange(first: 30_000, count: 1000))
        #expect(configuration.jobs.defaultTimeout == .seconds(90))
        #expect(configuration.log.level == .debug)
        #expect(configuration.source(of: "pools.defaults.min_idle") == "$SLIPWAY_POOLS_DEFAULTS_MIN_IDLE")
        #expect(configuration.source(of: "pools.defaults.max") == "config.yaml:2")
        #expect(configuration.source(of: "pools.defaults.idle_ttl") == "default")
    }

    @Test func listsAndMappingsCanBeGiven() throws {
        let configuration = try Configuration.load(
            environment: [
                "SLIPWAY_SANDBOX_IMAGE_ALLOW": "slipway/*, example/a:1", "SLIPWAY_SANDBOX_ENV_DENY": "[]",
                "SLIPWAY_POOLS_CLASSES": "[{name: big, memory: 2g, max: 3}]",
                "SLIPWAY_SECRETS": "{TOKEN: {env: MY_TOKEN}}", "SLIPWAY_LIMITS_CPUS": "null",
            ])
        #expect(configuration.sandbox.imageAllow == ["slipway/*", "example/a:1"])
        #expect(configuration.sandbox.envDeny == [])
        #expect(configuration.pools.classes.map(\.name) == ["big"])
        #expect(configuration.pools.classes.first?.memoryBytes == 2 << 30)
        #expect(configuration.secrets == ["TOKEN": .environment("MY_TOKEN")])
        #expect(configuration.limits.cpus == nil)
    }

    @Test func classesStartFromTheEffectiveDefaults() throws {
        let configuration = try Configuration.load(
            yaml: "pools:\n  classes: [{name: a, min_idle: 0}, {name: b, max: 9}]\n  defaults: {max: 5}\n",
            environment: ["SLIPWAY_POOLS_DEFAULTS_IDLE_TTL": "7m"])
        let classes = configuration.pools.classes
        #expect(classes.map(\.policy.max) == [5, 9])
        #expect(classes.map(\.policy.minIdle) == [0, 1])
        #expect(classes.map(\.policy.idleTTL) == [.seconds(420), .seconds(420)])
    }

    @Test func dockerVariablesAreDefaults() throws {
        let variables = [
            "DOCKER_HOST": "unix:///run/user/1000/docker.sock", "DOCKER_MEM_LIMIT": "2g", "DOCKER_CPU_LIMIT": "2.0",
            "DOCKER_GPU_DEVICES": "0,1", "DOCKER_GPU_MEMORY_LIMIT": "8g",
        ]
        let bare = try Configuration.load(environment: variables)
        #expect(bare.docker.host == "unix:///run/user/1000/docker.sock")
        #expect(bare.sandbox.memoryBytes == 2 << 30)
        #expect(bare.sandbox.cpus == 2)
        #expect(bare.gpus.devices == ["0", "1"])
        #expect(bare.gpus.memoryLimitBytes == 8 << 30)
        #expect(bare.source(of: "sandbox.memory") == "$DOCKER_MEM_LIMIT")

        let file = """
            docker: {host: "tcp://h:1"}
            sandbox: {memory: 1g, cpus: 1.5}
            gpus: {devices: [GPU-1a], memory_limit: 4g}
            """
        let filed = try Configuration.load(yaml: file, environment: variables)
        #expect(filed.docker.host == "tcp://h:1")
        #expect(filed.sandbox.memoryBytes == 1 << 30)
        #expect(filed.sandbox.cpus == 1.5)
        #expect(filed.gpus.devices == ["GPU-1a"])
        #expect(filed.gpus.memoryLimitBytes == 4 << 30)

        let overridden = try Configuration.load(
            yaml: file, environment: variables.merging(["SLIPWAY_SANDBOX_MEMORY": "768m"]) { $1 })
        #expect(overridden.sandbox.memoryBytes == 768 << 20)
    }

    @Test func emptyDockerVariablesAreUnset() throws {
        let configuration = try Configuration.load(environment: ["DOCKER_MEM_LIMIT": "", "DOCKER_HOST": ""])
        #expect(configuration == Configuration())
        #expect(configuration.docker.address == "unix:///var/run/docker.sock")
    }

    @Test func aFallbackDoesNotHideAFaultOfTheFile() {
        #expect(
            fault(["DOCKER_MEM_LIMIT": "2g"], yaml: "sandbox: 3")
                == "config.yaml:1:10: sandbox: needs a mapping of keys, not a single value")
    }

    @Test func faultsNameTheVariable() {
        #expect(
            fault(["SLIPWAY_GATEWAY_PORT": "99999"])
                == "$SLIPWAY_GATEWAY_PORT: gateway.port: must be from 0 to 65535, not \"99999\"")
        #expect(fault(["SLIPWAY_GATEWAY_PORT": ""])?.hasPrefix("$SLIPWAY_GATEWAY_PORT: gateway.port: is empty") == true)
        #expect(fault(["SLIPWAY_SECRETS": "[oops"])?.hasPrefix("$SLIPWAY_SECRETS: secrets: ") == true)
        #expect(
            fault(["SLIPWAY_GATEWAY_PROT": "1"])
                == "$SLIPWAY_GATEWAY_PROT: names no setting; did you mean SLIPWAY_GATEWAY_PORT?")
        #expect(fault(["SLIPWAY_POOLS_SIZE_OF_ALL": "1"]) == "$SLIPWAY_POOLS_SIZE_OF_ALL: names no setting")
        #expect(fault(["SLIPWAY_GATEWAY": "{port: 1}"]) != nil)
    }

    @Test func otherVariablesOfTheProductAreLeftAlone() throws {
        let configuration = try Configuration.load(
            environment: [
                "SLIPWAY_CONFIG": "/c", "SLIPWAY_URL": "http://h", "SLIPWAY_KEY": "k", "SLIPWAY_OUTPUT": "/o",
                "SLIPWAY_TEST_X": "1", "SLIPWAY_JOB_ID": "j", "SLIPWAYS": "1",
            ])
        #expect(configuration == Configuration())
        #expect(configuration.warnings == [])
    }

    @Test func whatAContainerPlatformSetsIsReportedOnly() throws {
        let configuration = try Configuration.load(
            environment: ["SLIPWAY_PORT_7433_TCP_ADDR": "10.0.0.1", "SLIPWAY_SERVICE_PORT": "7433"])
        #expect(configuration == Configuration())
        #expect(configuration.warnings.map(\.file) == ["$SLIPWAY_PORT_7433_TCP_ADDR", "$SLIPWAY_SERVICE_PORT"])
    }
}
