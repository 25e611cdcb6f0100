import Foundation
import SlipwayCore
import Synchronization

/// A Podman service of the tests' own, on folders of its own.
///
/// It shares neither locks nor storage with a Podman of the machine, and its containers have no network, so that it
/// makes no bridge and no firewall rule.
package final class PodmanEngine: Sendable {
    /// Whether one can be started here: it takes root, podman, and an engine that has the base image.
    package static let isPossible: Bool =
        getuid() == 0 && ContainerEngine.answers
        && ["podman", "curl"].allSatisfy { name in
            ["/usr/bin/", "/usr/local/bin/", "/bin/"].contains {
                FileManager.default.isExecutableFile(atPath: $0 + name)
            }
        }

    package let folder: TemporaryFolder
    private let state: Mutex<(process: Process, input: Pipe)?>

    private init(_ folder: TemporaryFolder, _ process: Process, _ input: Pipe) {
        self.folder = folder
        state = Mutex((process, input))
    }

    deinit { state.withLock { try? $0?.input.fileHandleForWriting.close() } }

    package var host: String { "unix://\(folder.path)/podman.sock" }

    /// Ends with everything that it made when its standard input ends: the groups of processes too, which outlive Podman.
    private static let script = """
        cd "$1" || exit 1
        printf '[engine]\\nlock_type = "file"\\n' >containers.conf
        export CONTAINERS_CONF="$1/containers.conf"
        set -- "$1" --root "$1/root" --runroot "$1/run" --tmpdir "$1/tmp"
        folder=$1
        shift
        groups=$(ls -d /sys/fs/cgroup/*/libpod_parent /sys/fs/cgroup/libpod_parent 2>/dev/null)
        podman "$@" system service --time=0 "unix://$folder/podman.sock" >log 2>&1 </dev/null &
        pid=$!
        cat >/dev/null
        podman "$@" rm --all --force --time 0 >>log 2>&1
        kill "$pid"
        wait "$pid"
        umount -l "$folder/root/overlay" 2>/dev/null
        rm -rf "$folder/root" "$folder/run" "$folder/tmp"
        if [ -z "$groups" ]; then
            for group in /sys/fs/cgroup/*/libpod_parent /sys/fs/cgroup/libpod_parent; do
                rmdir "$group/conmon" "$group" 2>/dev/null
            done
        fi
        exit 0
        """

    /// Starts it and gives it the base image.
    package static func start() async throws -> PodmanEngine {
        let folder = try TemporaryFolder()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", script, "podman", folder.path]
        let input = Pipe()
        process.standardInput = input
        try process.run()
        let engine = PodmanEngine(folder, process, input)
        let archive = folder.path + "/image.tar"
        do {
            try await ContainerEngine.save(image: "slipway/python:3.11", to: archive)
            try await waitUntil("podman answers") {
                FileManager.default.fileExists(atPath: folder.path + "/podman.sock")
            }
            _ = try await engine.withClient { try await $0.loadImages(fromFile: archive) }
            try FileManager.default.removeItem(atPath: archive)
        } catch {
            let log = FileManager.default.contents(atPath: folder.path + "/log") ?? Data()
            try await engine.stop()
            throw TestFailure("\(error); podman says: \(String(decoding: log.suffix(2000), as: UTF8.self))")
        }
        return engine
    }

    /// Ends it.
    package func stop() async throws {
        guard
            let (process, input) = state.withLock({ state in
                defer { state = nil }
                return state
            })
        else { return }
        try input.fileHandleForWriting.close()
        try await onThread { process.waitUntilExit() }
    }

    /// Runs `body` with a client of it.
    package func withClient<Value>(
        isolation: isolated (any Actor)? = #isolation, _ body: (DockerClient) async throws -> Value
    ) async throws -> Value {
        try await DockerClient.with(
            try DockerEndpoint.resolve(configured: host, environment: [:]), isolation: isolation, body)
    }
}
