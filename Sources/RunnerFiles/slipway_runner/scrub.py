"""The helper that removes what a task left, with the rights of that task's uid.

Forked by the supervisor. Its real uid is nobody's and its effective uid the task's: so
it may kill and remove whatever is the task's, while the task cannot signal it. Each slot
has a real uid of its own, since helpers that share one would kill each other.
"""

from __future__ import annotations

import itertools
import os
import signal
import stat
import time
from typing import Any, Dict, List, Optional

from . import linux

#: The real uid of the first slot's helper, the others' below: nobody's, and not that of
#: the helper that reads outputs.
FIRST_REAL_UID = 65532
KILL_ROUNDS = 3
SCRUB_SECONDS = 20.0
#: Not to be guessed, so that no name of the task's stands in the way.
_MOVED = "." + os.urandom(8).hex() + "-"


def real_uids(uids: Dict[str, Any]) -> List[int]:
    """Return a real uid for the helper of each slot, none of them in `uids`."""
    taken = {uids["zygote"], *uids["tasks"]}
    free = (uid for uid in range(FIRST_REAL_UID, 0, -1) if uid not in taken)
    return list(itertools.islice(free, len(uids["tasks"]) // 2))


def launch(
    real: int, uid: int, gid: Optional[int], mounts: List[str], files: bool
) -> int:
    """Fork the helper and return its pid; exit status 0 says that it got through.

    Raises
    ------
    OSError
        When no process can be forked.
    """
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        if gid is not None:
            os.setgroups([])
            os.setresgid(gid, gid, gid)
        os.setresuid(real, uid, 0)
        kill_all()
        if files:
            scrub(uid, mounts)
        code = 0
    except BaseException as error:
        os.write(2, ("slipway runner: scrub: %r\n" % (error,)).encode())
    finally:
        os._exit(code)


def kill_all() -> None:
    """Kill every process of our effective uid.

    The kernel walks all processes with forks held off, so one call gets even a fork
    bomb; the others are for what was just changing its uid. The supervisor counts.
    """
    for _ in range(KILL_ROUNDS):
        try:
            os.kill(-1, signal.SIGKILL)
        except OSError:
            return  # Nothing is left but what is not ours to kill.
        os.sched_yield()


def scrub(uid: int, mounts: List[str]) -> None:
    """Remove every file, queue and System V object of `uid`."""
    linux.remove_ipc(uid)
    deadline = time.monotonic() + SCRUB_SECONDS
    for top in mounts + ["/dev/mqueue"]:
        try:
            fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue
        try:
            remove_owned(fd, uid, deadline)
        finally:
            os.close(fd)


def remove_owned(top: int, uid: int, deadline: float) -> None:
    """Remove what belongs to `uid` in the folder `top`, and below other folders."""
    for name in os.listdir(top):
        try:
            state = os.stat(name, dir_fd=top, follow_symlinks=False)
        except OSError:
            continue
        if not stat.S_ISDIR(state.st_mode):
            if state.st_uid == uid or state.st_nlink > 1:
                _unlink(name, top)
        elif state.st_uid == uid:
            remove_tree(top, name, deadline)
        else:
            _descend(top, name, uid, deadline)


def _descend(top: int, name: str, uid: int, deadline: float) -> None:
    try:
        fd = _open_folder(name, top)
    except OSError:
        return  # Not for this uid to enter, so nothing of it is inside.
    try:
        if os.fstat(fd).st_dev == os.fstat(top).st_dev:
            remove_owned(fd, uid, deadline)
    finally:
        os.close(fd)


def _open_folder(name: str, parent: int) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    return os.open(name, flags, dir_fd=parent)


def _unlink(name: str, folder: int) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        pass  # What cannot be removed is found by the check that follows.


def remove_tree(parent: int, name: str, deadline: float) -> None:
    """Remove a folder of any depth with two descriptors.

    Folders found inside are moved up to the top one at a time, so neither the depth
    nor the length of paths matters.
    """
    os.chmod(name, 0o700, dir_fd=parent)
    top = _open_folder(name, parent)
    serial = 0
    try:
        while True:
            names = os.listdir(top)
            if not names:
                break
            for item in names:
                if time.monotonic() > deadline:
                    raise TimeoutError("scrubbing takes too long")
                serial = _flatten(top, item, serial)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=parent)


def _flatten(top: int, item: str, serial: int) -> int:
    """Remove `item` of `top`; its folders become entries of `top`."""
    state = os.stat(item, dir_fd=top, follow_symlinks=False)
    if not stat.S_ISDIR(state.st_mode):
        os.unlink(item, dir_fd=top)
        return serial
    os.chmod(item, 0o700, dir_fd=top)
    inner = _open_folder(item, top)
    try:
        for name in os.listdir(inner):
            state = os.stat(name, dir_fd=inner, follow_symlinks=False)
            if not stat.S_ISDIR(state.st_mode):
                os.unlink(name, dir_fd=inner)
                continue
            os.chmod(name, 0o700, dir_fd=inner)
            serial += 1
            target = "%s%d" % (_MOVED, serial)
            os.rename(name, target, src_dir_fd=inner, dst_dir_fd=top)
    finally:
        os.close(inner)
    os.rmdir(item, dir_fd=top)
    return serial
