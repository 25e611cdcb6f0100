/// Python of tasks that leave traces of every kind, and that say everything they can see.
enum Trail {
    /// Every trace carries this word in its name or content.
    static let mark = "planted"

    /// What `main` of ``code`` plants, by name; each is a function `plant_<name>` there.
    static let plants = [
        "files", "home", "pipes", "queues", "ipc", "daemon", "stopped", "hopper", "listeners", "environment",
        "descriptors", "limits", "process", "modules", "builtins", "signals", "interpreter", "threads",
    ]

    /// `main(seen, plants, end)` lists what it sees if it is to, then plants, then ends as it is told.
    static let code = imports + views + planters + ends

    private static let imports = """
        import builtins, ctypes, gc, locale, os, random, resource, signal, socket, sys, threading, time, warnings

        """

    /// Each function gives one part of what a task can see; what differs between equal tasks is left out or named.
    private static let views = #"""
        import json, re, tempfile

        def lines(path):
            try:
                with open(path, errors="replace") as file:
                    return file.read().splitlines()
            except OSError as error:
                return [type(error).__name__]

        def own(text):
            "Numbers of users and groups differ between sandboxes, and between two tasks of one."
            return re.sub(r"\b[2-6]\d{4}\b", "ID", text)

        def see_files():
            found = []
            mounts = [line.split() for line in lines("/proc/self/mountinfo")]
            places = {f[4] for f in mounts if "rw" in f[5].split(",")} | {"/tmp", "/dev/shm", "/run", "/var/tmp"}
            for top in sorted(places):
                if top.startswith(("/proc", "/sys", "/dev/pts")): continue
                device = os.stat(top).st_dev
                for base, folders, files in os.walk(top):
                    state = os.lstat(base)
                    found.append("%s %o %s" % (base, state.st_mode, own(str(state.st_uid))))
                    folders[:] = [n for n in folders if os.lstat(base + "/" + n).st_dev == device]
                    found += [base + "/" + name for name in files]
            return found

        def see_mounts(): return sorted(line.split()[4] for line in lines("/proc/self/mountinfo"))

        def see_processes():
            found, others = [], 0
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    owner = os.stat("/proc/" + pid).st_uid
                    status = dict(line.split(":\t", 1) for line in lines("/proc/%s/status" % pid) if ":\t" in line)
                    line = open("/proc/%s/cmdline" % pid, "rb").read()
                except (OSError, ValueError):
                    continue
                if int(pid) == os.getpid(): continue
                if owner == os.getuid() or b"planted" in line: found.append("%s %r" % (pid, line))
                elif pid != "1": others += 1
                if status.get("State", "S")[0] in "TtZ": found.append("%s is %s" % (pid, status["State"]))
            # The zygote, and the child that waits for the next task.
            if others > 2: found.append("%d others" % others)
            threads = 9
            for _ in range(20):  # A child that is just being made counts twice for a moment.
                now = [int(line) for path in ("/sys/fs/cgroup/pids/pids.current", "/sys/fs/cgroup/pids.current")
                       for line in lines(path) if line.isdigit()]
                threads = min([threads] + now)
                if threads <= 4: break
                time.sleep(0.01)
            if now and threads > 4: found.append("%d threads" % threads)
            return found

        def see_ipc():
            found = [line for kind in ("shm", "sem", "msg") for line in lines("/proc/sysvipc/" + kind)[1:]]
            return found + os.listdir("/dev/mqueue") + os.listdir("/dev/shm")

        def see_sockets():
            found = [line.split()[7:] for line in lines("/proc/net/unix")[1:]]
            listening = [line.split()[1] for kind in ("tcp", "tcp6", "udp", "udp6", "raw")
                         for line in lines("/proc/net/" + kind)[1:]]
            # The runner's own come and go: the host's socket, and names that the kernel gives.
            own = re.compile(r"^@[0-9a-f]{5}$|^/.*/sbx_[0-9a-z]+/s$")
            return sorted({" ".join(name) for name in found if not own.match(" ".join(name))}) + listening

        def see_environment():
            return sorted("%s=%s" % item for item in os.environ.items() if not item[0].startswith("SLIPWAY_JOB"))

        def see_descriptors():
            found = []
            for fd in sorted(map(int, os.listdir("/proc/self/fd"))):
                try: target = os.readlink("/proc/self/fd/%d" % fd)
                except OSError: continue
                flags = [line for line in lines("/proc/self/fdinfo/%d" % fd) if line.startswith("flags")]
                found.append("%d %s %s" % (fd, re.sub(r"\d+", "N", target), flags))
            # Two more where the folder itself is being listed.
            return [text for text in found if "/proc/N/fd" not in text]

