extension EscapeAttempt {
    /// Ways through the supervisor and the zygote.
    static let processes: [EscapeAttempt] = [
        EscapeAttempt(
            "reads secrets of PID 1 and the zygote: mem, environ, maps, auxv, stack, syscall",
            """
            def attempt():
                return first(
                    refused(lambda: open("/proc/%d/%s" % (pid, name), "rb").read(64) or 1)
                    for pid in others() for name in ("mem", "environ", "maps", "smaps", "auxv", "stack", "syscall", "io"))
            """),
        EscapeAttempt(
            "enters the root and the working folder of others, lists and opens their descriptors",
            """
            def attempt():
                return first(
                    refused(function) for pid in others() for function in (
                        lambda: os.listdir("/proc/%d/root" % pid), lambda: os.listdir("/proc/%d/cwd" % pid),
                        lambda: os.listdir("/proc/%d/fd" % pid), lambda: os.readlink("/proc/%d/fd/1" % pid),
                        lambda: os.open("/proc/%d/fd/1" % pid, os.O_WRONLY), lambda: os.readlink("/proc/%d/exe" % pid),
                        lambda: os.listdir("/proc/%d/map_files" % pid), lambda: os.readlink("/proc/%d/ns/mnt" % pid)))
            """),
        EscapeAttempt(
            "traces PID 1 and the zygote: ATTACH, SEIZE",
            """
            def attempt():
                return first(got("ptrace", request, pid, 0, 0) for pid in others() for request in (16, 0x4206))
            """),
        EscapeAttempt(
            "copies memory of PID 1 with process_vm_readv and writes it with process_vm_writev",
            """
            def attempt():
                buffer = ctypes.create_string_buffer(8)
                local = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)
                remote = (ctypes.c_size_t * 2)(0x400000, 8)
                return first(
                    got(name, pid, local, 1, remote, 1, 0)
                    for pid in others() for name in ("process_vm_readv", "process_vm_writev"))
            """),
        EscapeAttempt(
            "takes a descriptor of PID 1 by pidfd_getfd, compares its resources with kcmp, moves its pages",
            """
            def attempt():
                handle = call("pidfd_open", 1, 0)
                taken = [got("pidfd_getfd", handle, fd, 0) for fd in range(16)] if handle >= 0 else []
                return first(taken + [got("kcmp", os.getpid(), 1, 0, 0, 0), got("move_pages", 1, 0, 0, 0, 0, 0)])
            """),
        EscapeAttempt(
            "overwrites the program of PID 1 through /proc/1/exe and its own, as CVE-2019-5736 did with runc",
            """
            def attempt():
                paths = ["/proc/1/exe", "/proc/self/exe", "/proc/self/fd/../exe"]
                return first(refused(lambda: os.open(path, os.O_WRONLY)) for path in paths)
            """),
        EscapeAttempt(
            "finds a leaked folder of the host among its descriptors, as CVE-2024-21626",
            """
            def attempt():
                for fd in os.listdir("/proc/self/fd"):
                    try:
                        place = os.readlink("/proc/self/fd/" + fd)
                    except OSError:
                        continue
                    if place.startswith("/") and not place.startswith(("/dev/null", "/proc/", "/tmp/")):
                        return place
                return None
            """),
        EscapeAttempt(
            "signals, stops and renices PID 1 and the zygote",
            """
            def attempt():
                return first(
                    refused(function) for pid in others() for function in (
                        lambda: os.kill(pid, 0), lambda: os.kill(pid, 19), lambda: os.setpriority(0, pid, 5),
                        lambda: os.sched_setaffinity(pid, {0})))
            """),
    ]

