"""The checks of the `process` runtime, where no uid tells tasks apart.

Orphans of a task become children of the supervisor (a child subreaper), so whatever
child it does not know was left by a task. No security boundary, and not sold as one.
"""

from __future__ import annotations

import os
import signal
from typing import Dict, List, Set


class LocalHygiene:
    """Finds and removes what a task left behind a supervisor without root.

    Parameters
    ----------
    folder
        The private folder in which tasks make their own.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.degraded = ["no-uid-split"]
        self._children = "/proc/self/task/%d/children" % os.getpid()
        if not os.path.exists(self._children):
            self._children = ""

    def children(self) -> Set[int]:
        """Return the pids of our own children, ended ones included."""
        if not self._children:
            me = os.getpid()
            return {pid for pid, parent in parents().items() if parent == me}
        with open(self._children) as listed:
            return set(map(int, listed.read().split()))

    def kill_strays(self, known: Set[int]) -> bool:
        """Kill children that are not `known`, and theirs; True if there was one."""
        strays = self.children() - known
        if strays:
            kill_trees(strays)
        return bool(strays)

    def stray_files(self, known: Set[str]) -> bool:
        """Whether something lies in the folder besides the `known` names."""
        return bool(set(os.listdir(self.folder)) - known)

    def scrub(self, known: Set[str]) -> int:
        """Remove what is not `known`; return how many entries."""
        names = set(os.listdir(self.folder)) - known
        for name in names:
            path = os.path.join(self.folder, name)
            if os.path.isdir(path) and not os.path.islink(path):
                remove_tree(path)
            else:
                os.unlink(path)
        return len(names)


def remove_tree(path: str) -> None:
    """Remove a folder that may hold folders without permissions."""

    import shutil  # Rarely needed, and slow to load.

    def retry(_: object, name: str, __: object) -> None:
        try:
            os.chmod(os.path.dirname(name), 0o700)
            os.chmod(name, 0o700)
        except OSError:
            return  # What stays is found by the check that follows.

    for _ in range(64):
        shutil.rmtree(path, onerror=retry)
        if not os.path.lexists(path):
            return


def parents() -> Dict[int, int]:
    """Return the parent of every process in /proc."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as stat:
                fields = stat.read().rpartition(b")")[2].split()
            found[int(name)] = int(fields[1])
        except (OSError, IndexError, ValueError):
            continue  # It ended while we looked.
    return found


def kill_trees(roots: Set[int]) -> None:
    """Kill `roots` and all their descendants."""
    below: Dict[int, List[int]] = {}
    for pid, parent in parents().items():
        below.setdefault(parent, []).append(pid)
    stack = list(roots)
    while stack:
        pid = stack.pop()
        stack.extend(below.get(pid, ()))
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue  # It ended before us.
