import Foundation
import SlipwayCore
import TestSupport

/// Tasks that grow trees of processes, each of which gives signs of life outside of its sandbox for as long as it lives.
struct ProcessTree: Sendable, CustomStringConvertible {
    let description: String
    /// The body of `grow(alive)`; `alive()` gives a sign of life, `alive.forever()` does nothing else.
    let code: String

    /// Signs of life that one round has room for.
    static let width = 16

    static let all: [ProcessTree] = [
        ProcessTree(
            description: "daemons, forked twice, each a session of its own",
            code: """
                for number in range(4):
                    if fork() == 0:
                        os.setsid()
                        if fork() == 0: alive.forever(1 + number)
                        os._exit(0)
                """),
        ProcessTree(
            description: "processes that ignore every signal",
            code: """
                for number in range(64):
                    try: signal.signal(number, signal.SIG_IGN)
                    except (OSError, ValueError): pass
                for number in range(3):
                    if fork() == 0: alive.forever(1 + number)
                """),
        ProcessTree(
            description: "processes that change their id all the time",
            code: """
                for number in range(3):
                    if fork() == 0:
                        os.setsid()
                        while True:
                            alive(1 + number)
                            if fork() > 0: os._exit(0)
                """),
        ProcessTree(
            description: "stopped processes",
            code: """
                for number in range(4):
                    if fork() == 0:
                        os.setsid()
                        alive(1 + number)
                        os.kill(os.getpid(), signal.SIGSTOP)
                        alive.forever(1 + number)
                """),
        ProcessTree(
            description: "a deep tree with threads",
            code: """
                import threading
                for depth in range(5):
                    if fork() > 0: break
                    threading.Thread(target=alive.forever, args=(1 + depth,)).start()
                """),
        ProcessTree(
            description: "programs that were executed",
            code: """
                for number in range(3):
                    if fork() == 0:
                        os.setsid()
                        text = "import os,struct,sys,time\\nfd=os.open('/ledger/signs',1)\\nwhile True: os.pwrite(fd," \\
                            "struct.pack('d',time.time()),%d); time.sleep(0.002)" % (8 * (alive.base + 1 + number))
                        os.execv(sys.executable, [sys.executable, "-S", "-c", text])
                """),
    ]

    /// The task of one round; it says `up` when its tree has grown, and never ends by itself.
    func request(round: Int, ledger: Ledger) -> JobRequest {
        let text = Self.frame.replacingOccurrences(
            of: "    BODY", with: code.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n"))
        var request = JobRequest(task: .source(text, args: [.integer(Int64(round * Self.width))]))
        request.mounts = [.init(source: ledger.folder, target: "/ledger", writable: true)]
        return request
    }

    private static let frame = #"""
        import os, signal, struct, sys, time
        class Alive:
            def __init__(self, base):
                self.base, self.file = base, os.open("/ledger/signs", os.O_WRONLY)
            def __call__(self, number):
                os.pwrite(self.file, struct.pack("d", time.time()), 8 * (self.base + number))
            def forever(self, number):
                while True:
                    self(number)
                    time.sleep(0.002)
        def fork():
            while True:
                try: return os.fork()
                except OSError: time.sleep(0.001)
        def grow(alive):
            BODY
        def main(base):
            alive, root = Alive(base), os.getpid()
            grow(alive)
            if os.getpid() == root: print("up", flush=True)
            alive.forever(0)
        """#

    /// A task that says which processes it sees beside the runner's, how many threads its sandbox has, and when.
    static let probe = """
        import os, time
        def main():
            began = time.time()
            others, stopped, least = 0, 0, 1 << 20
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try: state = open("/proc/%s/stat" % pid).read().rpartition(")")[2].split()[0]
                except OSError: continue
                others += int(pid) not in (1, os.getpid())
                stopped += state in "Tt"
            for _ in range(10):
                for path in ("/sys/fs/cgroup/pids/pids.current", "/sys/fs/cgroup/pids.current"):
                    if os.path.exists(path): least = min(least, int(open(path).read()))
                time.sleep(0.002)
            return [began, others, stopped, least]
        """

    /// When each process of a round gave its last sign of life, in seconds since 1970; those that never did left out.
    static func signs(of round: Int, in ledger: Ledger) throws -> [Double] {
        guard let data = FileManager.default.contents(atPath: ledger.folder + "/signs") else {
            throw TestFailure("no file with signs of life")
        }
        let places = round * width..<(round + 1) * width
        return places.compactMap { place in
            let bytes = data.dropFirst(place * 8).prefix(8)
            guard bytes.count == 8 else { return nil }
            let bits = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return bits == 0 ? nil : Double(bitPattern: bits)
        }
    }
}
