"""The bytes of an artifact on their way, checked; no input or output happens here."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path
from typing import BinaryIO

from ._steps import Request
from .errors import SlipwayError


class Download:
    """What was fetched of an artifact, and what to ask for next.

    Parameters
    ----------
    path
        Where its bytes are.
    size, sha256
        What it must come to.
    """

    def __init__(self, path: str, size: int, sha256: str) -> None:
        self._path = path
        self._size = size
        self._sha256 = sha256
        self._hash = hashlib.sha256()
        self._offset = 0

    def request(self) -> Request:
        """Return the request for what is missing."""
        headers = {"accept-encoding": "identity"}
        if self._offset:
            headers["range"] = f"bytes={self._offset}-"
            headers["if-range"] = f'"{self._sha256}"'
        return Request("GET", self._path, headers=headers)

    @property
    def complete(self) -> bool:
        """Whether no byte is missing."""
        return self._offset >= self._size

    def begin(self, status: int) -> None:
        """Check that an answer goes on where the last one ended."""
        if self._offset and status != 206:
            raise SlipwayError(f"{self._path}: the gateway has another file by now")

    def take(self, data: bytes) -> None:
        """Take the next bytes."""
        self._offset += len(data)
        self._hash.update(data)

    def finish(self) -> None:
        """Raise when what came is not what was announced."""
        if self._offset != self._size or self._hash.hexdigest() != self._sha256:
            raise SlipwayError(
                f"{self._path}: {self._offset} bytes came that are not the file's "
                f"{self._size}; fetch it again"
            )


class Target:
    """A file that takes its name only when all of it is there.

    Parameters
    ----------
    path
        A file, or a folder for a file called `name`.
    name
        The artifact's name; its last part counts.
    """

    def __init__(self, path: str | os.PathLike[str], name: str) -> None:
        self.path = Path(path)
        self._name = name
        self._draft: Path | None = None
        self._file: BinaryIO | None = None

    def open(self) -> None:
        """Make the draft, and the folder that it is in."""
        if self.path.is_dir():
            self.path /= self._name.rsplit("/", 1)[-1]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._draft = self.path.parent / f".slipway-{secrets.token_hex(8)}"
        # With the rights that a file of the caller's has by default.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._file = os.fdopen(os.open(self._draft, flags, 0o666), "wb")

    def write(self, data: bytes) -> None:
        """Add the next bytes."""
        assert self._file is not None
        self._file.write(data)

    def keep(self) -> None:
        """Give the file its name, over one that is there."""
        assert self._file is not None and self._draft is not None
        self._file.close()
        os.replace(self._draft, self.path)

    def discard(self) -> None:
        """Remove what is there of it, unless it has its name already."""
        # What could not be written is not wanted any more.
        with contextlib.suppress(OSError):
            if self._file is not None:
                self._file.close()
        with contextlib.suppress(FileNotFoundError):
            if self._draft is not None:
                os.unlink(self._draft)
