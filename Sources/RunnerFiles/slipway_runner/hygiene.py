"""Proves that nothing of a finished task is left: processes, files, IPC objects.

The quick check costs a few system calls and no fork. What it cannot prove clean is
swept and scrubbed by a helper (scrub.py) and checked again.
"""

from __future__ import annotations

import os
from typing import List, Optional, Sequence, Tuple

from . import linux

PIDS_FILES = ("/sys/fs/cgroup/pids/pids.current", "/sys/fs/cgroup/pids.current")
OOM_FILES = (
    "/sys/fs/cgroup/memory/memory.oom_control",
    "/sys/fs/cgroup/memory.events",
)
PEAK_FILES = (
    "/sys/fs/cgroup/memory/memory.max_usage_in_bytes",
    "/sys/fs/cgroup/memory.peak",
)
USAGE_FILES = ("/sys/fs/cgroup/cpuacct/cpuacct.usage", "/sys/fs/cgroup/cpu.stat")
IPC_KINDS = ("shm", "sem", "msg")
SYSVIPC = tuple("/proc/sysvipc/" + kind for kind in IPC_KINDS)
MQUEUE = "/dev/mqueue"
#: File systems that hold no files of a task.
_NO_FILES = frozenset(
    [
        "proc",
        "sysfs",
        "cgroup",
        "cgroup2",
        "devpts",
        "mqueue",
        "devtmpfs",
        "securityfs",
        "debugfs",
        "tracefs",
        "bpf",
        "pstore",
        "configfs",
        "fusectl",
        "autofs",
        "nsfs",
        "binfmt_misc",
    ]
)
_SCAN_LIMIT = 200000


def open_first(paths: Sequence[str]) -> Optional[int]:
    """Open the first of `paths` that is there; None without one."""
    for path in paths:
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
    return None


def unescape(text: str) -> str:
    """Return a mountinfo field with its octal escapes undone."""
    parts = text.split("\\")
    made = parts[0].encode("utf-8", "surrogateescape")
    for part in parts[1:]:
        made += bytes((int(part[:3], 8) & 0xFF,))
        made += part[3:].encode("utf-8", "surrogateescape")
    return made.decode("utf-8", "surrogateescape")


def writable_mounts(lines: Sequence[str]) -> List[Tuple[str, str]]:
    """Return (path, file system) of every mount that is not read-only."""
    found = {}
    for line in lines:
        left, _, right = line.partition(" - ")
        fields, system = left.split(), right.split()
        if len(fields) < 6 or len(system) < 3:
            continue
        path = unescape(fields[4])
        options = fields[5].split(",") + system[2].split(",")
        if "ro" in options or system[0] in _NO_FILES:
            found.pop(path, None)  # A later mount hides an earlier one.
        else:
            found[path] = system[0]
    return [(path, kind) for path, kind in found.items() if os.path.isdir(path)]


