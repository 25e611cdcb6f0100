import Testing

/// One way out of a sandbox, or up to its root, that must be closed.
///
/// The code has a function `attempt()` that answers `None` when it was refused, and else says what it got.
struct EscapeAttempt: Sendable, CustomTestStringConvertible {
    /// What is attempted, and what it would be good for.
    let testDescription: String
    /// Python; `libc`, `call(number, ...)`, `refused(function)` and `others()` are there.
    let code: String

    init(_ description: String, _ code: String) {
        testDescription = description
        self.code = code
    }

    /// The whole task.
    var source: String {
        Self.prelude + code + """

            def main():
                return attempt()
            """
    }

    /// What attempts share; numbers of system calls are those of x86-64 and, second, of arm64.
    private static let prelude = """
        import ctypes, errno, os, platform, socket, struct, subprocess, sys
        libc = ctypes.CDLL(None, use_errno=True)
        NUMBERS = {
            "ptrace": (101, 117), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
            "unshare": (272, 97), "setns": (308, 268), "keyctl": (250, 219), "add_key": (248, 217),
            "request_key": (249, 218), "bpf": (321, 280), "userfaultfd": (323, 282), "reboot": (169, 142),
            "kexec_load": (246, 104), "init_module": (175, 105), "finit_module": (313, 273),
            "delete_module": (176, 106), "settimeofday": (164, 170), "clock_settime": (227, 112),
            "perf_event_open": (298, 241), "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264),
            "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "acct": (163, 89),
            "swapon": (167, 224), "quotactl": (179, 60), "sethostname": (170, 161), "setdomainname": (171, 162),
            "syslog": (103, 116), "fsopen": (430, 430), "fsmount": (432, 432), "move_mount": (429, 429),
            "open_tree": (428, 428), "mount_setattr": (442, 442), "fanotify_init": (300, 262), "kcmp": (312, 272),
            "iopl": (172, -1), "ioperm": (173, -1), "lookup_dcookie": (212, 18), "move_pages": (279, 239),
            "pidfd_getfd": (438, 438), "pidfd_open": (434, 434), "clone": (56, 220), "clone3": (435, 435),
            "vhangup": (153, 58), "nfsservctl": (180, 42), "io_uring_setup": (425, 425), "adjtimex": (159, 171),
        }
        def call(name, *arguments):
            number = NUMBERS[name][0 if platform.machine() == "x86_64" else 1]
            libc.syscall.restype = ctypes.c_long
            return libc.syscall(ctypes.c_long(number), *[
                ctypes.c_long(item) if isinstance(item, int) else item for item in arguments])
        def got(name, *arguments):
            answer = call(name, *arguments)
            return "%s answered %d" % (name, answer) if answer >= 0 else None
        def refused(function):
            try:
                return repr(function())[:200] + " came back"
            except OSError:
                return None
        def first(answers):
            return next((answer for answer in answers if answer is not None), None)
        def others():
            return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]

        """
}
