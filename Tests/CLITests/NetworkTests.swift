import Foundation
import SlipwayCore
import Testing

@Suite("Network modes on the command line")
struct NetworkTests {
    private static let isRoot = geteuid() == 0

    @Test(
        "egress is refused with the reason where the rules would be set in the wrong place",
        .enabled(if: CommandLineTool.hasEngine && isRoot))
    func wrongNetwork() async throws {
        let tool = try CommandLineTool(.docker)
        // The engine sees a network of its own, as in a container; the container engine is still reached by its socket.
        let process = try RunningTool(
            URL(fileURLWithPath: "/usr/bin/unshare"),
            [
                "--net", "sh", "-c", "ip link set lo up && exec \"$0\" run --network egress -c 'print(1)'", tool.path,
            ], environment: tool.environment, folder: tool.folder)
        let output = try await process.end()
        #expect(output.code != 0)
        #expect(output.out == "")
        #expect(output.err.contains("The network mode egress cannot be had here"), "\(output.err)")
        #expect(output.err.contains("run it on the container engine's machine"), "\(output.err)")
    }

    @Test("egress works for whoever runs an engine of their own", .enabled(if: CommandLineTool.hasEngine && isRoot))
    func egress() async throws {
        let tool = try CommandLineTool(.docker)
        let code = "import os; print(sorted(os.listdir('/sys/class/net')))"
        let output = try await tool.run("run", "--network", "egress", "-c", code)
        #expect(output.code == 0, "\(output.err)")
        #expect(output.out == "['eth0', 'lo']\n")
    }

    @Test("doctor says that egress needs root", .enabled(if: isRoot))
    func doctorWithoutRoot() async throws {
        let tool = try CommandLineTool(.process)
        let config = try tool.write("c.yaml", "network: {allow: [egress, bridge]}\n")
        let process = try RunningTool(
            URL(fileURLWithPath: "/usr/bin/env"),
            ["setpriv", "--reuid", "65534", "--clear-groups", tool.path, "doctor", "--config", config],
            environment: tool.environment, folder: tool.folder)
        let output = try await process.end()
        #expect(output.code == 1)
        #expect(output.out.contains("fail  network egress     the engine does not run as root"), "\(output.out)")
        #expect(output.out.contains("warn  network bridge"), "\(output.out)")
    }

    @Test("doctor looks for the named ports of the host")
    func doctorHostPorts() async throws {
        let tool = try CommandLineTool(.process)
        let config = try tool.write(
            "c.yaml", "network: {allow: [host_gateway], host_ports: [{name: closed, port: 1}]}\n")
        let output = try await tool.run("doctor", "--config", config)
        #expect(output.out.contains("nothing listens on 127.0.0.1:1"), "\(output.out)")
    }
}
