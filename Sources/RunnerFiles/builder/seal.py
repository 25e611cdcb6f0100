"""Makes an installed folder read-only, measures it, and removes such folders.

Nothing of the installer runs any more when these functions do. They follow no
symbolic link, and trees of any depth neither exhaust the stack nor descriptors.
"""

from __future__ import annotations

import os
import stat
import time

from _builder.record import normalised

#: For the group alone. Root in a sandbox owns the folder and so cannot take the group's
#: rights, nor give itself any through a mount that is read-only.
TOP_MODE = 0o050
#: Where no group tells tenants apart, and whoever installed reads too.
_OWN_TOP_MODE = 0o750
FOLDER_MODE = 0o550
FILE_MODE = 0o440
_RUN_BITS = 0o110


def seal(target: str, group: int | None) -> int:
    """Give a folder to root, readable by its group only; return its bytes.

    Parameters
    ----------
    target
        The folder.
    group
        The group that may read it; None leaves the owner as it is, who then may.
    """
    top_mode = _OWN_TOP_MODE if group is None else TOP_MODE
    total = 0
    folders = [target]
    open_folders = [target]
    while open_folders:
        with os.scandir(open_folders.pop()) as entries:
            for entry in list(entries):
                status = entry.stat(follow_symlinks=False)
                kind = status.st_mode
                if stat.S_ISDIR(kind):
                    folders.append(entry.path)
                    open_folders.append(entry.path)
                elif stat.S_ISREG(kind):
                    total += status.st_blocks * 512
                    mode = FILE_MODE | (_RUN_BITS if kind & stat.S_IXUSR else 0)
                    _give(entry.path, group)
                    os.chmod(entry.path, mode)
                elif stat.S_ISLNK(kind):
                    _give(entry.path, group)
                else:
                    # Pipes and sockets carry no installed file.
                    os.unlink(entry.path)
    for folder in reversed(folders):
        _give(folder, group)
        os.chmod(folder, top_mode if folder == target else FOLDER_MODE)
        total += 4096
    return total


def _give(path: str, group: int | None) -> None:
    if group is not None:
        os.chown(path, 0, group, follow_symlinks=False)


def close(root: str, names: list[str]) -> None:
    """Leave folders of ``root``, sealed by an earlier version, to their groups alone."""
    for name in names:
        path = os.path.join(root, _checked(name))
        # One that was removed meanwhile needs nothing.
        if os.path.lexists(path) and stat.S_ISDIR(os.lstat(path).st_mode):
            os.chmod(path, TOP_MODE)


def measure(target: str, limit_seconds: float = 1.0) -> int:
    """Estimate the bytes below a folder that is being written."""
    total = 0
    folders = [target]
    end = time.monotonic() + limit_seconds
    while folders and time.monotonic() < end:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            # The installer moved it meanwhile.
            continue
    return total


def versions(target: str, limit: int = 5000) -> dict[str, str]:
    """Read names and versions from the names of the metadata folders."""
    found: dict[str, str] = {}
    with os.scandir(target) as entries:
        names = sorted(
            entry.name for entry in entries if entry.name.endswith(".dist-info")
        )
    for name in names[:limit]:
        package, dash, version = name[: -len(".dist-info")].rpartition("-")
        if dash:
            found[normalised(package)] = version
    return found


def remove(root: str, names: list[str]) -> None:
    """Remove folders that lie directly in ``root``."""
    for name in names:
        remove_tree(os.path.join(root, _checked(name)))


def _checked(name: str) -> str:
    if name in ("", ".", "..") or "/" in name:
        raise ValueError("not a name: " + repr(name))
    return name


def remove_tree(path: str) -> None:
    """Remove a folder with all in it, however deep it is, or whatever else is there."""
    if not os.path.lexists(path):
        return
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        # Above all no link, which would lead elsewhere.
        os.unlink(path)
        return
    parent = os.path.dirname(path)
    # Each folder is moved up before it is emptied, so that no path grows long.
    waiting = [path]
    count = 0
    while waiting:
        folder = waiting.pop()
        os.chmod(folder, 0o700)
        with os.scandir(folder) as entries:
            for entry in list(entries):
                if entry.is_dir(follow_symlinks=False):
                    count += 1
                    moved = os.path.join(
                        parent, f"{os.path.basename(path)}.rm-{os.getpid()}-{count}"
                    )
                    os.chmod(entry.path, 0o700)
                    os.rename(entry.path, moved)
                    waiting.append(moved)
                else:
                    os.unlink(entry.path)
        os.rmdir(folder)
