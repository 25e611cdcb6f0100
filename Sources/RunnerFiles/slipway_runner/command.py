"""Turns a task's process into the command that it is to run."""

from __future__ import annotations

import _signal
import binascii
import os

TYPE_CHECKING = False  # As in typing, whose pages every fork would pay for.
if TYPE_CHECKING:
    from typing import Any, Dict

REFUSED = "the command's %s"
CONTROL = 3  # As in task.py, which this must not import.


def become(task: Dict[str, Any]) -> None:
    """Write the files, arrange stdin and exec; returns only by an exception."""
    argv = task.get("argv")
    if type(argv) is not list or not argv:
        raise ValueError(REFUSED % "argv is not a list with at least one string")
    if any(type(item) is not str or "\0" in item for item in argv):
        raise ValueError(REFUSED % "argv holds something that is not a string")
    files = task.get("files") or {}
    if type(files) is not dict:
        raise ValueError(REFUSED % "files are not an object")
    for name, content in files.items():
        if content is not None:  # Null counts as left out.
            write_file(name, content_of(content))
    if task.get("stdin") is not None:
        give_stdin(content_of(task["stdin"]))
    if task.get("protocol") == "jsonl":
        # Before anything is printed: its lines are events from the first on.
        os.write(CONTROL, b"L")
    for number in (_signal.SIGPIPE, _signal.SIGINT):
        _signal.signal(number, _signal.SIG_DFL)
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        raise OSError(error.errno, error.strerror, argv[0]) from None


def give_stdin(data: bytes) -> None:
    """Let the command read `data`, from a file without a name."""
    name = ".stdin"
    fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.unlink(name)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
    os.lseek(fd, 0, os.SEEK_SET)
    os.dup2(fd, 0)
    os.close(fd)


def content_of(value: Any) -> bytes:
    """Return the bytes of a text or of ``{"encoding": "base64", "data": ...}``."""
    if type(value) is str:
        return value.encode("utf-8", "surrogatepass")
    if type(value) is dict and value.get("encoding") == "base64":
        try:
            return decode_base64(value["data"])
        except (KeyError, TypeError, ValueError):
            pass
    raise ValueError(REFUSED % "stdin or file is neither text nor base64")


def write_file(name: str, data: bytes) -> None:
    """Write one file below the working folder."""
    path = os.path.normpath(name)
    if (
        not name
        or "\0" in name
        or os.path.isabs(path)
        or path.split(os.sep)[0] in ("..", ".")
    ):
        raise ValueError(REFUSED % ("file name %r is not relative" % name[:200]))
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    with open(path, "wb") as target:
        target.write(data)
        if data.startswith(b"#!"):
            os.fchmod(target.fileno(), 0o755)


def decode_base64(text: str) -> bytes:
    """Return the bytes of strict base64."""
    data = binascii.a2b_base64(text)
    if binascii.b2a_base64(data, newline=False).decode("ascii") != text:
        raise ValueError("not base64")
    return data
