"""Decides when a slot is clean and what is done when it is not, per runtime."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Dict, Optional, Set, Union

from . import linux, scrub
from .hygiene import Hygiene
from .local import LocalHygiene, kill_trees

if TYPE_CHECKING:
    from .core import Supervisor
    from .relay import Relay
    from .slot import Slot

#: Threads of the pids limit that tasks never get: helper, next child, zygote.
RESERVED_PROCESSES = 8
FIRST_PAUSE = 0.005
LAST_PAUSE = 0.2
KILL_SECONDS = 2.0


class ContainerSanitation:
    """Sweeps by uid in a container of our own.

    Parameters
    ----------
    host
        The supervisor.
    folder
        Where tasks make their folders.
    """

    def __init__(self, host: Supervisor, folder: str) -> None:
        self._host = host
        places = (host.settings.get(name, ()) for name in ("shared", "kept"))
        self._hygiene = Hygiene(folder, *places)
        self.degraded = self._hygiene.degraded
        self._process_limit = self._hygiene.process_limit()
        self.oom_kills = self._hygiene.oom_kills
        self.memory_peak = self._hygiene.memory_peak
        self.processor_seconds = self._hygiene.processor_seconds
        self.set_baseline = self._hygiene.set_baseline
        self._helper_uids = scrub.real_uids(host.settings["uids"])
        self._relay: Optional[Relay] = None
        if host.settings.get("relay"):
            # Only sandboxes of one network mode need it.
            from .relay import Relay

            self._relay = Relay(host.loop, host.settings["relay"])

    @property
    def cgroup(self) -> str:
        """Which cgroup version counts our processes."""
        if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
            return "v2"
        return "v1" if self._hygiene.processes() is not None else "none"

    def clean_up(self, slot: Slot, uid: Optional[int]) -> Optional[int]:
        """Return None when `slot` is clean; else begin a sweep, return what it found."""
        if uid is None:
            return None
        alone = len(self._host.slots) == 1
        waiting = sum(item.waiting is not None for item in self._host.slots)
        processes = self._stray_processes(waiting, uid, alone)
        files = self._hygiene.stray_files(uid, alone)
        ipc = self._hygiene.stray_ipc(uid, alone)
        if not (processes or files or ipc) and (alone or slot.helper_succeeded):
            if self._relay is not None:
                self._relay.drop(None if alone else uid)
            return None
        now = time.monotonic()
        if now < slot.next_help:
            return 0
        slot.next_help = now + min(FIRST_PAUSE * (1 << min(slot.helped, 6)), LAST_PAUSE)
        slot.helped += 1
        found = self._hygiene.surplus() if files and alone else 0
        try:
            real, gid = self._helper_uids[slot.index], self._host.gid
            mounts = self._hygiene.mounts
            slot.helper = scrub.launch(real, uid, gid, mounts, files or ipc)
        except OSError:
            return 0  # No process can be forked yet; the slot asks again.
        return found

    def _stray_processes(self, waiting: int, uid: int, alone: bool) -> bool:
        nursery = self._host.nursery
        expected = 1 + nursery.threads + waiting
        if not self._hygiene.stray_processes(expected, uid, alone):
            return False
        nursery.threads = nursery.count_threads()
        expected = 1 + nursery.threads + waiting
        return self._hygiene.stray_processes(expected, uid, alone)

    def task_limits(self, wanted: Dict[str, int]) -> Dict[str, int]:
        """Return `wanted` with room kept for our own processes under the limit."""
        limits = dict(wanted)
        limits.setdefault("core", 0)
        if self._process_limit is not None:
            room = max(1, self._process_limit - RESERVED_PROCESSES)
            limits["nproc"] = min(limits.get("nproc", room), room)
        return limits

    def kill_everything(self) -> None:
        """Leave it to the kernel: the end of PID 1 ends the container."""
        if os.getpid() != 1:
            kill_trees(LocalHygiene(self._hygiene.folder).children())


class LocalSanitation:
    """Sweeps by descent, for the `process` runtime.

    Parameters
    ----------
    host
        The supervisor.
    folder
        The private folder in which tasks make their own.
    """

    cgroup = "none"

    def __init__(self, host: Supervisor, folder: str) -> None:
        self._host = host
        self._hygiene = LocalHygiene(folder)
        self._baseline: Set[str] = set()
        self.degraded = self._hygiene.degraded
        if not linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1):
            self.degraded.append("no-subreaper")

    def set_baseline(self) -> None:
        """Note what is in the folder before the first task."""
        self._baseline = set(os.listdir(self._hygiene.folder))

    def oom_kills(self) -> int:
        """Return 0: no cgroup of our own counts them."""
        return 0

    def memory_peak(self) -> Optional[int]:
        """Return None: no cgroup of our own knows it."""
        return None

    def processor_seconds(self) -> Optional[float]:
        """Return None: no cgroup of our own counts it."""
        return None

    def clean_up(self, slot: Slot, uid: Optional[int]) -> Optional[int]:
        """Return None when nothing is left; else how many entries were removed."""
        pids = self._host.known_processes()
        folders = set(self._baseline)
        for item in self._host.slots:
            if item.active is not None:
                folders.add(os.path.basename(item.active.folder))
            if item is not slot and item.state != "idle":
                folders.add(os.path.basename(item.output))
        if self._hygiene.kill_strays(pids):
            return 0
        if self._hygiene.stray_files(folders):
            return self._hygiene.scrub(folders)
        return None

    def task_limits(self, wanted: Dict[str, int]) -> Dict[str, int]:
        """Return `wanted`, without core files."""
        limits = dict(wanted)
        limits.setdefault("core", 0)
        return limits

    def kill_everything(self) -> None:
        """Kill all descendants, for two seconds at most."""
        deadline = time.monotonic() + KILL_SECONDS
        while self._hygiene.kill_strays(set()) and time.monotonic() < deadline:
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return
            time.sleep(0.005)


Sanitation = Union[ContainerSanitation, LocalSanitation]


def make_sanitation(host: Supervisor, folder: str, split: bool) -> Sanitation:
    """Return what fits: `split` says whether tasks have uids of their own."""
    if split:
        return ContainerSanitation(host, folder)
    return LocalSanitation(host, folder)
