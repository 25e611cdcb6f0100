"""The rules of style that no linter knows; run by ``make check`` with every file of the tree as arguments."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

LINES_MAX = 500
TEXT = {".swift", ".py", ".c", ".h", ".md", ".yaml", ".yml", ".sh", ".json", ""}
CODE = {".swift", ".py", ".c", ".h", ".sh", ""}

# Each C module is imported in a few files of one folder only: module -> (folder, most files).
C_MODULES = {
    "CShimCurl": ("Sources/Core/Curl/", 6),
    "CShimLinux": ("Sources/Core/", 2),
    "CShimYAML": ("Sources/Core/Config/YAML/", 2),
    "CShimZlib": ("Sources/Core/Payload/", 3),
    "CRunnerFiles": ("Sources/Core/", 2),
}

# Words split so that this file does not find itself.
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
SWIFT_RULES = [
    (
        re.compile(r"\btry!"),
        "try! hides an error: handle or throw it",
        ("Sources/", "Tests/"),
    ),
    (
        re.compile(r"\bas!"),
        "as! traps on a wrong type: use as? and say what to do",
        ("Sources/",),
    ),
    (
        re.compile(r"\bfatalError\("),
        "fatalError: use precondition for our own bugs, errors for the rest",
        ("Sources/",),
    ),
    (
        re.compile(r"@testable\b"),
        "@testable does not work in release builds: make it package",
        ("Tests/",),
    ),
    (
        re.compile(r"^\s*@preconcurrency import"),
        "@preconcurrency import hides data races",
        ("Sources/",),
    ),
]


def swift_faults(path: str, number: int, line: str) -> Iterator[str]:
    """Yield what is wrong with one line of Swift.

    Parameters
    ----------
    path
        The file's path below the root.
    number
        The line's number, from 1.
    line
        The line without its end.

    Yields
    ------
    str
        A fault, as ``path:line: message``.
    """
    code = line.split("//", 1)[0]
    for pattern, message, folders in SWIFT_RULES:
        if path.startswith(folders) and pattern.search(code):
            yield f"{path}:{number}: {message}"


def file_faults(path: str) -> Iterator[str]:
    """Yield what is wrong with one file.

    Parameters
    ----------
    path
        The file's path below the root.

    Yields
    ------
    str
        A fault, as ``path:line: message``.
    """
    file = Path(path)
    if file.suffix not in TEXT or not file.is_file():
        return
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        yield f"{path}:1: is not UTF-8"
        return
    if text and not text.endswith("\n"):
        yield f"{path}:1: does not end with a newline"
    lines = text.splitlines()
    if file.suffix in CODE and len(lines) > LINES_MAX:
        yield f"{path}:{LINES_MAX + 1}: {len(lines)} lines, {LINES_MAX} are the most: split it"
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield f"{path}:{number}: trailing space"
        if "\t" in line and file.name != "Makefile":
            yield f"{path}:{number}: tab"
        if UNFINISHED.search(line):
            yield f"{path}:{number}: unfinished: do it, or open an issue"
        if file.suffix == ".swift":
            yield from swift_faults(path, number, line)


def import_faults(paths: list[str]) -> Iterator[str]:
    """Yield the imports of C modules outside their folders, and modules imported in too many files.

    Parameters
    ----------
    paths
        All files of the tree.

    Yields
    ------
    str
        A fault.
    """
    swift = [path for path in paths if path.endswith(".swift") and Path(path).is_file()]
    for module, (folder, most) in C_MODULES.items():
        pattern = re.compile(rf"^\s*(?:\w+ )*import {module}\b", re.MULTILINE)
        found = [
            path
            for path in swift
            if pattern.search(Path(path).read_text(encoding="utf-8"))
        ]
        for path in found:
            if not path.startswith(folder):
                yield f"{path}:1: imports {module}, which belongs in {folder} only"
        if len(found) > most:
            yield f"{folder}: {module} is imported in {len(found)} files, {most} are the most"


def main(paths: list[str]) -> int:
    """Print every fault of the tree.

    Parameters
    ----------
    paths
        All files of the tree, relative to the working directory.

    Returns
    -------
    int
        The exit status: 1 when there is a fault.
    """
    faults = [fault for path in paths for fault in file_faults(path)]
    faults += import_faults(paths)
    for needed in ("config.yaml", "README.md", "CHANGELOG.md"):
        if not Path(needed).is_file():
            faults.append(f"{needed}: is missing")
    print("\n".join(faults) if faults else f"tidy: {len(paths)} files, no faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
