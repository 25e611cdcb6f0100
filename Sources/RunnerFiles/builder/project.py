"""Copies a source tree, since its own build writes beside the sources."""

from __future__ import annotations

import os
import shutil
import stat

# The engine leaves out the same when it reads the tree: Sources/Core/Environments/ProjectTree.swift.
_IGNORED = {
    ".git",
    ".hg",
    ".svn",
    ".venv",
    "venv",
    ".tox",
    ".nox",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".build",
    "__pycache__",
    "node_modules",
}
_IGNORED_AT_TOP = {"build", "dist"}
_DESCRIPTIONS = ("pyproject.toml", "setup.py")


def fault(source: str) -> str | None:
    """Say why a tree cannot be installed; None when it can.

    Parameters
    ----------
    source
        The tree.
    """
    if any(os.path.isfile(os.path.join(source, name)) for name in _DESCRIPTIONS):
        return None
    return "it has neither pyproject.toml nor setup.py"


def copy(source: str, target: str) -> list[str]:
    """Copy a tree without what tools keep there; return every path that was made.

    Symbolic links stay links; other kinds than files, folders and links are left out.

    Parameters
    ----------
    source
        The tree.
    target
        The folder to make.
    """
    os.mkdir(target, 0o700)
    made = [target]
    open_folders = [""]
    while open_folders:
        inside = open_folders.pop()
        with os.scandir(os.path.join(source, inside)) as entries:
            for entry in list(entries):
                if _is_ignored(entry.name, at_top=not inside):
                    continue
                name = os.path.join(inside, entry.name)
                place = os.path.join(target, name)
                kind = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISDIR(kind):
                    os.mkdir(place, 0o700)
                    open_folders.append(name)
                elif stat.S_ISLNK(kind):
                    os.symlink(os.readlink(entry.path), place)
                elif stat.S_ISREG(kind):
                    shutil.copyfile(entry.path, place, follow_symlinks=False)
                    os.chmod(place, 0o700 if kind & stat.S_IXUSR else 0o600)
                else:
                    continue
                made.append(place)
    return made


def _is_ignored(name: str, at_top: bool) -> bool:
    return (
        name in _IGNORED
        or name.endswith(".egg-info")
        or (at_top and name in _IGNORED_AT_TOP)
    )