        def see_limits():
            names = sorted(name for name in dir(resource) if name.startswith("RLIMIT_"))
            found = ["%s %s" % (name, resource.getrlimit(getattr(resource, name))) for name in names]
            return found + [str(os.nice(0)), str(sorted(os.sched_getaffinity(0))), str(os.sched_getscheduler(0))]

        def see_process():
            skip = ("Pid", "Tgid", "Ngid", "PPid", "TracerPid", "NSpid", "NStgid", "NSpgid", "NSsid", "Vm", "Rss",
                    "Hugetlb", "voluntary", "nonvoluntary", "SigQ", "Mems", "Cpus", "THP", "State", "FDSize")
            found = [own(line) for line in lines("/proc/self/status") if not line.startswith(skip)]
            for name in ("oom_score_adj", "coredump_filter", "timerslack_ns", "personality", "comm", "cgroup"):
                found += [name + " " + re.sub(r"[0-9a-f]{64}", "C", line) for line in lines("/proc/self/" + name)]
            prctl = ctypes.CDLL(None).prctl
            # Death signal aside: dumpable, kept capabilities, subreaper, timer slack.
            found += [str(prctl(number, 0, 0, 0, 0)) for number in (3, 7, 30)]
            return found + [os.getcwd(), str(os.listdir(".")), str(os.getsid(0) == os.getpid()), os.uname().nodename]

        def see_modules(): return sorted(name for name in sys.modules if not name.startswith("_sysconfigdata"))

        def see_patches():
            found = []
            for module in (builtins, os, sys, time, signal, socket, threading, json, random, re, tempfile, gc):
                kinds = ["%s:%s" % (name, type(value).__name__) for name, value in sorted(vars(module).items())]
                found.append(module.__name__ + " " + str(hash_of(kinds)))
            found += [str(type(item)) for item in sys.meta_path + sys.path_hooks] + sys.path + [str(sys.argv)]
            return found

        def hash_of(items):
            import zlib
            return zlib.crc32("\n".join(items).encode())

        def see_signals():
            found = ["%d %s" % (n, signal.getsignal(n)) for n in range(1, signal.NSIG) if n not in (32, 33)]
            return [re.sub("0x[0-9a-f]+", "", t) for t in found] + [str(signal.pthread_sigmask(signal.SIG_BLOCK, []))] + [
                str(signal.getitimer(kind)) for kind in (0, 1, 2)]

        def see_interpreter():
            import decimal
            return [
                str(gc.get_threshold()), str(gc.isenabled()), str(sys.getrecursionlimit()), str(sys.getswitchinterval()),
                str(sys.gettrace()), str(sys.getprofile()), str(sys.excepthook is sys.__excepthook__),
                str(sys.displayhook is sys.__displayhook__), str(locale.setlocale(locale.LC_ALL)), str(tempfile.tempdir),
                str([str(entry) for entry in warnings.filters]), str(decimal.getcontext()), str(threading.active_count()),
                str(threading.stack_size()), str(socket.getdefaulttimeout()), str(sys.stdout.encoding), str(time.tzname),
            ]

        def seen():
            return {name[4:]: view() for name, view in sorted(globals().items()) if name.startswith("see_")}

        """#

    private static let planters = #"""
        libc = ctypes.CDLL(None, use_errno=True)

        def attempt(*actions):
            for action in actions:
                try: action()
                except Exception: pass

        def write(path, text="planted"):
            with open(path, "w") as file: file.write(text)

        def plant_files():
            folders = ("/tmp", "/dev/shm", "/run", "/var/tmp", "/dev", "/", os.environ["HOME"], "/etc", "/root")
            attempt(*[lambda folder=folder: write(folder + "/planted-file") for folder in folders])
            os.makedirs("/tmp/planted-folder/a/b/c", exist_ok=True)
            write("/tmp/planted-folder/a/b/c/planted")
            os.chmod("/tmp/planted-folder/a", 0)
            attempt(lambda: os.symlink("/etc/passwd", "/tmp/planted-link"))

        def plant_home():
            home = os.environ["HOME"]
            os.chdir("/")
            attempt(lambda: os.rmdir(home), lambda: os.symlink("/tmp", home), lambda: os.chmod("/tmp", 0o700))

        def plant_pipes():
            attempt(lambda: os.mkfifo("/tmp/planted-fifo"))
            server = socket.socket(socket.AF_UNIX)
            attempt(lambda: server.bind("/tmp/planted-socket"), lambda: server.listen(1))

