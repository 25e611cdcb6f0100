import SlipwayCore
import TestSupport
import Testing

/// A task that does harm, and how it must end.
struct HostileTask: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var timeout = Duration.seconds(20)
    /// The kind of error; nil when it completes.
    var kind: JobError.Kind?
    var exitCode: Int?
    /// The result of one that completes.
    var value: JSONValue?
    let code: String

    init(
        _ name: String, timeout: Duration = .seconds(20), kind: JobError.Kind? = nil, exitCode: Int? = nil,
        value: JSONValue? = nil, _ code: String
    ) {
        testDescription = name
        self.timeout = timeout
        self.kind = kind
        self.exitCode = exitCode
        self.value = value
        self.code = code
    }
}

extension HostileTask {
    /// Runs a task that forges, between two plain ones: its end is its own, and the sandbox serves on.
    func checkForgesNothing(on engine: TestEngine) async throws {
        let before = try await engine.run(source: "def main(): pass")
        let outcome = try await engine.run(source: code, within: .seconds(90)) { $0.timeout = timeout }
        let state: JobState = kind == nil ? .completed : .error
        let type: String? = kind == .protocol ? "ProtocolMisuse" : nil
        #expect(outcome.job.state == state, "\(outcome.summary)")
        #expect(outcome.job.error?.kind == kind, "\(outcome.summary)")
        #expect(outcome.job.error?.type == type, "\(outcome.summary)")
        #expect(outcome.value == value, "\(outcome.summary)")
        let log = try await engine.logs(outcome.job.id)
        // What it writes to its own output is output, whatever it looks like.
        #expect(log.isEmpty == (kind == nil), "it printed \(log.prefix(200))")
        try await Probe.check(engine, after: testDescription)
        let after = try await engine.run(source: "def main(): pass")
        #expect(before.job.sandbox == outcome.job.sandbox, "it ran elsewhere")
        #expect(before.job.sandbox == after.job.sandbox, "the sandbox did not survive")
    }
}

/// A well-behaved task that says what it finds of others.
enum Probe {
    /// Everything of an earlier task carries this word in its name or content.
    static let mark = "planted"

    static let code = """
        import builtins, os, socket, sys
        def main(mark):
            found = []
            def note(where, what):
                found.append("%s: %r" % (where, what))
            for folder in ("/tmp", "/dev/shm", "/dev/mqueue", "/run", "/var/tmp", os.getcwd(), os.environ["HOME"]):
                for base, names, files in os.walk(folder):
                    for name in names + files:
                        if mark in name: note(base, name)
                    # Not further than one level: the rest belongs to the image.
                    if base != folder: names[:] = []
            if os.listdir(os.getcwd()): note("cwd", os.listdir(os.getcwd()))
            for pid in filter(str.isdigit, os.listdir("/proc")):
                if int(pid) == os.getpid(): continue
                try:
                    if os.stat("/proc/" + pid).st_uid == os.getuid(): note("process of my uid", pid)
                    line = open("/proc/%s/cmdline" % pid, "rb").read()
                    if mark.encode() in line: note("process", line)
                except OSError:
                    pass
            for kind in ("shm", "sem", "msg"):
                with open("/proc/sysvipc/" + kind) as table:
                    for line in table.read().splitlines()[1:]: note(kind, line)
            with open("/proc/net/unix") as table:
                for line in table.read().splitlines()[1:]:
                    if mark in line: note("socket", line)
            for name, value in os.environ.items():
                if mark in name or mark in value: note("env", name)
            for fd in os.listdir("/proc/self/fd"):
                try:
                    target = os.readlink("/proc/self/fd/" + fd)
                except OSError:
                    continue
                if mark in target: note("descriptor", target)
                if int(fd) > 2 and not target.startswith(("socket:", "anon_inode:", "/proc/")): note("fd", target)
            if hasattr(builtins, mark) or mark in sys.modules: note("module", mark)
            if os.nice(0) != 0: note("nice", os.nice(0))
            try:
                with open("probe-file", "wb") as file: file.write(b"x" * 1000000)
            except OSError as error:
                note("disk", str(error))
            return found
        """

    /// Runs it, and a sum beside it; the engine must be as good as new.
    static func check(_ engine: TestEngine, after name: String) async throws {
        let outcome = try await engine.run(source: code, args: [.string(mark)])
        #expect(outcome.job.state == .completed, "after \(name): \(outcome.summary)")
        #expect(outcome.value == [], "after \(name) the next task finds something")
    }
}

/// Python that calls the kernel without the help of the libraries.
enum PythonPieces {
    static let libc = """
        import ctypes, os, sys, time, signal, socket, struct, errno
        libc = ctypes.CDLL(None, use_errno=True)
        def others():
            return [int(p) for p in os.listdir("/proc") if p.isdigit() and int(p) != os.getpid()]

        """
}