    /// Ways through the kernel's interfaces.
    static let kernel: [EscapeAttempt] = [
        EscapeAttempt(
            "mounts: tmpfs, proc, a bind, a remount of the root, and the newer calls",
            """
            def attempt():
                return first([
                    got("mount", b"none", b"/tmp", b"tmpfs", 0, 0), got("mount", b"none", b"/proc", b"proc", 0, 0),
                    got("mount", b"/", b"/tmp", b"", 4096, 0), got("mount", b"", b"/", b"", 32, 0),
                    got("umount2", b"/proc/sys", 2), got("fsopen", b"tmpfs", 0), got("fsmount", 0, 0, 0),
                    got("open_tree", -100, b"/", 1), got("move_mount", -100, b"/", -100, b"/tmp", 0),
                    got("mount_setattr", -100, b"/", 0, ctypes.create_string_buffer(32), 32)])
            """),
        EscapeAttempt(
            "makes namespaces: user, mount, network, pid, by unshare, clone and clone3",
            """
            def attempt():
                flags = (0x10000000, 0x20000, 0x40000000, 0x20000000, 0x08000000, 0x04000000, 0x02000000)
                for flag in flags:
                    answer = call("clone", flag | 17, 0, 0, 0, 0)
                    if answer == 0:
                        os._exit(0)
                    if answer > 0:
                        return "clone %x made %d" % (flag, answer)
                return first([got("unshare", flag) for flag in flags])
            """),
        EscapeAttempt(
            "enters namespaces of PID 1 and its own by setns",
            """
            def attempt():
                for pid in ("1", "self"):
                    for kind in ("user", "mnt", "net", "pid", "ipc", "uts"):
                        try:
                            handle = os.open("/proc/%s/ns/%s" % (pid, kind), os.O_RDONLY)
                        except OSError:
                            continue
                        if call("setns", handle, 0) >= 0:
                            return "entered " + kind
                return None
            """),
        EscapeAttempt(
            "changes its root: chroot and pivot_root",
            """
            def attempt():
                return first([refused(lambda: os.chroot("/tmp")), got("pivot_root", b"/tmp", b"/tmp")])
            """),
        EscapeAttempt(
            "opens files of the host by handle, as shocker did",
            """
            def attempt():
                handle = struct.pack("IiII", 8, 1, 2, 0)
                return got("open_by_handle_at", os.open("/", os.O_RDONLY), ctypes.create_string_buffer(handle), 0)
            """),
        EscapeAttempt(
            "uses the kernel's keyrings, which no namespace divides",
            """
            def attempt():
                return first([
                    got("keyctl", 0, -3, 0), got("keyctl", 1, 0), got("add_key", b"user", b"k", b"v", 1, -3),
                    got("request_key", b"user", b"k", 0, -3)])
            """),
        EscapeAttempt(
            "loads programs and watches the kernel: bpf, perf_event_open, userfaultfd, fanotify",
            """
            def attempt():
                space = ctypes.create_string_buffer(struct.pack("IIII", 2, 4, 4, 1) + bytes(112))
                return first([
                    got("bpf", 0, space, 72), got("bpf", 5, space, 72), got("perf_event_open", space, 0, -1, -1, 0),
                    got("userfaultfd", 0), got("fanotify_init", 0, 0)])
            """),
        EscapeAttempt(
            "restarts the machine, loads kernels and modules",
            """
            def attempt():
                return first([
                    got("reboot", 0xfee1dead, 672274793, 0, 0), got("kexec_load", 0, 0, 0, 0),
                    got("init_module", b"", 0, b""), got("finit_module", 0, b"", 0), got("delete_module", b"x", 0)])
            """),
        EscapeAttempt(
            "sets the clock, the host's name, swap, quotas, accounting, port access",
            """
            def attempt():
                time = struct.pack("qq", 1000000000, 0)
                space = ctypes.create_string_buffer(time)
                # adjtimex with ADJ_OFFSET; reading alone is open to everybody.
                offset = ctypes.create_string_buffer(struct.pack("I", 1) + bytes(300))
                ports = [got("iopl", 3), got("ioperm", 0, 8, 1)] if platform.machine() == "x86_64" else []
                return first(ports + [
                    got("settimeofday", space, 0), got("clock_settime", 0, space), got("adjtimex", offset),
                    got("sethostname", b"x", 1), got("setdomainname", b"x", 1), got("swapon", b"/tmp/x", 0),
                    got("quotactl", 0, b"/", 0, 0), got("acct", b"/tmp/x"), got("vhangup")])
            """),
        EscapeAttempt(
            "reads the kernel's log",
            """
            def attempt():
                buffer = ctypes.create_string_buffer(4096)
                return first([
                    got("syslog", 3, buffer, 4096), refused(lambda: os.open("/dev/kmsg", os.O_RDONLY)),
                    refused(lambda: open("/proc/kmsg", "rb").read(1))])
            """),
        EscapeAttempt(
            "opens raw, packet and netlink sockets that change something, and binds to a device",
            """
            def attempt():
                def device():
                    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    line.setsockopt(socket.SOL_SOCKET, 31, 1 << 20)
                    return "priority"
                def route():
                    line = socket.socket(16, socket.SOCK_RAW, 0)
                    # RTM_NEWLINK, a dummy interface.
                    line.send(struct.pack("IHHII", 32, 16, 0x405, 1, 0) + bytes(16))
                    answer = line.recv(4096)
                    code = struct.unpack_from("i", answer, 16)[0]
                    if code < 0:
                        raise OSError(-code, "refused")
                    return answer
                return first([
                    refused(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)),
                    refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
                    refused(lambda: socket.socket(40, socket.SOCK_STREAM).connect((2, 22))), refused(route)])
            """),
    ]

