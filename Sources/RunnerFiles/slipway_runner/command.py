"""Turns a task's process into the command that it is to run."""

from __future__ import annotations

import base64
import binascii
import os
import signal
import tempfile
from typing import Any, Dict

REFUSED = "the command's %s"


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
        write_file(name, content_of(content))
    if task.get("stdin") is not None:
        with tempfile.TemporaryFile() as source:
            source.write(content_of(task["stdin"]))
            source.seek(0)
            os.dup2(source.fileno(), 0)
    for number in (signal.SIGPIPE, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    os.execvp(argv[0], argv)


def content_of(value: Any) -> bytes:
    """Return the bytes of a text or of ``{"encoding": "base64", "data": ...}``."""
    if type(value) is str:
        return value.encode("utf-8", "surrogatepass")
    if type(value) is dict and value.get("encoding") == "base64":
        try:
            return base64.b64decode(value["data"], validate=True)
        except (KeyError, TypeError, ValueError, binascii.Error):
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
