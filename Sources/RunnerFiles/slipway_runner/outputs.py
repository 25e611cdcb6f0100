"""The helper that reads what a task left in its output folder.

Forked by the supervisor, with the task's uid as its effective one: so it can read what
the task could read, and nothing else. Its real and saved uid are nobody's, so the task
cannot signal or trace it. Everything in the folder may change while it is looked at:
what counts is the descriptor that was opened, and the bytes that were sent.

Over its socket go sequenced packets: ``F`` a file (name, first bytes), ``D`` more of its
bytes, ``S`` something that was left out and why, ``T`` the end.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import stat
import struct
from typing import Any, Callable, Dict, List, Optional

from .limits import OUTPUT_DEPTH, OUTPUT_NAME_BYTES

#: Nobody's, and another one than the scrub helper's, which would end this one.
NOBODY = 65533
SOCKET = 3
CHUNK = 131072
#: Name length, whether all bytes of the file are there.
FILE = struct.Struct(">H?")
MORE = struct.Struct(">?")
#: Entries that are looked at beyond the files that may be kept.
SPARE_ENTRIES = 1000
SKIPS_TOLD = 100
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Without O_NONBLOCK a pipe with a name would be waited for.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

Send = Callable[[bytes], Any]


class Full(Exception):
    """So many files, or so many entries, as are looked at; the rest is left out."""


def launch(
    theirs: int,
    uid: Optional[int],
    gid: Optional[int],
    folder: str,
    limits: Dict[str, int],
) -> int:
    """Fork the helper, which writes to the descriptor `theirs`; return its pid.

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
        os.dup2(theirs, SOCKET, False)
        highest = max(map(int, os.listdir("/proc/self/fd")))
        os.closerange(SOCKET + 1, highest + 1)
        if uid is not None:
            group = gid if gid is not None else NOBODY
            os.setgroups([])
            os.setresgid(group, group, group)
            os.setresuid(NOBODY, uid, NOBODY)

        def send(packet: bytes) -> None:
            os.write(SOCKET, packet)

        Collector(send, limits).collect(folder)
        code = 0
    except BaseException as error:
        os.write(2, ("slipway runner: outputs: %r\n" % (error,)).encode())
    finally:
        os._exit(code)


class Collector:
    """Walks a folder and sends what is in it.

    Parameters
    ----------
    send
        Takes one packet.
    limits
        The most `files`, `file_bytes` of one of them, `bytes` of all.
    """

    def __init__(self, send: Send, limits: Dict[str, int]) -> None:
        self._send = send
        self._files = limits["files"]
        self._file_bytes = limits["file_bytes"]
        self._bytes = limits["bytes"]
        self._entries = 2 * self._files + SPARE_ENTRIES
        self._device = -1
        self._names: set = set()
        self._skipped = 0
        self._cut = False

    def collect(self, folder: str) -> None:
        """Send everything in `folder`, then the end."""
        try:
            top = os.open(folder, _FOLDER)
            try:
                self._device = os.fstat(top).st_dev
                self._walk(top, "", 1)
            finally:
                os.close(top)
        except Full:
            self._cut = True
        except OSError as error:
            self._skip("", "the folder cannot be read: %s" % error.strerror)
        self._end()

    def _end(self) -> None:
        told = {"skipped": self._skipped, "cut": self._cut}
        self._send(b"T" + json.dumps(told).encode())

    def _walk(self, folder: int, prefix: str, depth: int) -> None:
        with os.scandir(folder) as listed:
            names = [item.name for item in itertools.islice(listed, self._entries + 1)]
        for name in sorted(names):
            self._entries -= 1
            if self._entries < 0:
                raise Full
            try:
                self._entry(folder, name, prefix + name, depth)
            except OSError as error:
                self._skip(prefix + name, error.strerror or "cannot be read")

    def _entry(self, folder: int, name: str, path: str, depth: int) -> None:
        fault = fault_of_name(path)
        if fault:
            self._skip(path, fault)
            return
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            if depth >= OUTPUT_DEPTH:
                self._skip(path, "lies deeper than %d folders" % OUTPUT_DEPTH)
                return
            inner = os.open(name, _FOLDER, dir_fd=folder)
            try:
                if os.fstat(inner).st_dev == self._device:
                    self._walk(inner, path + "/", depth + 1)
            finally:
                os.close(inner)
        elif stat.S_ISREG(mode):
            self._file(folder, name, path)
        else:
            self._skip(path, kind_of(mode))

    def _file(self, folder: int, name: str, path: str) -> None:
        if path in self._names:
            return  # Renamed while it was listed.
        fd = os.open(name, _FILE, dir_fd=folder)
        try:
            state = os.fstat(fd)
            fault = self._fault_of(state)
            if fault:
                self._skip(path, fault)
                return
            if len(self._names) >= self._files:
                raise Full
            self._names.add(path)
            self._bytes -= self._send_file(fd, path.encode(), state.st_size)
        finally:
            os.close(fd)

    def _fault_of(self, state: os.stat_result) -> str:
        if not stat.S_ISREG(state.st_mode) or state.st_dev != self._device:
            return "is no regular file"
        if state.st_nlink != 1:
            return "has more than one name (a hard link)"
        if state.st_size > self._file_bytes:
            return "is larger than the limit of %d bytes for one file" % (
                self._file_bytes
            )
        if state.st_size > self._bytes:
            return "goes beyond the limit of bytes for all files"
        return ""

    def _send_file(self, fd: int, name: bytes, size: int) -> int:
        """Send at most the size that was seen; a file may grow or shrink meanwhile."""
        data = os.read(fd, min(size, CHUNK)) if size else b""
        sent = len(data)
        last = not data or sent >= size
        self._send(b"".join((b"F", FILE.pack(len(name), last), name, data)))
        while not last:
            data = os.read(fd, min(size - sent, CHUNK))
            sent += len(data)
            last = not data or sent >= size
            self._send(b"".join((b"D", MORE.pack(last), data)))
        return sent

    def _skip(self, path: str, reason: str) -> None:
        self._skipped += 1
        if self._skipped > SKIPS_TOLD:
            return
        told = {"name": readable(path), "reason": reason}
        self._send(b"S" + json.dumps(told).encode())


def fault_of_name(path: str) -> str:
    """Return why `path` can be no artifact's name; empty where it can."""
    try:
        encoded = path.encode("utf-8")
    except UnicodeEncodeError:
        return "has a name that is not UTF-8"
    if len(encoded) > OUTPUT_NAME_BYTES:
        return "has a name of more than %d bytes" % OUTPUT_NAME_BYTES
    if "\\" in path or any(c < " " or "\x7f" <= c <= "\x9f" for c in path):
        return "has a name with a control character or a backslash"
    return ""


def kind_of(mode: int) -> str:
    """Return what is wrong with something that is neither file nor folder."""
    if stat.S_ISLNK(mode):
        return "is a symbolic link"
    if stat.S_ISFIFO(mode):
        return "is a named pipe"
    if stat.S_ISSOCK(mode):
        return "is a socket"
    return "is no regular file"


def readable(path: str) -> str:
    """Return `path` as text that can be shown, its end where it is long."""
    shown: List[str] = []
    for character in path[-200:]:
        code = ord(character)
        if 0xDC80 <= code <= 0xDCFF:
            shown.append("\\x%02x" % (code - 0xDC00))
        elif character == "\\" or code < 32 or 0x7F <= code <= 0x9F:
            shown.append("\\x%02x" % code)
        elif 0xD800 <= code <= 0xDFFF:
            shown.append("\\u%04x" % code)
        else:
            shown.append(character)
    return "".join(shown)
