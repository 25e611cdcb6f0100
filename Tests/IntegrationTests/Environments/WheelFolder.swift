import Foundation

/// A folder of small wheels, so that installations need no network.
///
/// It holds `slipdemo` 1.0 and 2.0, `slipneeds` 1.0, which requires a `slipdemo` below 2, an empty `cloudpickle`, and
/// `slipfatal`, which ends the zygote that preloads it as soon as a task is to be forked.
/// Two more have no wheel, so that their own code runs in the builder: `slipevil` does what it should not and leaves a
/// report, `sliphog` takes all memory.
enum WheelFolder {
    static func make(in folder: String) throws -> String {
        try run([program, folder, evil])
        return folder
    }

    /// Adds version 1.0 of a package without a wheel.
    ///
    /// - Parameter backend: Its build backend, which runs in the builder; `wheel(folder, files)` makes the wheel.
    static func addSource(_ name: String, backend: String, to folder: String) throws {
        let helper = """
            import zipfile
            def wheel(folder, files):
                name = "\(name)-1.0-py3-none-any.whl"
                info = "\(name)-1.0.dist-info/"
                files = dict(files)
                files[info + "METADATA"] = "Metadata-Version: 2.1\\nName: \(name)\\nVersion: 1.0\\n"
                files[info + "WHEEL"] = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
                files[info + "RECORD"] = ""
                with zipfile.ZipFile(folder + "/" + name, "w") as file:
                    for path, text in files.items():
                        file.writestr(path, text)
                return name

            """
        try run([packing + "source(sys.argv[2], sys.argv[3])\n", folder, name, helper + backend])
    }

    private static func run(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c"] + arguments
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure() }
    }

    struct Failure: Error {}

    /// Packs a package without a wheel.
    private static let packing = """
        import io, os, sys, tarfile
        def source(name, code):
            files = {
                "pyproject.toml": "[build-system]\\nrequires = []\\nbuild-backend = 'backend'\\nbackend-path = ['.']\\n",
                "PKG-INFO": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n",
                "backend.py": code,
            }
            with tarfile.open(os.path.join(sys.argv[1], f"{name}-1.0.tar.gz"), "w:gz") as file:
                for path, text in files.items():
                    entry = tarfile.TarInfo(f"{name}-1.0/{path}")
                    entry.size = len(text)
                    file.addfile(entry, io.BytesIO(text.encode()))

        """

    private static let program =
        packing + """
            import zipfile
            def wheel(name, version, needs=(), code=""):
                info = f"{name}-{version}.dist-info"
                meta = f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n"
                meta += "".join(f"Requires-Dist: {need}\\n" for need in needs)
                with zipfile.ZipFile(os.path.join(sys.argv[1], f"{name}-{version}-py3-none-any.whl"), "w") as file:
                    file.writestr(f"{name}/__init__.py", f"version = '{version}'\\n{code}")
                    file.writestr(f"{info}/METADATA", meta)
                    file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
                    file.writestr(f"{info}/RECORD", "")
            os.makedirs(sys.argv[1], exist_ok=True)
            wheel("slipdemo", "1.0")
            wheel("slipdemo", "2.0")
            wheel("slipneeds", "1.0", ["slipdemo<2"])
            wheel("cloudpickle", "3.9.9")
            # With a thread about, the zygote forks in a way that runs what was registered for forks.
            wheel("slipfatal", "1.0", code='''
            import os, threading
            threading.Thread(target=threading.Event().wait, daemon=True).start()
            os.register_at_fork(before=lambda: os._exit(9))
            ''')
            source("slipevil", sys.argv[2])
            source("sliphog", "def build_wheel(*_):\\n    kept = [bytearray(b'x' * (1 << 24)) for _ in range(4096)]\\n")
            """

    /// The build backend of `slipevil`.
    private static let evil = """
        import os, time, zipfile
        def attempt(name, action):
            try:
                action()
                return name + " allowed"
            except BaseException as error:
                return f"{name} {type(error).__name__}"
        def build_wheel(folder, *_):
            target = "/opt/slipway/build"
            os.mkfifo(target + "/pipe")
            os.symlink("/etc/passwd", target + "/link")
            with open(target + "/setuid", "w") as file:
                os.fchmod(file.fileno(), 0o6755)
            if os.fork() == 0:
                os.setsid()
                os.closerange(0, 256)  # pip would wait for whoever holds its pipe
                while True:
                    open(target + "/daemon", "a").write("x")
                    time.sleep(0.001)
            while not os.path.exists(target + "/daemon"):
                time.sleep(0.01)
            report = [
                f"uid {os.getuid()} {os.geteuid()} {os.getgroups()}",
                attempt("result", lambda: open("/opt/slipway/job/result.json", "w")),
                attempt("spec", lambda: open("/opt/slipway/job/spec.json")),
                attempt("builder", lambda: open("/opt/slipway/builder/main.py", "a")),
                attempt("root", lambda: open("/planted", "w")),
                attempt("memory", lambda: open("/proc/1/mem", "r+b")),
                attempt("environ", lambda: open("/proc/1/environ")),
                attempt("kill", lambda: os.kill(1, 9)),
                attempt("setuid", lambda: os.setuid(0)),
            ]
            name = "slipevil-1.0-py3-none-any.whl"
            with zipfile.ZipFile(os.path.join(folder, name), "w") as file:
                file.writestr("slipevil.py", "report = " + repr(report))
                info = "slipevil-1.0.dist-info/"
                file.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: slipevil\\nVersion: 1.0\\n")
                file.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
                file.writestr(info + "RECORD", "")
            return name
        """
}
