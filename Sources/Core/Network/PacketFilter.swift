import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Sets and reads rules of the kernel's packet filter with `iptables`.
///
/// The tools are called without a shell, with a fixed `PATH`, and wait for each other's lock.
package struct PacketFilter: Sendable {
    /// What a tool answered.
    struct Answer: Sendable {
        var status: Int32
        var output: String
        var fault: String
    }

    private static let folders = ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/local/bin"]
    private static let lockSeconds = "5"

    private let tool: String
    /// The tool for IPv6; nil where the kernel has none.
    private let sixthTool: String?

    /// Finds the tools.
    ///
    /// - Throws: `.notSupported` with what is missing.
    package init() throws {
        guard geteuid() == 0 else {
            throw EngineError(
                .notSupported,
                "the engine does not run as root, so it cannot set the firewall rules that keep sandboxes from the host"
            )
        }
        guard let tool = Self.find("iptables"), Self.find("iptables-restore") != nil else {
            throw EngineError(.notSupported, "iptables is not installed on the engine's machine")
        }
        self.tool = tool
        guard FileManager.default.fileExists(atPath: "/proc/sys/net/ipv6") else {
            sixthTool = nil
            return
        }
        guard let sixth = Self.find("ip6tables") else {
            throw EngineError(.notSupported, "ip6tables is not installed, and the kernel speaks IPv6")
        }
        sixthTool = sixth
    }

    /// Sees whether the rules' table can be read; throws the reason why not.
    package func check() async throws {
        for tool in [tool, sixthTool].compactMap({ $0 }) {
            try await need(tool, ["--wait", Self.lockSeconds, "-t", "raw", "-S", "PREROUTING"])
        }
    }

    /// Makes the rules be there, the chain in one step and before anything is sent into it.
    package func apply(_ rules: EgressRules) async throws {
        try await need(tool + "-restore", ["--wait", Self.lockSeconds, "--noflush"], input: rules.chainText)
        try await insert(rules.jump, with: tool)
        if let sixthTool { try await insert(rules.sixthVersionDrop, with: sixthTool) }
    }

    /// The rules as the kernel has them: what is compared to find out whether somebody removed one.
    package func listing(_ rules: EgressRules) async throws -> [String] {
        var lines = try await lines(of: rules.chain, with: tool)
        lines += try await self.lines(of: "PREROUTING", with: tool).filter { $0.hasSuffix("-j \(rules.chain)") }
        if let sixthTool {
            lines += try await self.lines(of: "PREROUTING", with: sixthTool)
                .filter { $0.contains("-i \(rules.interfacePrefix)+ ") }
        }
        return lines
    }

    /// How many packets each rule of the chain has matched, in order.
    package func counters(_ rules: EgressRules) async throws -> [Int] {
        let output = try await need(
            tool, ["--wait", Self.lockSeconds, "-t", "raw", "-L", rules.chain, "-n", "-v", "-x"])
        return output.split(separator: "\n").dropFirst(2).compactMap { line in
            line.split(separator: " ").first.flatMap { Int($0) }
        }
    }

    /// Removes the rules; those that are not there are left alone.
    package func remove(_ rules: EgressRules) async throws {
        try await delete(rules.jump, with: tool)
        if let sixthTool { try await delete(rules.sixthVersionDrop, with: sixthTool) }
        guard try await run(tool, ["--wait", Self.lockSeconds, "-t", "raw", "-S", rules.chain]).status == 0 else {
            return
        }
        try await need(tool, ["--wait", Self.lockSeconds, "-t", "raw", "-F", rules.chain])
        try await need(tool, ["--wait", Self.lockSeconds, "-t", "raw", "-X", rules.chain])
    }

    private func insert(_ rule: [String], with tool: String) async throws {
        guard try await run(tool, ["--wait", Self.lockSeconds, "-t", "raw", "-C"] + rule).status != 0 else { return }
        let place = [rule[0], "1"] + rule.dropFirst()
        try await need(tool, ["--wait", Self.lockSeconds, "-t", "raw", "-I"] + place)
    }

    private func delete(_ rule: [String], with tool: String) async throws {
        // Somebody may have put it there twice; a rule that is not there ends the search.
        for _ in 0..<8 {
            guard try await run(tool, ["--wait", Self.lockSeconds, "-t", "raw", "-D"] + rule).status == 0 else {
                return
            }
        }
    }

    private func lines(of chain: String, with tool: String) async throws -> [String] {
        let answer = try await run(tool, ["--wait", Self.lockSeconds, "-t", "raw", "-S", chain])
        return answer.status == 0 ? answer.output.split(separator: "\n").map(String.init) : []
    }

    @discardableResult
    private func need(_ tool: String, _ arguments: [String], input: String = "") async throws -> String {
        let answer = try await run(tool, arguments, input: input)
        guard answer.status == 0 else {
            let name = tool.split(separator: "/").last ?? ""
            let reason = answer.fault.split(separator: "\n").first.map(String.init) ?? "status \(answer.status)"
            throw EngineError(.notSupported, "the firewall rules cannot be set: \(name) says: \(reason)")
        }
        return answer.output
    }

    private func run(_ tool: String, _ arguments: [String], input: String = "") async throws -> Answer {
        try await withCheckedThrowingContinuation { continuation in
            // A thread of its own queue: the tool takes milliseconds, and seconds where another one has the lock.
            DispatchQueue.global().async {
                continuation.resume(with: Result { try Self.runBlocking(tool, arguments, input: input) })
            }
        }
    }

    private static func runBlocking(_ tool: String, _ arguments: [String], input: String) throws -> Answer {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: tool)
        process.arguments = arguments
        process.environment = ["PATH": folders.joined(separator: ":"), "LC_ALL": "C"]
        let (given, output, fault) = (Pipe(), Pipe(), Pipe())
        process.standardInput = given
        process.standardOutput = output
        process.standardError = fault
        do {
            try process.run()
            try given.fileHandleForWriting.write(contentsOf: Data(input.utf8))
            try given.fileHandleForWriting.close()
            let text = try output.fileHandleForReading.readToEnd() ?? Data()
            // Warnings only: far less than a pipe holds, so reading one after the other cannot block.
            let faults = try fault.fileHandleForReading.readToEnd() ?? Data()
            process.waitUntilExit()
            return Answer(
                status: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
                fault: String(decoding: faults, as: UTF8.self))
        } catch {
            throw EngineError(.notSupported, "\(tool) cannot be run: \(error.localizedDescription)", cause: error)
        }
    }

    private static func find(_ name: String) -> String? {
        folders.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}
