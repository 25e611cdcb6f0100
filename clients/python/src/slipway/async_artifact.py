"""Files that a task left in ``$SLIPWAY_OUTPUT``, for callers with an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from ._async_streams import refuse
from ._download import Download, Target
from ._feed import RECONNECT_SECONDS, Breaks
from .artifact import ArtifactInfo
from .errors import Unavailable

if TYPE_CHECKING:
    from ._transport import AsyncTransport

# httpx leaves errors of TLS as they are when they come after the handshake.
_BROKEN = (httpx.TransportError, ssl.SSLError, Unavailable)
_CHUNK_BYTES = 262144


class AsyncArtifact(ArtifactInfo):
    """A file that a task left, and the way to its bytes; `Artifact` with awaitables."""

    _transport: AsyncTransport

    def __init__(self, transport: AsyncTransport, info: ArtifactInfo) -> None:
        super().__init__(info.name, info.size, info.sha256, info.media_type, info.url)
        object.__setattr__(self, "_transport", transport)

    async def chunks(self) -> AsyncIterator[bytes]:
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
                async with self._transport.stream(download.request()) as response:
                    await refuse(response)
                    download.begin(response.status_code)
                    async for data in response.aiter_bytes(_CHUNK_BYTES):
                        breaks.heard()
                        download.take(data)
                        yield data
                break
            except _BROKEN as error:
                if download.complete:
                    break
                breaks.broke(error)
                await asyncio.sleep(RECONNECT_SECONDS)
        download.finish()

    async def read(self) -> bytes:
        """Return all of the file's bytes."""
        return b"".join([data async for data in self.chunks()])

    async def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file and return where it is.

        Parameters
        ----------
        path
            A file, which is made or replaced once all bytes are there, or a folder.
        """
        target = Target(path, self.name)
        try:
            await _finished(target.open)
            async for data in self.chunks():
                await _finished(target.write, data)
            await _finished(target.keep)
        except BaseException:
            target.discard()
            raise
        return target.path


async def _finished(function: Callable[..., object], *args: object) -> None:
    """Call a function in a thread; a cancellation is raised when it has returned.

    Parameters
    ----------
    function, args
        What to call: what takes no longer than a disk does.
    """
    work = asyncio.ensure_future(asyncio.to_thread(function, *args))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([work])
        # The cancellation is what is told of the two.
        if not work.cancelled():
            work.exception()
        raise
