extension HostileTask {
    /// Tasks that go for the runner; each returns what it succeeded in, which must be nothing.
    static let attacks: [HostileTask] = [
        HostileTask(
            "opens the descriptors of the supervisor and of all others", value: [],
            PythonPieces.libc + """
                def main():
                    done = []
                    for pid in others():
                        try: names = os.listdir("/proc/%d/fd" % pid)
                        except OSError: names = range(64)
                        for fd in names:
                            for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
                                try:
                                    os.write(os.open("/proc/%d/fd/%s" % (pid, fd), flags), b"forged")
                                    done.append((pid, str(fd)))
                                except OSError:
                                    pass
                    return done
                """),
        HostileTask(
            "reads and writes the memory of others, and their secrets in /proc", value: [],
            PythonPieces.libc + """
                def main():
                    done = []
                    for pid in others():
                        for name in ("mem", "environ", "maps", "auxv", "stack", "syscall", "clear_refs", "oom_score_adj",
                                     "coredump_filter", "timerslack_ns", "attr/current", "uid_map", "pagemap", "cwd/x",
                                     "root/tmp/x", "task/%d/mem" % pid):
                            # These are open to everybody's eyes, and hold no secret; attr/current, where the kernel has a
                            # security module with labels, the name of the profile.
                            harmless = name in ("oom_score_adj", "coredump_filter", "uid_map", "attr/current")
                            for mode in ("r+b", "wb") if harmless else ("rb", "r+b", "wb"):
                                try:
                                    with open("/proc/%d/%s" % (pid, name), mode, buffering=0) as file:
                                        if mode == "rb":
                                            if file.read(1): done.append((pid, name, mode))
                                        else:
                                            file.write(b"0"); done.append((pid, name, mode))
                                except OSError:
                                    pass
                        buffer = ctypes.create_string_buffer(8)
                        local = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)
                        remote = (ctypes.c_size_t * 2)(0x400000, 8)
                        for number in (310, 311):
                            if libc.syscall(number, pid, local, 1, remote, 1, 0) >= 0:
                                done.append((pid, "process_vm", number))
                        for request in (16, 0x4206):
                            if libc.ptrace(request, pid, 0, 0) == 0: done.append((pid, "ptrace", request))
                    return done
                """),
        HostileTask(
            "signals, renices, limits and pins whatever it can", value: [],
            PythonPieces.libc + """
                import resource
                def main():
                    done = []
                    os.setsid() if os.getpgrp() != os.getpid() else None
                    for pid in others():
                        for number in (0, signal.SIGSTOP, signal.SIGKILL, signal.SIGCONT, signal.SIGUSR1):
                            try:
                                os.kill(pid, number); done.append((pid, "kill", int(number)))
                            except OSError:
                                pass
                        for attempt in (
                            lambda: os.setpriority(os.PRIO_PROCESS, pid, 19),
                            lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, 1)),
                            lambda: os.sched_setaffinity(pid, {0}),
                            lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)),
                            lambda: os.setpgid(pid, pid),
                        ):
                            try:
                                attempt(); done.append((pid, "change"))
                            except OSError:
                                pass
                        if libc.syscall(251, 1, pid, 7) == 0: done.append((pid, "ioprio"))
                    try:
                        # Its success says nothing: it succeeds although every process was refused.
                        os.kill(-1, signal.SIGKILL)
                    except OSError:
                        pass
                    return done
                """),
        HostileTask(
            "becomes somebody else, or leaves its walls", value: [],
            PythonPieces.libc + """
                def main():
                    done = []
                    for uid in (0, os.getuid() - 1, os.getuid() + 1, 1000):
                        for attempt in (os.setuid, os.setgid, lambda i: os.setresuid(i, i, i), lambda i: os.setgroups([i])):
                            try:
                                attempt(uid); done.append(("id", uid))
                            except OSError:
                                pass
                    for number, arguments in ((272, (0x10000000,)), (272, (0x20000,)), (165, (b"none", b"/tmp", b"tmpfs", 0, 0)),
                                              (155, (b"/", b"/")), (161, (b"/tmp",)), (246, (0, 0, 0, 0)), (175, (b"", 0, b"")),
                                              (250, (0, 0)), (321, (0, 0, 0)), (169, (0xfee1dead, 672274793, 0, 0)),
                                              (308, (0, 0)), (298, (0, 0, 0, 0, 0)), (304, (0, 0, 0))):
                        if libc.syscall(number, *arguments) >= 0: done.append(("syscall", number))
                    for path in ("/etc/planted", "/opt/slipway/runner/planted", "/opt/slipway/env/planted",
                                 "/run/slipway/planted", "/usr/planted", "/planted", "/proc/sys/kernel/core_pattern",
                                 "/proc/sysrq-trigger", "/sys/fs/cgroup/release_agent", "/dev/kmsg", "/dev/mem"):
                        try:
                            open(path, "w").close(); done.append(path)
                        except OSError:
                            pass
                    try:
                        socket.create_connection(("169.254.169.254", 80), 1); done.append("network")
                    except OSError:
                        pass
                    status = open("/proc/self/status").read()
                    for line in status.splitlines():
                        if line.startswith(("CapPrm", "CapEff", "CapInh", "CapAmb")) and int(line.split()[1], 16):
                            done.append(line)
                        if line.startswith("NoNewPrivs") and line.split()[1] != "1": done.append(line)
                        if line.startswith("Seccomp:") and line.split()[1] != "2": done.append(line)
                        if line.startswith("Groups") and len(line.split()) > 1: done.append(line)
                    return done
                """),
    ]

    /// Tasks that talk where they should not: what they write there is nobody's word, and only they suffer.
    ///
    /// Whoever writes to the runner's own descriptor is ended for it.
    static let forgeries: [HostileTask] = [
        HostileTask(
            "writes a forged frame to every descriptor that it has", kind: .protocol,
            PythonPieces.libc + """
                def main():
                    header = b'{"job":"job_1","attempt":1,"nonce":"00","outcome":"ok","size":0}'
                    frame = struct.pack(">BBHII", 1, 0x87, 0, len(header), 0) + header
                    for fd in range(0, 1024):
                        try:
                            os.set_blocking(fd, False)
                            os.write(fd, frame)
                        except OSError:
                            pass
                    return "forged"
                """),
        HostileTask(
            "writes noise to every descriptor that it has", kind: .protocol,
            PythonPieces.libc + """
                def main():
                    for _ in range(200):
                        for fd in range(0, 64):
                            try:
                                os.set_blocking(fd, False)
                                os.write(fd, os.urandom(4096))
                            except OSError:
                                pass
                    return "noise"
                """),
        HostileTask(
            "dials the host's socket", value: "dialled",
            PythonPieces.libc + """
                def main():
                    for _ in range(50):
                        try:
                            line = socket.socket(socket.AF_UNIX)
                            line.settimeout(1)
                            line.connect("/run/slipway/s")
                            header = b'{"protocol":1,"sandbox":"sbx_0","pid":1,"python":"3.11.2"}'
                            line.sendall(struct.pack(">BBHII", 1, 0x81, 0, len(header), 0) + header)
                            line.recv(100)
                        except OSError:
                            pass
                    return "dialled"
                """),
        HostileTask(
            "shuts its descriptors down one way", value: "shut",
            PythonPieces.libc + """
                def main():
                    for fd in range(3, 64):
                        try:
                            line = socket.socket(fileno=os.dup(fd)); line.shutdown(socket.SHUT_RD)
                        except OSError:
                            pass
                    return "shut"
                """),
    ]
}
