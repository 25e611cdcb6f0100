import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    /// Every limit is read from inside, where the kernel keeps it, and a task tries to go beyond it.
    @Suite(
        "Limits from inside", .serialized, .enabled("no container engine answers", hasContainers),
        .engines {
            $0.pools.defaults.max = 1
            $0.pools.defaults.minIdle = 0
            $0.sandbox.cpus = 0.5
            $0.sandbox.memoryBytes = 160 << 20
            $0.sandbox.pids = 40
            $0.sandbox.tmpBytes = 24 << 20
            $0.sandbox.shmBytes = 8 << 20
            $0.sandbox.openFiles = 96
            $0.jobs.resultLimitBytes = 1 << 20
            $0.jobs.logLimitBytes = 8 << 10
        })
    struct LimitTests {
        private func run(
            _ code: String, within limit: Duration = .seconds(90), _ change: (inout JobRequest) -> Void = { _ in }
        ) async throws -> JobOutcome {
            try await sharedEngine("docker").run(source: code, within: limit, change)
        }

        /// Runs a task that completes, and gives what it returned.
        private func value(_ code: String) async throws -> JSONValue {
            let outcome = try await run(code)
            return try #require(outcome.value, "\(outcome.summary)")
        }

        @Test("cpus: the quota is set, and spinners get no more than it")
        func processors() async throws {
            let value = try await value(
                Inside.cgroup + """

                    import threading, time
                    def main():
                        children = []
                        began, before = time.monotonic(), throttled()
                        for _ in range(3):
                            pid = os.fork()
                            if pid == 0:
                                end = time.monotonic() + 2.0
                                while time.monotonic() < end: pass
                                os._exit(0)
                            children.append(pid)
                        used = sum(sum(os.wait4(pid, 0)[2][:2]) for pid in children)
                        wall = time.monotonic() - began
                        return {"quota": quota(), "share": used / wall, "throttled": throttled() - before}
                    """)
            #expect(value["quota"]?.double == 0.5)
            // Three spinners without a limit would have all the cores that are free.
            let share = try #require(value["share"]?.double)
            #expect(share < 0.8, "three spinners had \(share) cores of 0.5")
            #expect(share > 0.1, "three spinners had only \(share) cores of 0.5")
            #expect(try #require(value["throttled"]?.double) > 0, "the kernel never held them back")
        }

        @Test("memory: the limit holds for memory and swap together")
        func memory() async throws {
            let value = try await value(Inside.cgroup + "\ndef main(): return [memory(), memory_and_swap()]")
            #expect(value == [.integer(160 << 20), .integer(160 << 20)])
            let outcome = try await run(
                "def main():\n    held = []\n    while True: held.append(bytearray(b'x' * (4 << 20)))")
            #expect(outcome.job.error?.kind == .oom, "\(outcome.summary)")
            #expect(outcome.job.error?.message.contains("\(160 << 20)") == true, "\(outcome.summary)")
        }

        @Test("memory: what lies in /tmp and shared memory counts")
        func memoryOfFiles() async throws {
            let outcome = try await run(
                """
                def main():
                    with open("/tmp/a", "wb") as file: file.write(b"x" * (20 << 20))
                    with open("/dev/shm/b", "wb") as file: file.write(b"x" * (7 << 20))
                    held = bytearray(b"x" * (135 << 20))
                    return len(held)
                """)
            #expect(outcome.job.error?.kind == .oom, "\(outcome.summary)")
        }

        @Test("pids: the limit is set, and a task that forks and starts threads meets it")
        func processes() async throws {
            let value = try await value(
                Inside.cgroup + """

                    import threading, time
                    def main():
                        forked, threads = 0, 0
                        try:
                            while forked < 200:
                                if os.fork() == 0: time.sleep(60)
                                forked += 1
                        except BlockingIOError:
                            pass
                        try:
                            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
                            threads = 1
                        except RuntimeError:
                            pass
                        return [pids(), forked, threads]
                    """)
            let numbers = value.elements.compactMap { $0.int }
            #expect(numbers.first == 40)
            #expect(numbers.count == 3 && (20..<40).contains(numbers[1]) && numbers[2] == 0, "\(value)")
        }

        @Test("tmp: its size and its number of files")
        func temporaryFiles() async throws {
            let value = try await value(
                """
                import errno, os
                def fill():
                    size = 0
                    try:
                        with open("/tmp/big", "wb", buffering=0) as file:
                            while size < 1 << 30: size += file.write(b"x" * (1 << 18))
                    except OSError as error:
                        return [errno.errorcode[error.errno], size]
                def many():
                    count = 0
                    try:
                        while count < 100000:
                            os.mknod("/tmp/n%d" % count)
                            count += 1
                    except OSError as error:
                        return [errno.errorcode[error.errno], count]
                def main():
                    state = os.statvfs("/tmp")
                    filled = fill()
                    os.unlink("/tmp/big")
                    return [state.f_frsize * state.f_blocks, state.f_files, filled, many()]
                """)
            let parts = value.elements
            try #require(parts.count == 4, "\(value)")
            #expect(parts[0] == .integer(24 << 20))
            let inodes = try #require(parts[1].int)
            #expect(parts[2].elements.first == "ENOSPC")
            let filled = try #require(parts[2].elements.last?.int)
            #expect((20 << 20...24 << 20).contains(filled), "\(filled) bytes")
            #expect(parts[3].elements.first == "ENOSPC")
            let made = try #require(parts[3].elements.last?.int)
            #expect(made <= inodes && made > inodes / 2, "\(made) of \(inodes) files")
        }

        @Test("shm: its size")
        func sharedMemory() async throws {
            let value = try await value(
                """
                import errno, os
                def main():
                    state = os.statvfs("/dev/shm")
                    size = 0
                    try:
                        with open("/dev/shm/big", "wb", buffering=0) as file:
                            while size < 1 << 30: size += file.write(b"x" * (1 << 18))
                    except OSError as error:
                        return [state.f_frsize * state.f_blocks, errno.errorcode[error.errno], size]
                """)
            let parts = value.elements
            #expect(parts.first == .integer(8 << 20) && parts.dropFirst().first == "ENOSPC", "\(value)")
            let size = try #require(parts.last?.int)
            #expect((7 << 20...8 << 20).contains(size))
        }

        @Test("open files and core files: both limits are set, hard, and met")
        func descriptors() async throws {
            let value = try await value(
                """
                import errno, os, resource
                def main():
                    files = []
                    try:
                        while len(files) < 5000: files.append(os.open("/dev/null", os.O_RDONLY))
                    except OSError as error:
                        met = errno.errorcode[error.errno]
                    for fd in files: os.close(fd)
                    raised = "raised"
                    try: resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
                    except (ValueError, OSError): raised = "refused"
                    pid = os.fork()
                    if pid == 0:
                        os.chdir("/tmp")
                        os.abort()
                    status = os.waitpid(pid, 0)[1]
                    left = sorted(os.listdir("/tmp"))
                    return [list(resource.getrlimit(resource.RLIMIT_NOFILE)), met, len(files), raised,
                            list(resource.getrlimit(resource.RLIMIT_CORE)), os.WCOREDUMP(status),
                            [name for name in left if "core" in name]]
                """)
            let parts = value.elements
            try #require(parts.count == 7, "\(value)")
            #expect(parts[0] == [96, 96] && parts[1] == "EMFILE" && parts[3] == "refused", "\(value)")
            let opened = try #require(parts[2].int)
            #expect((80...96).contains(opened))
            #expect(parts[4] == [0, 0] && parts[5] == false && parts[6] == [], "\(value)")
        }

        @Test("outputs: a result and a log beyond their size")
        func outputs() async throws {
            let result = try await run("def main(): return 'x' * (2 << 20)")
            #expect(result.job.error?.type == "ResultTooLarge", "\(result.summary)")
            let outcome = try await run("def main():\n    for n in range(20000): print('line', n)")
            #expect(outcome.job.state == .completed, "\(outcome.summary)")
            let text = try await sharedEngine("docker").logs(outcome.job.id)
            #expect(text.utf8.count < 10 << 10, "\(text.utf8.count) bytes of output were kept")
            #expect(text.hasPrefix("line 0\n") && text.hasSuffix("line 19999\n"))
        }

        @Test("timeout: a task that goes on is ended")
        func timeout() async throws {
            let outcome = try await run("import time\ndef main(): time.sleep(60)") { $0.timeout = .milliseconds(300) }
            #expect(outcome.job.error?.kind == .timeout, "\(outcome.summary)")
            #expect(try #require(outcome.job.timings.run) < 30)
        }

        @Test("usage: what the task used comes with its end, however it ends")
        func usage() async throws {
            let busy = try await run(
                """
                import time
                def main():
                    held = bytearray(b"x" * (40 << 20))
                    end = time.process_time() + 0.3
                    while time.process_time() < end: pass
                    return len(held)
                """)
            let usage = try #require(busy.job.usage, "\(busy.summary)")
            #expect(usage.cpuSeconds >= 0.3 && usage.cpuSeconds < 5, "\(usage)")
            #expect(usage.maxRSSBytes > 40 << 20 && usage.maxRSSBytes < 160 << 20, "\(usage)")
            let killed = try await run("import os\ndef main(): os.kill(os.getpid(), 9)")
            #expect(try #require(killed.job.usage).maxRSSBytes > 1 << 20)
        }

        @Test("usage: the processor time of what a task leaves behind is in the engine's account")
        func account() async throws {
            func account() async throws -> Double {
                let text = try await sharedEngine("docker").engine.metricsText()
                let line = text.split(separator: "\n").first { $0.hasPrefix("slipway_task_cpu_seconds_total ") }
                return try #require(line?.split(separator: " ").last.flatMap { Double($0) })
            }
            let before = try await account()
            let outcome = try await run(
                """
                import os, time
                def main():
                    if os.fork() == 0:
                        os.setsid()
                        while True: pass
                    time.sleep(1)
                """)
            #expect(try #require(outcome.job.usage).cpuSeconds < 0.25, "\(outcome.summary)")
            // It is known when the sandbox is clean.
            try await waitUntil("the daemon is accounted for") { try await account() - before >= 0.25 }
        }

        @Test("usage: the peak of the sandbox counts every process, files in memory and earlier tasks")
        func memoryPeak() async throws {
            // A size of its own, so that no other test's task was in the sandbox.
            let own: (inout JobRequest) -> Void = { $0.resources.memoryBytes = 150 << 20 }
            let small = try await run("import time\ndef main(): time.sleep(0.1)", own)
            let low = try #require(small.job.usage?.sandboxMemoryPeakBytes, "\(small.summary)")
            #expect(low > 4 << 20 && low < 50 << 20)
            let large = try await run(
                """
                import subprocess, sys
                def main():
                    open("file", "wb").write(b"x" * (16 << 20))
                    code = "held = bytearray(b'x' * (40 << 20)); print(flush=True); input()"
                    child = subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1)
                    child.stdout.readline()
                    child.communicate(b"\\n")
                """, own)
            let usage = try #require(large.job.usage, "\(large.summary)")
            let high = try #require(usage.sandboxMemoryPeakBytes)
            #expect(high > 56 << 20 && high < 150 << 20 && high > usage.maxRSSBytes, "\(usage)")
            #expect(try await sharedEngine("docker").engine.job(large.job.id).usage == usage, "it is kept with the job")
            let after = try await run("import time\ndef main(): time.sleep(0.1)", own)
            #expect(try #require(after.job.usage?.sandboxMemoryPeakBytes) >= high)
            #expect(after.job.sandbox == large.job.sandbox)
            let short = try await run("def main(): pass", own)
            #expect(try #require(short.job.usage).sandboxMemoryPeakBytes == nil, "it costs short tasks nothing")
        }
    }
}