class Hygiene:
    """The checks of a container; every task uid of it belongs to this sandbox.

    Parameters
    ----------
    folder
        Where the tasks make their folders.
    shared
        Writable places that others fill, too: what is in them cannot be counted.
    kept
        Writable places in which tasks are to leave files: nothing in them is looked for.
    """

    def __init__(
        self, folder: str, shared: Sequence[str] = (), kept: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self.degraded: List[str] = []
        self._pids = open_first(PIDS_FILES)
        self._oom = open_first(OOM_FILES)
        self._peak = open_first(PEAK_FILES)
        self._usage = open_first(USAGE_FILES)
        if self._pids is None:
            self.degraded.append("no-pids-cgroup")
        self._tables = [fd for fd in map(_open, SYSVIPC) if fd is not None]
        with open("/proc/self/mountinfo", errors="surrogateescape") as mounts:
            writable = writable_mounts(mounts.read().splitlines())
        left = [path for path, _ in writable if _is_below(path, kept)]
        writable = [item for item in writable if item[0] not in left]
        self.counted = [
            path
            for path, kind in writable
            if path not in shared and _counts(path, kind)
        ]
        self.scanned = [path for path, _ in writable if path not in self.counted]
        self.degraded += ["writable-mount:" + path for path in self.scanned + left]
        self._baseline: List[int] = []

    @property
    def mounts(self) -> List[str]:
        """Every place that a task could have written to."""
        return self.counted + self.scanned

    def set_baseline(self) -> None:
        """Note the files that are there before the first task."""
        self._baseline = self._used()

    def _used(self) -> List[int]:
        used = []
        for path in self.counted:
            state = os.statvfs(path)
            used.append(state.f_files - state.f_ffree)
        return used

    def processes(self) -> Optional[int]:
        """Return how many threads the container has, by its cgroup's count."""
        if self._pids is None:
            return None
        return int(os.pread(self._pids, 32, 0))

    def process_limit(self) -> Optional[int]:
        """Return the cgroup's limit of threads; None without one."""
        fd = open_first([path[: -len("current")] + "max" for path in PIDS_FILES])
        if fd is None:
            return None
        try:
            return int(os.read(fd, 32))
        except (OSError, ValueError):
            return None
        finally:
            os.close(fd)

    def oom_kills(self) -> int:
        """Return the cgroup's count of out-of-memory kills, 0 where unknown."""
        if self._oom is None:
            return 0
        for line in os.pread(self._oom, 1024, 0).split(b"\n"):
            if line.startswith(b"oom_kill "):
                return int(line.split()[1])
        return 0

    def memory_peak(self) -> Optional[int]:
        """Return the most memory that the container ever held; None where unknown.

        Only somebody outside could have the kernel begin anew: the files cannot be
        written in here.
        """
        if self._peak is None:
            return None
        try:
            return int(os.pread(self._peak, 32, 0))
        except (OSError, ValueError):
            return None

    def processor_seconds(self) -> Optional[float]:
        """Return the processor time that the container has used; None where unknown."""
        if self._usage is None:
            return None
        try:
            text = os.pread(self._usage, 256, 0)
            if text.startswith(b"usage_usec "):
                return int(text.split()[1]) / 1e6
            return int(text) / 1e9
        except (OSError, ValueError):
            return None

    def stray_processes(self, expected: int, uid: int, alone: bool) -> bool:
        """Whether a process runs that should not."""
        if self._pids is None or not alone:
            return uid_has_process(uid)
        return self.processes() != expected

    def stray_files(self, uid: int, alone: bool) -> bool:
        """Whether a file is left."""
        if alone:
            if self._used() != self._baseline:
                return True
        else:
            # The helper scans as the uid itself where other tasks write too.
            return any(owned_by(path, uid) for path in self.mounts)
        return any(owned_by(path, uid) for path in self.scanned)

    def surplus(self) -> int:
        """Return how many entries there are beyond what is known."""
        return max(0, sum(self._used()) - sum(self._baseline))

    def stray_ipc(self, uid: int, alone: bool) -> bool:
        """Whether a System V object or a message queue is left.

        Where others run, too, those of `uid` count: a table has a row for each object,
        in which its owner and its maker stand.
        """
        for fd in self._tables:
            if os.pread(fd, 4096, 0).count(b"\n") > 1 and (
                alone or any(linux.ipc_objects(kind, uid) for kind in IPC_KINDS)
            ):
                return True
        try:
            names = os.listdir(MQUEUE)
        except OSError:
            return False
        return bool(names) if alone else any(_owns_queue(uid, name) for name in names)


def _owns_queue(uid: int, name: str) -> bool:
    try:
        return os.lstat(os.path.join(MQUEUE, name)).st_uid == uid
    except OSError:
        return False  # It went meanwhile.


def _open(path: str) -> Optional[int]:
    return open_first((path,))


def _is_below(path: str, tops: Sequence[str]) -> bool:
    return any(path == top or path.startswith(top + "/") for top in tops)


def _counts(path: str, kind: str) -> bool:
    try:
        return kind == "tmpfs" and os.statvfs(path).f_files > 0
    except OSError:
        return False


def uid_has_process(uid: int) -> bool:
    """Whether a live process of `uid` is in /proc."""
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/status" % name, "rb") as status:
                text = status.read(2048)
        except OSError:
            continue
        if b"\nState:\tZ" in text or b"\nState:\tX" in text:
            continue
        line = text.partition(b"\nUid:")[2].partition(b"\n")[0]
        if str(uid).encode() in line.split():
            return True
    return False


def owned_by(top: str, uid: int) -> bool:
    """Whether something below `top`, on the same file system, belongs to `uid`."""
    seen = 0
    stack = [top]
    device = os.stat(top).st_dev
    while stack:
        try:
            entries = list(os.scandir(stack.pop()))
        except OSError:
            continue  # A folder that root may not enter belongs to another uid.
        for entry in entries:
            seen += 1
            try:
                state = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if state.st_uid == uid or seen > _SCAN_LIMIT:
                return True
            if entry.is_dir(follow_symlinks=False) and state.st_dev == device:
                stack.append(entry.path)
    return False
