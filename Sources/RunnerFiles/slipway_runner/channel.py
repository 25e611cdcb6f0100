"""The supervisor's connection to the host: dials, redials, never blocks."""

from __future__ import annotations

import collections
import itertools
import select
import socket
import time
from typing import Callable, Deque, List, Optional

from . import frames
from .loop import Loop

READ_BYTES = 262144
#: After so many bytes whatever else waits in the loop has its turn.
FLUSH_BYTES = 4 << 20
#: The most buffers that go out in one call.
FLUSH_BUFFERS = 512
DIAL_SECONDS = 10.0
FIRST_BACKOFF = 0.02
LAST_BACKOFF = 1.0


class Channel:
    """One stream of frames, made again after a loss.

    Parameters
    ----------
    loop
        The loop that this channel lives on.
    path
        The unix socket on which the host listens.
    reconnect
        Seconds without a host after which `on_gone` is called.
    """

    def __init__(self, loop: Loop, path: str, reconnect: float) -> None:
        self._loop = loop
        self._path = path
        self._reconnect = reconnect
        self._socket: Optional[socket.socket] = None
        self._out: Deque[memoryview] = collections.deque()
        self._reader = frames.Reader(frames.FROM_HOST)
        self._backoff = FIRST_BACKOFF
        self._give_up = time.monotonic() + max(DIAL_SECONDS, 0.0)
        self._waiting_to_write = False
        self.on_open: Callable[[], None] = lambda: None
        self.on_lost: Callable[[], None] = lambda: None
        self.on_gone: Callable[[], None] = lambda: None
        self.on_frame: Callable[[int, dict, bytes], None] = lambda *_: None
        self.on_violation: Callable[[str], None] = lambda _: None
        self.on_drained: Callable[[], None] = lambda: None

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait for the host to read."""
        return sum(len(view) for view in self._out)

    def dial(self) -> None:
        """Connect now, or try again later."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(self._path)
        except OSError:
            connection.close()
            self._retry()
            return
        connection.setblocking(False)
        self._socket = connection
        self._backoff = FIRST_BACKOFF
        self._reader = frames.Reader(frames.FROM_HOST)
        self._waiting_to_write = False
        self._loop.add(connection.fileno(), select.EPOLLIN, self._event)
        self.on_open()

    def _retry(self) -> None:
        if time.monotonic() >= self._give_up:
            self.on_gone()
            return
        self._loop.after(self._backoff, self.dial)
        self._backoff = min(self._backoff * 2, LAST_BACKOFF)

    def send(self, made: List[frames.Whole]) -> None:
        """Send whole frames, now as far as the host reads, the rest later."""
        connection = self._socket
        if connection is None:
            return
        buffers = frames.buffers_of(made)
        if self._out:
            self._out.extend(memoryview(item) for item in buffers)
            return
        try:
            if len(buffers) == 1:
                sent = connection.send(buffers[0])
            else:
                sent = connection.sendmsg(buffers[:FLUSH_BUFFERS])
        except BlockingIOError:
            sent = 0
        except OSError:
            self._lose()
            return
        for item in buffers:
            if sent >= len(item):
                sent -= len(item)
                continue
            self._out.append(memoryview(item)[sent:])
            sent = 0
        if self._out:
            self._want_write(True)

    def _want_write(self, wanted: bool) -> None:
        if wanted != self._waiting_to_write and self._socket is not None:
            self._waiting_to_write = wanted
            mask = select.EPOLLIN | (select.EPOLLOUT if wanted else 0)
            self._loop.modify(self._socket.fileno(), mask)

    def _flush(self) -> None:
        out, connection = self._out, self._socket
        left = FLUSH_BYTES
        try:
            while out and connection is not None:
                if left <= 0:
                    return  # The socket is ready still, so the loop comes back.
                sent = connection.sendmsg(list(itertools.islice(out, FLUSH_BUFFERS)))
                left -= sent
                while out and sent >= len(out[0]):
                    sent -= len(out.popleft())
                if sent:
                    out[0] = out[0][sent:]
        except BlockingIOError:
            return
        except OSError:
            self._lose()
            return
        self._want_write(False)
        self.on_drained()

    def _event(self, events: int) -> None:
        connection = self._socket
        if connection is None:
            return
        if events & select.EPOLLOUT:
            self._flush()
        if not events & ~select.EPOLLOUT or self._socket is not connection:
            return
        try:
            data = connection.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose()
            return
        try:
            for kind, header, body in self._reader.feed(data):
                self.on_frame(kind, header, body)
                if self._socket is not connection:
                    return
        except frames.Violation as violation:
            self.on_violation(str(violation))

    def _lose(self) -> None:
        self.drop()
        self._give_up = time.monotonic() + self._reconnect
        self.on_lost()
        self._retry()

    def drop(self) -> None:
        """Close the connection without dialling again."""
        connection, self._socket = self._socket, None
        self._out.clear()
        if connection is not None:
            self._loop.remove(connection.fileno())
            connection.close()

    def last_words(self, data: bytes) -> None:
        """Send one frame behind what is queued, waiting a second at most."""
        connection = self._socket
        if connection is None:
            return
        connection.settimeout(1.0)
        try:
            for view in self._out:
                connection.sendall(view)
            connection.sendall(data)
        except OSError:
            pass  # The host is gone or does not read: nothing more can be told.
        self.drop()