/// Python that reads the control group that a task is in, of version 1 or 2.
enum Inside {
    static let cgroup = """
        import os
        TOP = "/sys/fs/cgroup/"
        def first(*names):
            for name in names:
                try:
                    with open(TOP + name) as file: return file.read()
                except OSError: continue
            raise RuntimeError("none of " + ", ".join(names))
        def quota():
            words = first("cpu.max", "cpu/cpu.cfs_quota_us").split()
            period = words[1] if len(words) > 1 else first("cpu/cpu.cfs_period_us")
            return int(words[0]) / int(period)
        def throttled():
            for line in first("cpu.stat", "cpu/cpu.stat").splitlines():
                if line.startswith("nr_throttled "): return int(line.split()[1])
        def memory(): return int(first("memory.max", "memory/memory.limit_in_bytes"))
        def memory_and_swap():
            if os.path.exists(TOP + "memory.swap.max"): return memory() + int(first("memory.swap.max"))
            return int(first("memory/memory.memsw.limit_in_bytes"))
        def pids(): return int(first("pids.max", "pids/pids.max"))
        """
}

extension JSONValue {
    /// The elements of an array; none of anything else.
    var elements: [JSONValue] {
        if case .array(let elements) = self { elements } else { [] }
    }

    /// A whole number.
    var int: Int? {
        if case .integer(let number) = self { Int(number) } else { nil }
    }

    /// Any number.
    var double: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .number(let number): number
        case .null, .bool, .string, .array, .object: nil
        }
    }
}
