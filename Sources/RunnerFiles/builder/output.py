"""What a build says, line by line, for those who wait for it and for its end."""

from __future__ import annotations

import os
import re
import sys

LIMIT_BYTES = 1 << 20
_TAIL_BYTES = 262_144
_CREDENTIALS = re.compile(rb"(://)[^/@\s]+@")
# Where we wrote the requirements down is of no use to anybody.
_OWN_FILE = re.compile(rb" \(from -r \S*/\.slipway-tmp/\S* \(line \d+\)\)")


class Output:
    """Takes the output of programs and tells it line by line.

    Parameters
    ----------
    path
        The file that the engine reads meanwhile; it gets the folder's owner, who
        need not be root. Without one nothing is told.
    """

    def __init__(self, path: str | None = None) -> None:
        self._rest = b""
        self._left = LIMIT_BYTES
        self._tail = b""
        self._told = 0
        self._file: int | None = None
        if path is not None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(path, flags, 0o600)
            if os.geteuid() == 0:
                owner = os.stat(os.path.dirname(path))
                os.fchown(self._file, owner.st_uid, owner.st_gid)

    def mark(self) -> int:
        """Return a place in the output, for ``since``."""
        self._flush()
        return self._told

    def since(self, mark: int) -> str:
        """Return what was said last, from a place on."""
        self._flush()
        start = max(0, mark - (self._told - len(self._tail)))
        return self._tail[start:].decode("utf-8", "replace")

    @property
    def text(self) -> str:
        """What was said last."""
        return self.since(0)

    def say(self, line: str) -> None:
        """Say something of our own."""
        self._flush()
        self.take(line.encode() + b"\n")

    def take(self, piece: bytes) -> None:
        """Take output as it comes, cut anywhere."""
        lines, found, rest = (self._rest + piece).rpartition(b"\n")
        self._rest = rest
        if found:
            self._tell(lines + b"\n")
        if len(self._rest) > 65_536:
            self._flush()

    def _flush(self) -> None:
        if self._rest:
            rest, self._rest = self._rest, b""
            self._tell(rest + b"\n")

    def _tell(self, lines: bytes) -> None:
        # Addresses of indexes may hold passwords, and the tenant reads this.
        lines = _OWN_FILE.sub(b"", _CREDENTIALS.sub(rb"\1****@", lines))
        self._tail = (self._tail + lines)[-_TAIL_BYTES:]
        self._told += len(lines)
        sys.stdout.buffer.write(lines)
        sys.stdout.buffer.flush()
        if self._file is None or self._left <= 0:
            return
        piece = lines[: self._left]
        self._left -= len(piece)
        if self._left <= 0:
            piece += b"\n[the rest of the output is left out]\n"
        os.write(self._file, piece)
