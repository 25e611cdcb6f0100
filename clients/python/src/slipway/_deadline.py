"""Ends answers that do not come in the caller's time."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ._steps import Request

# More than this comes in many pieces, each of which may take its time.
_LARGE_BYTES = 65536


class Answer(Protocol):
    """An answer of httpx or of httpcore whose body was not read yet."""

    @property
    def extensions(self) -> Mapping[str, Any]:
        """What the connection's packages say beside the answer."""
        ...


def abort(response: Answer) -> None:
    """End an answer that another thread reads; its reader gets an error.

    Parameters
    ----------
    response
        The answer.
    """
    stream = response.extensions.get("network_stream")
    own = stream.get_extra_info("socket") if stream is not None else None
    if own is not None:
        # Closing it would not wake the reader up.
        with contextlib.suppress(OSError):
            own.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def in_time(
    request: Request, response: Answer, timeouts: dict[str, Any], size: str | None
) -> Iterator[None]:
    """Read the body of an answer within this, and it ends with the caller's time.

    Parameters
    ----------
    request, response
        What was asked, and what has come.
    timeouts
        Those that the connection has for the request.
    size
        How many bytes the body has, if that was said.
    """
    if request.deadline is None:
        yield
        return
    # For each piece of the body; the time so far was for its beginning.
    timeouts["read"] = request.seconds()
    if size is not None and size.isdigit() and int(size) <= _LARGE_BYTES:
        yield
        return
    timer = threading.Timer(request.seconds(), abort, [response])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
