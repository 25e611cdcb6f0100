"""Keeps the environments of an engine whose folders nobody else can reach: in one volume.

No code of a package, and none of an image that a tenant named, runs where the whole
volume is mounted: what was installed elsewhere is copied here when it is finished.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from typing import Any

from _builder import seal

ROOT_MODE = 0o711
# What an entry takes besides its bytes, so that many empty ones count too.
_ENTRY_BYTES = 4096
_OURS = re.compile(r"[0-9a-f]{24}")


class TooLarge(Exception):
    """A folder has more bytes than it may."""


def adopt(spec: dict[str, Any]) -> dict[str, Any]:
    """Copy an installed folder into the volume, seal it, and give it its name.

    Parameters
    ----------
    spec
        ``source`` is copied to ``name`` in ``target``, for the group ``group``.
    """
    root = spec["target"]
    draft = os.path.join(root, _checked(spec["draft"]))
    final = os.path.join(root, _checked(spec["name"]))
    os.chmod(root, ROOT_MODE)
    os.mkdir(draft, 0o700)
    try:
        copy(spec["source"], draft, spec["max_bytes"])
        size = seal.seal(draft, spec["group"])
        # Only what is whole and on the disk has a name that is used.
        synchronise(root)
        seal.remove_tree(final)
        os.rename(draft, final)
        synchronise(root)
    except TooLarge as error:
        seal.remove_tree(draft)
        return {"ok": False, "kind": "too_large", "detail": str(error)}
    except BaseException:
        seal.remove_tree(draft)
        raise
    return {"ok": True, "bytes": size}


def seal_again(spec: dict[str, Any]) -> dict[str, Any]:
    """Seal and count a folder that a program which nobody vouches for has filled.

    Parameters
    ----------
    spec
        ``target`` may be read by the group ``group``, and have ``max_bytes``.
    """
    size = seal.seal(spec["target"], spec["group"])
    if size > spec["max_bytes"]:
        return {"ok": False, "kind": "too_large", "detail": f"it has {size} bytes"}
    synchronise(spec["target"])
    return {"ok": True, "bytes": size}


def survey(root: str, wanted: list[str], removes: bool) -> list[str]:
    """Return which of the wanted folders are there; set the modes of these and the volume.

    Parameters
    ----------
    root
        The volume.
    wanted
        The names of whole environments.
    removes
        Whether everything else that has a name of ours goes.
    """
    os.chown(root, 0, 0)
    os.chmod(root, ROOT_MODE)
    there = []
    with os.scandir(root) as entries:
        for entry in list(entries):
            if entry.name in wanted and entry.is_dir(follow_symlinks=False):
                # An earlier version let the owner in, too.
                os.chmod(entry.path, seal.TOP_MODE)
                there.append(entry.name)
            elif removes and _OURS.match(entry.name):
                seal.remove_tree(entry.path)
    return sorted(there)


def copy(source: str, target: str, limit_bytes: int) -> None:
    """Copy a tree: files, folders and symbolic links, which stay links.

    Times stay too, since byte code is valid for files of one time only. Several links
    to a file become files of their own, and holes are filled: both count in full.

    Parameters
    ----------
    source
        The tree; nothing changes it meanwhile.
    target
        An empty folder.
    limit_bytes
        More than this raises ``TooLarge``.
    """
    total = 0
    open_folders = [""]
    while open_folders:
        inside = open_folders.pop()
        with os.scandir(os.path.join(source, inside)) as entries:
            for entry in list(entries):
                name = os.path.join(inside, entry.name)
                place = os.path.join(target, name)
                status = entry.stat(follow_symlinks=False)
                total += _ENTRY_BYTES
                if stat.S_ISREG(status.st_mode):
                    total += status.st_size
                if total > limit_bytes:
                    raise TooLarge(f"it has more than {limit_bytes} bytes")
                if stat.S_ISDIR(status.st_mode):
                    os.mkdir(place, 0o700)
                    open_folders.append(name)
                elif stat.S_ISLNK(status.st_mode):
                    os.symlink(os.readlink(entry.path), place)
                elif stat.S_ISREG(status.st_mode):
                    shutil.copyfile(entry.path, place, follow_symlinks=False)
                    os.chmod(place, 0o700 if status.st_mode & stat.S_IXUSR else 0o600)
                    os.utime(place, ns=(status.st_mtime_ns, status.st_mtime_ns))


def synchronise(folder: str) -> None:
    """Make everything durable that was written to the file system of a folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        import ctypes

        if ctypes.CDLL(None).syncfs(descriptor) == 0:
            return
    except (ImportError, OSError, AttributeError):
        # No such call here: everything of the machine is written instead.
        pass
    finally:
        os.close(descriptor)
    os.sync()


def _checked(name: str) -> str:
    if not _OURS.match(name) or "/" in name:
        raise ValueError("not a name of an environment: " + repr(name))
    return name