    /// Ways through files.
    static let files: [EscapeAttempt] = [
        EscapeAttempt(
            "writes below /sys and /proc/sys: release_agent, uevent_helper, core_pattern, modprobe, binfmt_misc",
            """
            def attempt():
                paths = [
                    "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/panic_on_oom",
                    "/proc/sys/kernel/randomize_va_space", "/proc/sys/fs/binfmt_misc/register", "/proc/sysrq-trigger",
                    "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/shmmax", "/proc/irq/0/smp_affinity",
                    "/proc/bus/pci", "/proc/acpi/wakeup", "/proc/scsi/scsi",
                    "/sys/kernel/uevent_helper", "/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/memory/release_agent",
                    "/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                    "/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/pids/cgroup.procs",
                    "/sys/kernel/mm/ksm/run", "/sys/power/state", "/sys/class/net/lo/mtu"]
                return first(refused(lambda: os.open(path, os.O_WRONLY)) for path in paths)
            """),
        EscapeAttempt(
            "reads what the container engine masks: kcore, keys, sched_debug, firmware, debugfs",
            """
            def attempt():
                for path in ("/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/latency_stats",
                             "/proc/kpagecount", "/proc/kallsyms"):
                    try:
                        data = open(path, "rb").read(4096)
                    except OSError:
                        continue
                    # Symbols may be listed, with every address hidden.
                    if data and not (path == "/proc/kallsyms" and set(data.split()[0]) == {48}):
                        return path
                for path in ("/sys/firmware", "/sys/kernel/debug", "/sys/kernel/tracing", "/proc/acpi", "/proc/scsi"):
                    try:
                        if os.listdir(path):
                            return path
                    except OSError:
                        pass
                return None
            """),
        EscapeAttempt(
            "makes devices and opens those of the host",
            """
            import stat
            def attempt():
                paths = ("/dev/mem", "/dev/kmem", "/dev/port", "/dev/sda", "/dev/vda", "/dev/kvm", "/dev/fuse",
                         "/dev/loop-control", "/dev/mapper/control", "/dev/net/tun", "/dev/vhost-net")
                return first(
                    [refused(lambda: os.mknod("/tmp/device", stat.S_IFCHR | 0o666, os.makedev(1, 1)) or "made"),
                     refused(lambda: os.mknod("disk", stat.S_IFBLK | 0o666, os.makedev(8, 0)) or "made")]
                    + [refused(lambda: os.open(path, os.O_RDWR)) for path in paths])
            """),
        EscapeAttempt(
            "gains rights by programs with setuid bits: no-new-privileges holds",
            """
            import glob
            def attempt():
                for path in ("su", "mount", "passwd", "chsh", "newgrp", "ping"):
                    for folder in ("/bin/", "/usr/bin/"):
                        if not os.path.exists(folder + path):
                            continue
                        child = subprocess.Popen(
                            [folder + path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                        try:
                            status = open("/proc/%d/status" % child.pid).read()
                        except OSError:
                            status = ""
                        child.kill(); child.wait()
                        rows = [row for row in status.splitlines() if row.startswith("Uid:")]
                        if rows and "0" in rows[0].split()[1:]:
                            return folder + path
                copy = "own"
                with open("/bin/sh", "rb") as program, open(copy, "wb") as made: made.write(program.read())
                os.chmod(copy, 0o6755)
                uid = subprocess.run(["./" + copy, "-p", "-c", "id -u"], capture_output=True, text=True).stdout
                return "uid " + uid if uid.strip() == "0" else None
            """),
        EscapeAttempt(
            "becomes root or another user, or takes capabilities",
            """
            def attempt():
                header = struct.pack("II", 0x20080522, 0)
                wanted = struct.pack("IIIIII", *[0xFFFFFFFF] * 6)
                numbers = (126, 91)
                libc.syscall.restype = ctypes.c_long
                raised = libc.syscall(
                    ctypes.c_long(numbers[0 if platform.machine() == "x86_64" else 1]),
                    ctypes.create_string_buffer(header), ctypes.create_string_buffer(wanted))
                ambient = libc.prctl(47, 2, 21, 0, 0)
                answers = ["capset" if raised == 0 else None, "ambient" if ambient == 0 else None]
                for uid in (0, os.getuid() - 1, os.getuid() + 1):
                    answers += [
                        refused(lambda: os.setuid(uid) or "setuid"), refused(lambda: os.setgid(uid) or "setgid"),
                        refused(lambda: os.setgroups([uid]) or "setgroups"),
                        refused(lambda: os.setresuid(uid, uid, uid) or "setresuid")]
                return first(answers)
            """),
        EscapeAttempt(
            "writes where the image, the runner and the environments lie",
            """
            def attempt():
                paths = ("/", "/etc", "/usr", "/bin", "/var", "/root", "/opt/slipway/runner", "/opt/slipway/env",
                         "/run/slipway", "/sys", "/proc", "/dev", "/home")
                return first(
                    refused(lambda: os.open(path + "/planted", os.O_WRONLY | os.O_CREAT)) for path in paths)
            """),
        EscapeAttempt(
            "walks out of the root by dots, links and open folders",
            """
            def attempt():
                root = os.stat("/")
                top = os.stat("/" + "../" * 40)
                if (top.st_dev, top.st_ino) != (root.st_dev, root.st_ino):
                    return "dots"
                os.symlink("/proc/1/root", "link")
                os.symlink("/proc/1/cwd", "cwd")
                return first(refused(lambda: os.listdir(name)) for name in ("link", "cwd", "/proc/1/root/../.."))
            """),
        EscapeAttempt(
            "finds the container engine's socket or the engine's data",
            """
            def attempt():
                paths = ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock",
                         "/run/podman/podman.sock", "/run/slipway/../docker.sock")
                found = [path for path in paths if os.path.exists(path)]
                mounts = open("/proc/self/mountinfo").read()
                return found or ("socket" if "docker.sock" in mounts or "jobs.sqlite" in mounts else None)
            """),
        EscapeAttempt(
            "raises its own limits, and leaves its seccomp filter and no-new-privileges",
            """
            import resource
            def attempt():
                answers = []
                for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC, resource.RLIMIT_CORE):
                    hard = resource.getrlimit(kind)[1]
                    if hard != resource.RLIM_INFINITY:
                        try:
                            resource.setrlimit(kind, (hard + 1, hard + 1))
                            answers.append("limit %d" % kind)
                        except (OSError, ValueError):
                            pass
                status = dict(
                    row.split(":", 1) for row in open("/proc/self/status").read().splitlines() if ":" in row)
                if status["Seccomp"].strip() != "2": answers.append("no seccomp")
                if status["NoNewPrivs"].strip() != "1": answers.append("new privileges")
                if libc.prctl(38, 0, 0, 0, 0) == 0: answers.append("no-new-privileges was cleared")
                if libc.prctl(22, 0, 0, 0, 0) == 0: answers.append("seccomp was cleared")
                return answers[0] if answers else None
            """),
    ]
}
