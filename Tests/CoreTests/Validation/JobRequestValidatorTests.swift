import SlipwayCore
import Testing

@Suite("Job request validation")
struct JobRequestValidatorTests {
    private func faults(
        limits: RequestLimits = RequestLimits(), task: TaskSpec = .source("def main(): pass"),
        _ change: (inout JobRequest) -> Void = { _ in }
    ) -> [String] {
        var request = JobRequest(task: task)
        change(&request)
        return JobRequestValidator.validate(request, limits: limits).map { "\($0.pointer) \($0.code)" }
    }

    private func faults(command members: String) -> [String] {
        faults(task: TaskSpec(kind: .command, input: .plain(Array("{\"type\":\"command\",\(members)}".utf8))))
    }

    @Test("a plain request has no faults, nor has one that uses everything")
    func right() {
        #expect(faults() == [])
        var limits = RequestLimits()
        limits.mounts = ["/data"]
        limits.secrets = ["TOKEN"]
        #expect(
            faults(limits: limits, task: .command(["/bin/echo", "a"], stdin: "x", files: ["a/b.txt": "y"])) {
                $0.name = "it's \"x\"\n"
                $0.image = "registry.example.org:5000/team/python:3.11@sha256:" + String(repeating: "a", count: 64)
                $0.requirements = ["numpy==2.*", "requests[socks]>=2,<3; python_version >= '3.8'"]
                $0.env = ["MODE": "fast", "_x": "", "PYTHONHASHSEED": "0", "PATH": "/bin"]
                $0.secrets = ["TOKEN"]
                $0.mounts = [.init(source: "/data/in", target: "/in")]
                $0.labels = ["a.b/c-d": "any ünicode"]
                $0.preload = ["numpy", "xml.dom"]
                $0.resources = .init(cpus: 0.5, memoryBytes: 64 << 20, pids: 32)
                $0.timeout = .milliseconds(1)
            } == [])
    }

    @Test(
        "environment names that are no names or dangerous",
        arguments: [
            ("", "invalid-name"), ("A=B", "invalid-name"), ("1A", "invalid-name"), ("A B", "invalid-name"),
            ("A\0", "invalid-name"), ("É", "invalid-name"), ("LD_PRELOAD", "not-allowed"),
            ("LD_LIBRARY_PATH", "not-allowed"), ("LD_AUDIT", "not-allowed"), ("GLIBC_TUNABLES", "not-allowed"),
            ("PYTHONSTARTUP", "not-allowed"), ("PYTHONPATH", "not-allowed"), ("PYTHONHOME", "not-allowed"),
            ("PYTHONINSPECT", "not-allowed"), ("PYTHONBREAKPOINT", "not-allowed"), ("SLIPWAY_X", "not-allowed"),
            ("MINE", "not-allowed"),
        ])
    func environment(_ name: String, _ code: String) {
        var limits = RequestLimits()
        limits.deniedEnvironment = ["MINE"]
        #expect(faults(limits: limits) { $0.env = [name: "x"] } == ["/env/\(name) \(code)"])
    }

    @Test("environment values have no NUL")
    func environmentValues() {
        #expect(faults { $0.env = ["A": "x\0"] } == ["/env/A invalid"])
        #expect(faults { $0.env = ["A/B~": "x"] } == ["/env/A~1B~0 invalid-name"])
    }

    @Test(
        "variables fit into the frame that starts the task, as JSON",
        arguments: [("x", 1), ("é", 2), ("\n", 2), ("\"", 2), ("\\", 2), ("\u{1}", 6), ("\u{1F}", 6), ("/", 1)])
    func environmentSize(_ unit: String, _ bytes: Int) {
        // {"A":"..."} takes 8 bytes beside the value, and one more is counted, for a comma.
        let most = (EnvironmentSize.limitBytes - 9) / bytes
        #expect(faults { $0.env = ["A": String(repeating: unit, count: most)] } == [])
        #expect(faults { $0.env = ["A": String(repeating: unit, count: most + 1)] } == ["/env out-of-range"])
        let half = String(repeating: unit, count: most / 2 + 10)
        #expect(faults { $0.env = ["A": half, "B": half] } == ["/env out-of-range"])
    }

    @Test("the names of preloaded modules have at most 255 bytes")
    func preloadSize() {
        let name = String(repeating: "a.", count: 127)
        #expect(faults { $0.preload = [name + "b"] } == [])
        #expect(faults { $0.preload = ["x", name + "bc"] } == ["/preload/1 out-of-range"])
    }

    @Test(
        "requirements are names with versions and markers",
        arguments: [
            "numpy", "numpy==2.*", "a.b-c_d", "requests [security,tests] >= 2.8.1, == 2.8.*",
            "x ~= 1.0 ; python_version < \"2.7\" and (os_name == 'nt' or extra == 'q')", "y (>=1,<2)", "z===1.0+local",
            "w!=1.0", " spaced ",
        ])
    func requirements(_ text: String) { #expect(faults { $0.requirements = [text] } == []) }

    @Test("exact versions may have hashes, and nothing else may")
    func hashes() {
        let digits = String(repeating: "0a", count: 32)
        let hash = "--hash=sha256:\(digits)"
        let long = "--hash=sha512:\(digits)\(digits)"
        #expect(faults { $0.requirements = ["a==1 \(hash)", "b[x]==1.0; os_name == 'posix' \(hash) \(long)"] } == [])
        let bad = [
            "a \(hash)", "a>=1 \(hash)", "a==1.* \(hash)", "a==1 --hash=md5:\(digits)", "a==1 --hash=sha256:12",
            "a==1 \(hash) --pre", "a==1 --hash=sha256:\(digits.uppercased())", "a==1 --pre \(hash)",
            "a==1 --hash=sha256:\(digits);x", "a==1 --hash \(digits)",
        ]
        for text in bad {
            #expect(faults { $0.requirements = [text] } == ["/requirements/0 invalid-requirement"], "\(text)")
        }
        let many = Array(repeating: hash, count: 300).joined(separator: " ")
        #expect(faults { $0.requirements = ["a==1 \(many)"] } == ["/requirements/0 invalid-requirement"])
    }

    @Test("an index and a project must be on their lists")
    func installation() {
        var limits = RequestLimits()
        #expect(faults(limits: limits) { $0.indexURL = "https://i.example/simple" } == ["/index_url not-allowed"])
        #expect(faults(limits: limits) { $0.project = "/src/a" } == ["/project not-allowed"])
        limits.indexes = ["https://i.example/*"]
        limits.projects = ["/src"]
        #expect(
            faults(limits: limits) {
                $0.indexURL = "https://i.example/simple"
                $0.project = "/src/a"
            } == [])
        for index in [
            "https://u:p@i.example/simple", "https://i.example/simple?x", "ftp://i.example/", "i.example",
            "https://i.example/../x", "https://i.example/a b", "https:///x",
        ] {
            #expect(faults(limits: limits) { $0.indexURL = index } == ["/index_url invalid"], "\(index)")
        }
        #expect(faults(limits: limits) { $0.indexURL = "https://j.example/" } == ["/index_url not-allowed"])
        for project in ["src/a", "/src/../etc", "/", "/src/a:b"] {
            #expect(faults(limits: limits) { $0.project = project } == ["/project invalid"], "\(project)")
        }
        #expect(faults(limits: limits) { $0.project = "/srcs/a" } == ["/project not-allowed"])
    }

    @Test(
        "what is no requirement is refused",
        arguments: [
            ("", "out-of-range"), ("-r requirements.txt", "invalid-requirement"),
            ("--index-url=http://x", "invalid-requirement"), ("numpy --index-url http://x", "invalid-requirement"),
            ("numpy -e .", "invalid-requirement"), ("numpy\n--pre", "invalid-requirement"),
            ("numpy\\", "invalid-requirement"), ("numpy # --pre", "invalid-requirement"),
            ("./local", "invalid-requirement"), ("/abs", "invalid-requirement"), ("a/b", "not-allowed"),
            ("http://x/y.whl", "not-allowed"), ("git+https://x/y", "invalid-requirement"),
            ("pkg @ https://x/y.whl", "not-allowed"), ("x-1.0-py3-none-any.whl", "not-allowed"),
            ("x.tar.gz", "not-allowed"), ("numpy==", "invalid-requirement"), ("numpy=1", "invalid-requirement"),
            ("numpy==1;", "invalid-requirement"), ("numpy; os.system('x')", "invalid-requirement"),
            ("numpy[", "invalid-requirement"), ("numpy(>1", "invalid-requirement"), ("numpy é", "invalid-requirement"),
            ("_x", "invalid-requirement"), ("x-", "invalid-requirement"), ("numpy==1 2", "invalid-requirement"),
            (String(repeating: "x", count: 1001), "out-of-range"),
        ])
    func notRequirements(_ text: String, _ code: String) {
        #expect(faults { $0.requirements = ["ok", text] } == ["/requirements/1 \(code)"])
    }

    @Test("addresses pass where they are allowed, over https only")
    func addresses() {
        var limits = RequestLimits()
        limits.allowsRequirementURLs = true
        #expect(faults(limits: limits) { $0.requirements = ["pkg @ https://x/y.whl ; python_version > '3'"] } == [])
        #expect(
            faults(limits: limits) { $0.requirements = ["pkg @ file:///etc"] }
                == ["/requirements/0 invalid-requirement"])
    }

    @Test(
        "images have the shape of references",
        arguments: [
            ("python", true), ("slipway/python:3.11", true), ("localhost/x", true), ("a.b:5000/c/d:T-1.x", true),
            ("", false), ("-x", false), ("a//b", false), ("/a", false), ("a:", false), ("Upper/x", false),
            ("x@sha256:1", false), ("x y", false), ("x\n", false), ("../x", false), ("a:1:2", false), ("a/b/", false),
        ])
    func images(_ image: String, _ isRight: Bool) {
        #expect(faults { $0.image = image } == (isRight ? [] : ["/image invalid"]))
    }

    @Test("images must be on the list, but for the configured one")
    func imageList() {
        var limits = RequestLimits()
        limits.images = ["registry.example.org/team/*", "python:3.*-slim"]
        limits.defaultImage = "slipway/python:3.11"
        let refused = { (image: String) in faults(limits: limits) { $0.image = image } == ["/image not-allowed"] }
        #expect(!refused("registry.example.org/team/a:1"))
        #expect(!refused("python:3.11-slim"))
        #expect(!refused("slipway/python:3.11"))
        #expect(refused("registry.example.org/teams/a"))
        #expect(refused("python:3.11-slim-x"))
        #expect(refused("evil/registry.example.org/team/a"))
    }

    @Test("resources lie between what works and what is allowed")
    func resources() {
        var limits = RequestLimits()
        limits.cpus = 4
        limits.memoryBytes = 1 << 30
        let pointers = { (resources: ResourceRequest) in faults(limits: limits) { $0.resources = resources } }
        #expect(pointers(.init(cpus: 4, memoryBytes: 1 << 30, pids: 16, tmpBytes: 1 << 20)) == [])
        #expect(pointers(.init(cpus: 4.5)) == ["/resources/cpus limit-exceeded"])
        #expect(pointers(.init(cpus: 0)) == ["/resources/cpus out-of-range"])
        #expect(pointers(.init(cpus: .nan)) == ["/resources/cpus out-of-range"])
        #expect(pointers(.init(memoryBytes: 2 << 30)) == ["/resources/memory limit-exceeded"])
        #expect(pointers(.init(memoryBytes: -1)) == ["/resources/memory out-of-range"])
        #expect(pointers(.init(pids: 1 << 20)) == ["/resources/pids limit-exceeded"])
        #expect(pointers(.init(gpus: .init(count: 1))) == ["/resources/gpus limit-exceeded"])
        limits.gpuDevices = 2
        #expect(faults(limits: limits) { $0.resources.gpus = .init(devices: ["0", "1"]) } == [])
        #expect(
            faults(limits: limits) { $0.resources.gpus = .init(count: 3) } == ["/resources/gpus limit-exceeded"])
        #expect(faults(limits: limits) { $0.resources.gpus = .init(count: 0) } == ["/resources/gpus out-of-range"])
    }

    @Test("mounts stay below what is allowed")
    func mounts() {
        var limits = RequestLimits()
        limits.mounts = ["/data/", "/srv/x"]
        let refused = { (source: String, target: String) in
            faults(limits: limits) { $0.mounts = [.init(source: source, target: target)] }
        }
        #expect(refused("/data", "/in") == [])
        #expect(refused("/data/a/b", "/in") == [])
        #expect(refused("/database", "/in") == ["/mounts/0/source not-allowed"])
        #expect(refused("/", "/in") == ["/mounts/0/source not-allowed"])
        #expect(refused("/data/../etc", "/in") == ["/mounts/0/source invalid"])
        #expect(refused("/data//x", "/in") == ["/mounts/0/source invalid"])
        #expect(refused("/data:x", "/in") == ["/mounts/0/source invalid"])
        #expect(refused("data", "/in") == ["/mounts/0/source invalid"])
        #expect(refused("/data", "/") == ["/mounts/0/target invalid"])
        #expect(refused("/data", "/proc/x") == ["/mounts/0/target not-allowed"])
        limits.writableMounts = ["/data/out"]
        let writable = { (source: String) in
            faults(limits: limits) { $0.mounts = [.init(source: source, target: "/in", writable: true)] }
        }
        #expect(writable("/data/out/x") == [])
        #expect(writable("/data") == ["/mounts/0/mode not-allowed"])
    }

    @Test("commands have arguments that a kernel takes, and files that stay where they belong")
    func commands() {
        #expect(faults(command: #""argv":["a"]"#) == [])
        #expect(faults(command: #""argv":[]"#) == ["/task/argv out-of-range"])
        #expect(faults(command: #""argv":"a""#) == ["/task/argv wrong-type"])
        #expect(faults(command: #""argv":["a\u0000",1]"#) == ["/task/argv/0 invalid", "/task/argv/1 wrong-type"])
        #expect(faults(command: #""protocol":"x""#) == ["/task/protocol invalid", "/task/argv missing"])
        #expect(faults(command: #""argv":["a"],"shell":true"#) == ["/task/shell unknown-field"])
        for name in ["/etc/x", "../x", "a/../x", "a//b", "", "a/", "./a", String(repeating: "x", count: 256), "a\n"] {
            let faults = faults(task: .command(["a"], files: [name: "x"]))
            #expect(faults.count == 1 && faults[0].hasSuffix(" invalid-name"), "\(name)")
        }
        let data = { (text: String) in
            faults(command: #""argv":["a"],"stdin":{"encoding":"base64","data":"\#(text)"}"#)
        }
        #expect(data("AAA=") == [] && data("") == [])
        for bad in ["AAA", "A===", "AA=A", "AA A", "AA-_"] { #expect(data(bad) == ["/task/stdin/data bad-base64"]) }
    }

    @Test("sources have code and a function to call")
    func sources() {
        #expect(faults(task: .source("x", entrypoint: "größe_2")) == [])
        #expect(faults(task: .source("x", entrypoint: "a.b")) == ["/task/entrypoint invalid-name"])
        #expect(faults(task: .source("x", entrypoint: "")) == ["/task/entrypoint invalid-name"])
        #expect(faults(task: .source("")) == ["/task/code invalid"])
        #expect(
            faults(task: .callable(pickle: [], python: "3.11.2")) == ["/task/python invalid", "/task/data invalid"])
        var limits = RequestLimits()
        limits.taskHandlers = ["known"]
        #expect(faults(limits: limits, task: .handler("known")) == [])
        #expect(faults(limits: limits, task: .handler("other")) == ["/task/name unknown-handler"])
    }

    @Test("a handler must run tasks of the type, and only those that do are listed")
    func handlers() {
        var limits = RequestLimits()
        limits.handlers = ["docker", "direct"]
        limits.taskHandlers = ["known"]
        var request = JobRequest(task: .source("def main(): pass"))
        for (handler, isRight) in [("docker", true), ("direct", false), ("process", false), ("", false)] {
            request.handler = handler
            let found = JobRequestValidator.validate(request, limits: limits)
            #expect(found.map(\.pointer) == (isRight ? [] : ["/handler"]))
            #expect(found.allSatisfy { $0.code == "unknown-handler" && $0.detail.hasSuffix("there are: docker") })
        }
        request = JobRequest(task: .handler("known"))
        for (handler, isRight) in [("direct", true), ("docker", false)] {
            request.handler = handler
            let found = JobRequestValidator.validate(request, limits: limits)
            #expect(found.map(\.pointer) == (isRight ? [] : ["/handler"]))
            #expect(found.allSatisfy { $0.detail.hasSuffix("there are: direct") })
        }
    }

    @Test("the rest has its limits too")
    func rest() {
        #expect(faults { $0.name = "" } == ["/name out-of-range"])
        #expect(faults { $0.name = String(repeating: "x", count: 256) } == ["/name out-of-range"])
        #expect(faults { $0.name = "a\0" } == ["/name invalid"])
        #expect(faults { $0.handler = "none" } == ["/handler unknown-handler"])
        #expect(faults { $0.network = "host" } == ["/network not-allowed"])
        #expect(faults { $0.timeout = .zero } == ["/timeout out-of-range"])
        #expect(faults { $0.timeout = .seconds(1_000_000) } == ["/timeout limit-exceeded"])
        #expect(faults { $0.retry.maxAttempts = 21 } == ["/retry/max_attempts limit-exceeded"])
        #expect(faults { $0.retry.backoff = .seconds(-1) } == ["/retry/backoff out-of-range"])
        #expect(faults { $0.priority = 101 } == ["/priority out-of-range"])
        #expect(faults { $0.labels = ["a:b": "x"] } == ["/labels/a:b invalid-name"])
        #expect(faults { $0.labels = ["a": "x\n"] } == ["/labels/a invalid"])
        #expect(faults { $0.preload = ["os; x"] } == ["/preload/0 invalid-name"])
        #expect(faults { $0.secrets = ["X"] } == ["/secrets/0 unknown-secret"])
    }

    @Test("the common kind of all faults becomes the code of the error")
    func codes() {
        let fault = { (code: String) in EngineError.Fault(pointer: "", code: code, detail: "") }
        #expect(EngineError.invalid([fault("limit-exceeded"), fault("limit-exceeded")]).code == .limitExceeded)
        #expect(EngineError.invalid([fault("limit-exceeded"), fault("not-allowed")]).code == .invalidRequest)
        #expect(EngineError.invalid([fault("not-supported")]).code == .notSupported)
        #expect(EngineError.invalid([fault("missing")]).code == .invalidRequest)
    }
}
