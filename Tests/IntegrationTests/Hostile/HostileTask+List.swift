extension HostileTask {
    /// Tasks that end themselves, or are ended, in every bad way.
    static let endings: [HostileTask] = [
        HostileTask("sys.exit(0)", kind: .exit, exitCode: 0, "import sys\ndef main(): sys.exit(0)"),
        HostileTask("sys.exit(3)", kind: .exit, exitCode: 3, "import sys\ndef main(): sys.exit(3)"),
        HostileTask("sys.exit of a text", kind: .exit, exitCode: 1, "import sys\ndef main(): sys.exit('bye')"),
        HostileTask("os._exit(3)", kind: .exit, exitCode: 3, "import os\ndef main(): os._exit(3)"),
        HostileTask("os._exit(0)", kind: .exit, exitCode: 0, "import os\ndef main(): os._exit(0)"),
        HostileTask(
            "segmentation fault", kind: .exit, exitCode: 139, "import ctypes\ndef main(): ctypes.string_at(0)"),
        HostileTask(
            "kills itself", kind: .exit, exitCode: 137, "import os\ndef main(): os.kill(os.getpid(), 9)"),
        HostileTask(
            "stops itself", timeout: .seconds(1), kind: .timeout, "import os\ndef main(): os.kill(os.getpid(), 19)"),
        HostileTask("abort", kind: .exit, exitCode: 134, "import os\ndef main(): os.abort()"),
        HostileTask("recursion", kind: .exception, "def main(): main()"),
        HostileTask(
            "ignores SIGTERM and everything else", timeout: .seconds(1), kind: .timeout,
            """
            import signal, time
            def main():
                for number in range(1, 65):
                    try: signal.signal(number, signal.SIG_IGN)
                    except (OSError, ValueError): pass
                while True:
                    try: time.sleep(60)
                    except BaseException: pass
            """),
        HostileTask(
            "memory hog", kind: .oom,
            "def main():\n    held = []\n    while True: held.append(bytearray(b'x' * (8 << 20)))"),
        HostileTask(
            "memory hog in a child", timeout: .seconds(10), kind: .oom,
            """
            import os
            def main():
                if os.fork() == 0:
                    held = []
                    while True: held.append(bytearray(b'x' * (8 << 20)))
                held = []
                while True: held.append(bytearray(b'x' * (8 << 20)))
            """),
        HostileTask(
            "an exception that cannot be shown", kind: .exception,
            """
            class Nasty(Exception):
                def __str__(self): raise SystemExit(9)
                __repr__ = __str__
            def main(): raise Nasty
            """),
        HostileTask(
            "closes every descriptor", kind: .protocol,
            "import os\ndef main():\n    os.closerange(0, 1024)\n    return 1"),
    ]

    /// Tasks that leave processes behind, or try not to die.
    static let processes: [HostileTask] = [
        HostileTask(
            "fork bomb", timeout: .seconds(2), kind: .timeout,
            """
            import os
            def main():
                while True:
                    try: os.fork()
                    except OSError: pass
            """),
        HostileTask(
            "fork without end, then return", value: "full",
            """
            import os, time
            def main():
                while True:
                    try:
                        if os.fork() == 0: time.sleep(600)
                    except OSError:
                        return "full"
            """),
        HostileTask(
            "daemons", value: 5,
            """
            import os, signal
            def main():
                for _ in range(5):
                    if os.fork() == 0:
                        os.setsid()
                        signal.signal(signal.SIGTERM, signal.SIG_IGN)
                        if os.fork() == 0:
                            os.execv("/bin/sh", ["sh", "-c", "trap '' TERM; sleep 600; : planted"])
                        os._exit(0)
                    os.wait()
                return 5
            """),
        HostileTask(
            "pid hoppers", value: "hopping",
            """
            import os, time
            def main():
                for _ in range(4):
                    if os.fork() == 0:
                        os.setsid()
                        while True:
                            try:
                                if os.fork() > 0: os._exit(0)
                            except OSError:
                                pass
                return "hopping"
            """),
        HostileTask(
            "daemons that hold its output open", value: 1,
            """
            import os, time
            def main():
                if os.fork() == 0:
                    os.setsid()
                    while True:
                        os.write(1, b"planted"); time.sleep(0.001)
                return 1
            """),
        HostileTask(
            "threads that never end", value: 1,
            """
            import threading, time
            def main():
                for _ in range(50): threading.Thread(target=time.sleep, args=(600,)).start()
                return 1
            """),
        HostileTask(
            "an atexit handler that never ends", value: 1,
            "import atexit, time\ndef main():\n    atexit.register(time.sleep, 600)\n    return 1"),
    ]

    /// Tasks that leave things in files, memory and the kernel.
    static let leftovers: [HostileTask] = [
        HostileTask(
            "fills /tmp", value: "full",
            """
            import os
            def main():
                with open("/tmp/planted-big", "wb", buffering=0) as file:
                    try:
                        while True: file.write(b"x" * (1 << 20))
                    except OSError:
                        return "full"
            """),
        HostileTask(
            "uses up the inodes of /tmp", timeout: .seconds(60), value: "full",
            """
            import os
            def main():
                os.mkdir("/tmp/planted-many")
                try:
                    for i in range(10_000_000): os.mknod("/tmp/planted-many/%d" % i)
                except OSError:
                    pass
                return "full"
            """),
        HostileTask(
            "odd files", value: "left",
            """
            import os
            def main():
                os.chdir("/tmp")
                os.mkdir("planted-secret", 0o700)
                open("planted-secret/inner", "w").write("x")
                os.chmod("planted-secret", 0)
                open(b"planted-\\xff\\n\\x01", "w").close()
                open("-rf planted", "w").close()
                os.symlink("/etc/passwd", "planted-link")
                os.symlink("planted-loop", "planted-loop")
                os.mkfifo("planted-fifo")
                os.link("planted-link", "planted-hard", follow_symlinks=False)
                path = "planted-deep"
                os.mkdir(path)
                os.chdir(path)
                for _ in range(1500):
                    os.mkdir("d"); os.chdir("d")
                os.chdir("/")
                home = os.environ["HOME"]
                os.rmdir(home)
                os.symlink("/", home)
                for folder in ("/dev/shm", "/run", "/var/tmp", "/dev/mqueue"):
                    try: open(folder + "/planted", "w").close()
                    except OSError: pass
                return "left"
            """.replacing("\\\\", with: "\\")),
        HostileTask(
            "IPC objects, sockets, environment, modules, niceness", value: "left",
            PythonPieces.libc + """
                def main():
                    libc.shmget(0x1234, 4096, 0o1666)
                    libc.semget(0x1234, 1, 0o1666)
                    libc.msgget(0x1234, 0o1666)
                    try:
                        rt = ctypes.CDLL("librt.so.1")
                        rt.mq_open(b"/planted", os.O_CREAT | os.O_RDWR, 0o666, None)
                        rt.shm_open(b"/planted", os.O_CREAT | os.O_RDWR, 0o666)
                    except (OSError, AttributeError):
                        pass
                    os.environ["PLANTED"] = "planted"
                    import builtins
                    builtins.planted = 1
                    sys.modules["planted"] = builtins
                    sys.path.insert(0, "/tmp/planted")
                    os.nice(10)
                    os.umask(0o777)
                    if os.fork() == 0:
                        os.setsid()
                        server = socket.socket(socket.AF_UNIX)
                        server.bind("\\0planted-abstract")
                        server.listen(1)
                        time.sleep(600)
                    time.sleep(0.1)
                    return "left"
                """),
    ]
}
