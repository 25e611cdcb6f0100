"""Files that a task left in ``$SLIPWAY_OUTPUT``, for callers that block."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from ._download import Download, Target
from ._feed import RECONNECT_SECONDS, Breaks
from ._steps import Json
from ._streams import refuse
from .errors import Unavailable

if TYPE_CHECKING:
    from ._transport import Transport

_BROKEN = (httpx.TransportError, Unavailable)
_CHUNK_BYTES = 262144


@dataclass(frozen=True)
class ArtifactInfo:
    """A file that a task left.

    Attributes
    ----------
    name
        Its path below the task's output folder, with slashes.
    size
        Its size in bytes.
    sha256
        The SHA-256 of its bytes in hexadecimal.
    media_type
        A guess at what it is, from its name.
    url
        Where its bytes are, below the gateway's address.
    """

    name: str
    size: int
    sha256: str
    media_type: str
    url: str


def info_of(described: Json) -> ArtifactInfo:
    """Return the artifact that the gateway describes."""
    return ArtifactInfo(
        str(described["name"]),
        int(described["size"]),
        str(described["sha256"]),
        str(described["media_type"]),
        str(described["url"]),
    )


class Artifact(ArtifactInfo):
    """A file that a task left, and the way to its bytes."""

    _transport: Transport

    def __init__(self, transport: Transport, info: ArtifactInfo) -> None:
        super().__init__(info.name, info.size, info.sha256, info.media_type, info.url)
        object.__setattr__(self, "_transport", transport)

    def chunks(self) -> Iterator[bytes]:
        """Return the file's bytes in pieces; after a broken connection, from where it broke.

        Raises
        ------
        SlipwayError
            At the end, when the bytes are not those that the gateway announced.
        """
        download = Download(self.url, self.size, self.sha256)
        breaks = Breaks(f"the file {self.name}")
        while True:
            try:
                with self._transport.stream(download.request()) as response:
                    refuse(response)
                    download.begin(response.status_code)
                    for data in response.iter_bytes(_CHUNK_BYTES):
                        breaks.heard()
                        download.take(data)
                        yield data
                break
            except _BROKEN as error:
                if download.complete:
                    break
                breaks.broke(error)
                time.sleep(RECONNECT_SECONDS)
        download.finish()

    def read(self) -> bytes:
        """Return all of the file's bytes."""
        return b"".join(self.chunks())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file and return where it is.

        Parameters
        ----------
        path
            A file, which is made or replaced once all bytes are there, or a folder.
        """
        target = Target(path, self.name)
        try:
            target.open()
            for data in self.chunks():
                target.write(data)
            target.keep()
        except BaseException:
            target.discard()
            raise
        return target.path
