"""The bytes of an artifact on their way, checked; no input or output happens here."""

from __future__ import annotations

import hashlib
import os
import tempfile
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
        given = Path(path)
        self.path = given / name.rsplit("/", 1)[-1] if given.is_dir() else given
        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        handle, self._draft = tempfile.mkstemp(prefix=".slipway-", dir=folder)
        self.file: BinaryIO = os.fdopen(handle, "wb")

    def keep(self) -> None:
        """Give the file its name, over one that is there."""
        self.file.close()
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(self._draft, 0o666 & ~mask)
        os.replace(self._draft, self.path)

    def discard(self) -> None:
        """Remove what is there of it."""
        self.file.close()
        os.unlink(self._draft)
