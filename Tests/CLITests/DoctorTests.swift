import SlipwayCore
import TestSupport
import Testing

@Suite("slipway doctor")
struct DoctorTests {
    /// The checks by name; whatever is not well has a remedy.
    private func checks(_ output: CommandLineTool.Output) throws -> [String: JSONValue] {
        guard case .array(let list) = try output.json()["checks"] else { return [:] }
        for check in list where check["verdict"] != "ok" {
            #expect(check["verdict"] == "warn" || check["verdict"] == "fail", "\(check)")
            #expect(check["remedy"]?.text?.isEmpty == false, "\(check)")
        }
        return Dictionary(list.map { ($0["name"]?.text ?? "", $0) }) { first, _ in first }
    }

    @Test("a container engine that does not answer fails, with a remedy, and ends with 1")
    func noEngine() async throws {
        let tool = try CommandLineTool(.docker, variables: ["DOCKER_HOST": "unix:///nowhere/docker.sock"])
        let output = try await tool.run("doctor", "--json")
        #expect(output.code == 1)
        let engine = try #require(checks(output)["container engine"])
        #expect(engine["verdict"] == "fail")
        #expect(engine["detail"]?.text?.contains("/nowhere/docker.sock") == true)
        #expect(engine["remedy"]?.text?.isEmpty == false)
        #expect(try await tool.run("doctor").out.contains("fail  container engine"))
    }

    @Test("sockets whose path would be too long fail")
    func longSockets() async throws {
        let folder = "/tmp/" + String(repeating: "x", count: 80)
        let tool = try CommandLineTool(variables: ["SLIPWAY_DATA_SOCKET_DIRECTORY": folder])
        let output = try await tool.run("doctor", "--json")
        #expect(output.code == 1)
        #expect(try checks(output)["sockets"]?["verdict"] == "fail")
    }

    @Test("a data folder that is a file, or below one, fails, as the start does in the system's words")
    func dataFile() async throws {
        let tool = try CommandLineTool()
        let file = try tool.write("file", "")
        for path in [file, file + "/data"] {
            let output = try await tool.run("doctor", "--json", variables: ["SLIPWAY_DATA_DIRECTORY": path])
            #expect(output.code == 1)
            let folder = try #require(checks(output)["data folder"])
            #expect(folder["verdict"] == "fail")
            #expect(folder["detail"]?.text == "\(file) is no folder")
            let start = try await tool.run("serve", "--port", "0", variables: ["SLIPWAY_DATA_DIRECTORY": path])
            #expect(start.code == 3)
            #expect(start.err.contains("cannot make the folder \(path) ("), "\(start.err)")
            for word in ["Error", "Domain", "UserInfo"] { #expect(!start.err.contains(word), "\(start.err)") }
        }
    }

    @Test(
        "a base image that the start pulls is a warning, one that it cannot pull a failure",
        .enabled(if: CommandLineTool.hasEngine))
    func missingImage() async throws {
        let tool = try CommandLineTool(.docker)
        for (image, pull, verdict) in [
            ("registry.invalid/none:1", "missing", "warn"), ("registry.invalid/none:1", "never", "fail"),
            ("slipway/none:1", "missing", "fail"),
        ] {
            let output = try await tool.run(
                "doctor", "--json", variables: ["SLIPWAY_SANDBOX_IMAGE": image, "SLIPWAY_IMAGES_PULL": pull])
            let found = try #require(checks(output)["base image"], "\(output.out)")
            #expect(found["verdict"]?.text == verdict, "\(image), \(pull): \(found)")
        }
    }

    @Test(
        "artifacts on a disk of their own are looked at, too",
        .enabled(if: TinyDisk.isPossible, "needs the right to mount a tmpfs"))
    func smallDisk() async throws {
        let disk = try TinyDisk(megabytes: 1)
        let folder = disk.folder.path + "/artifacts"
        let output = try await CommandLineTool(variables: ["SLIPWAY_DATA_ARTIFACTS": folder]).run("doctor", "--json")
        #expect(output.code == 1)
        let finding = try #require(checks(output)["artifacts folder"])
        #expect(finding["verdict"] == "fail" && finding["detail"]?.text?.contains(folder) == true)
        #expect(try await checks(CommandLineTool().run("doctor", "--json"))["artifacts folder"] == nil)
        withExtendedLifetime(disk) {}
    }

    @Test("a faulty configuration fails first")
    func badConfiguration() async throws {
        let tool = try CommandLineTool(variables: ["SLIPWAY_LOG_LEVEL": "loud"])
        let output = try await tool.run("doctor", "--json")
        #expect(output.code == 1)
        #expect(try checks(output)["configuration"]?["verdict"] == "fail")
    }

    @Test("the process runtime is warned of; --deep runs a job in it")
    func processRuntime() async throws {
        let output = try await CommandLineTool(.process).run("doctor", "--deep", "--json")
        #expect(output.code == 0, "\(output.out)")
        let checks = try checks(output)
        #expect(checks["runtime"]?["verdict"] == "warn")
        #expect(checks["sandbox"]?["detail"]?.text?.contains("Python 3.") == true)
    }

    @Test("a real engine is described", .enabled(if: CommandLineTool.hasEngine))
    func engine() async throws {
        let output = try await CommandLineTool(.docker).run("doctor", "--deep", "--json")
        #expect(output.code == 0, "\(output.out)")
        let checks = try checks(output)
        for name in ["container engine", "seccomp", "base image"] { #expect(checks[name]?["verdict"] == "ok") }
        for name in ["runc", "containerd", "cgroups", "limits", "data folder", "sockets", "GPUs"] {
            #expect(checks[name] != nil, "\(name)")
        }
        #expect(checks["sandbox"]?["detail"]?.text?.contains("Python 3.") == true)
        // Who root in a container is on the host.
        let client = try CommandLineTool.engineClient()
        let info = try await client.info()
        await client.shutdown()
        let users = try #require(checks["user namespaces"])
        if info.isRootless || info.usesUserNamespaces {
            #expect(users["verdict"] == "ok")
        } else {
            #expect(users["verdict"] == "warn")
            #expect(users["detail"]?.text?.contains("root in a container is root on the host") == true)
            #expect(users["remedy"]?.text?.contains("userns-remap") == true)
        }
    }
}