        def plant_queues():
            rt = ctypes.CDLL("librt.so.1")
            attempt(lambda: rt.mq_open(b"/planted", os.O_CREAT | os.O_RDWR, 0o666, None),
                    lambda: rt.shm_open(b"/planted", os.O_CREAT | os.O_RDWR, 0o666),
                    lambda: rt.sem_open(b"/planted", os.O_CREAT, 0o666, 1))

        def plant_ipc():
            attempt(lambda: libc.shmget(0x1234, 4096, 0o1666), lambda: libc.semget(0x1234, 1, 0o1666),
                    lambda: libc.msgget(0x1234, 0o1666), lambda: libc.shmget(0, 8192, 0o1600))

        def daemon(body):
            pid = os.fork()
            if pid:
                os.waitpid(pid, 0)
                return
            os.setsid()
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                attempt(body)
            os._exit(0)

        def plant_daemon():
            daemon(lambda: os.execv("/bin/sh", ["sh", "-c", "trap '' TERM; sleep 600; : planted"]))

        def plant_stopped(): daemon(lambda: (os.kill(os.getpid(), signal.SIGSTOP), time.sleep(600)))

        def plant_hopper():
            def hop():
                while True:
                    try:
                        if os.fork() > 0: os._exit(0)
                    except OSError:
                        pass
            daemon(hop)

        def plant_listeners():
            def listen():
                tcp, unix = socket.socket(), socket.socket(socket.AF_UNIX)
                tcp.bind(("127.0.0.1", 4711)); tcp.listen(1)
                unix.bind("\0planted-abstract"); unix.listen(1)
                time.sleep(600)
            daemon(listen)

        def plant_environment():
            os.environ["PLANTED"] = "planted"
            os.environ["PATH"] = "/tmp/planted"
            os.environ["SLIPWAY_PLANTED"] = "planted"

        def plant_descriptors():
            write("/tmp/planted-open")
            file = os.open("/tmp/planted-open", os.O_RDONLY)
            for number in (4, 20, 100, 500): attempt(lambda: os.dup2(file, number))
            for number in (0, 1, 2, 3): attempt(lambda: os.set_blocking(number, False))
            import fcntl
            attempt(lambda: fcntl.fcntl(1, 1031, 4096))

        def plant_limits():
            for name in ("RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_STACK", "RLIMIT_NPROC", "RLIMIT_AS"):
                number = getattr(resource, name)
                attempt(lambda: resource.setrlimit(number, (1 << 29, 1 << 29) if name == "RLIMIT_AS" else (200, 200)))
            attempt(lambda: os.nice(15), lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}),
                    lambda: os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0)))

        def plant_process():
            os.umask(0o777)
            os.chdir("/")
            attempt(lambda: libc.prctl(15, b"planted", 0, 0, 0), lambda: libc.prctl(36, 1, 0, 0, 0),
                    lambda: libc.prctl(29, 99999, 0, 0, 0), lambda: libc.personality(0x0040000),
                    lambda: write("/proc/self/oom_score_adj", "1000"), lambda: write("/proc/self/coredump_filter", "ff"))

        def plant_modules():
            sys.modules["planted"] = builtins
            sys.path.insert(0, "/tmp/planted")
            sys.meta_path.insert(0, type("Planted", (), {"find_spec": staticmethod(lambda *_: None)})())
            sys.argv = ["planted"]

        def plant_builtins():
            builtins.planted = 1
            os.getcwd = lambda: "/planted"
            json.dumps = lambda *_: "planted"
            builtins.open = None
            time.time = lambda: 0
            del socket.socket

        def plant_signals():
            for number in range(1, 65):
                attempt(lambda: signal.signal(number, signal.SIG_IGN))
            attempt(lambda: signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)),
                    lambda: signal.setitimer(signal.ITIMER_REAL, 1000, 1000))

        def plant_interpreter():
            import atexit, decimal
            gc.disable()
            gc.set_threshold(1)
            sys.setrecursionlimit(150)
            sys.setswitchinterval(1)
            sys.excepthook = print
            decimal.getcontext().prec = 3
            tempfile.tempdir = "/tmp/planted"
            warnings.simplefilter("error")
            socket.setdefaulttimeout(1)
            random.seed(0)
            atexit.register(time.sleep, 600)

        def plant_threads():
            for _ in range(5): threading.Thread(target=time.sleep, args=(600,), daemon=True).start()

        """#

    private static let ends = """
        def main(look, plants, end):
            found = seen() if look else None
            for name in plants: attempt(globals()["plant_" + name])
            if end == "raise": raise ValueError("planted")
            if end == "exit": os._exit(3)
            if end == "kill": os.kill(os.getpid(), 9)
            while end == "hang": libc.sleep(60)
            return found
        """
}
