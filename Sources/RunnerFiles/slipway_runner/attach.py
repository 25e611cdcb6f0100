"""The channel over the supervisor's own standard input and output.

For engines to whose sandboxes no unix socket can be given. Clients of the engine come
and go, nothing tells who is attached, and bytes from before or of somebody else may
stand in the stream, so every frame travels in a record that names its session.
"""

from __future__ import annotations

import collections
import os
import re
import select
import time
from typing import Callable, Deque, List, Optional, Tuple

from . import frames
from .loop import Loop

READ_BYTES = 65536
#: The only byte that is escaped: in a record it is always followed by a zero byte.
ESCAPE = b"\xfe"
ESCAPED = b"\xfe\x00"
FRAME = b"\xfe\x01"
END = b"\xfe\x02"
OPEN = b"\xfe\x03"
SESSION_BYTES = 16
MAX_RECORD = 2 * (frames.PREFIX.size + frames.MAX_HEADER + frames.MAX_BODY) + 64
_BEGINS = re.compile(b"\xfe[\x01\x03]")
_STRAY = re.compile(b"\xfe[^\x00]|\xfe\\Z", re.DOTALL)


def claim() -> Tuple[int, int]:
    """Take standard input and output for the channel, before anything is forked.

    Their numbers are given away: input reads as empty, output goes where errors go.
    What is returned is closed in every program that is started.
    """
    ends = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    for fd in ends:
        os.set_blocking(fd, False)
    return ends


def record(session: bytes, frame: bytes) -> bytes:
    """Return `frame` as a record of `session`."""
    return b"".join((FRAME, session, frame.replace(ESCAPE, ESCAPED), END))


class Records:
    """Finds the records of a stream, wherever it was split."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self.session: Optional[bytes] = None

    def feed(self, data: bytes) -> List[Tuple[bool, bytes]]:
        """Take bytes and return what they complete.

        Returns
        -------
            Pairs of whether a session is opened, and the session's name or else the
            bytes of one frame of the present session.

        Raises
        ------
        Violation
            On a record of the present session that is cut short or holds more.
        """
        buffer = self._buffer
        buffer += data
        found: List[Tuple[bool, bytes]] = []
        start = 0
        while True:
            end = buffer.find(END, max(start, self._searched))
            if end < 0:
                break
            item = self._record(bytes(buffer[start:end]))
            if item is not None:
                found.append(item)
            start = self._searched = end + len(END)
        del buffer[:start]
        self._searched = max(0, len(buffer) - 1)
        if len(buffer) > MAX_RECORD:
            if self.session is not None:
                raise frames.Violation("a record is too long")
            # Nobody has opened a session: what is there was meant for nobody.
            del buffer[:-1]
        return found

    def _record(self, data: bytes) -> Optional[Tuple[bool, bytes]]:
        begins = [match.start() for match in _BEGINS.finditer(data)]
        if not begins:
            return None
        body = begins[-1] + len(FRAME) + SESSION_BYTES
        sessions = [data[at + 2 : at + 2 + SESSION_BYTES] for at in begins]
        named = sessions[-1]
        if data.startswith(OPEN, begins[-1]):
            if len(named) != SESSION_BYTES or body != len(data) or ESCAPE in named:
                return None
            self.session = named
            return True, named
        if self.session is None:
            return None
        if self.session in sessions[:-1]:
            raise frames.Violation("a record is cut short")
        if named != self.session:
            return None  # Of a session that is over.
        if _STRAY.search(data, body):
            raise frames.Violation("a record holds bytes that are not escaped")
        return False, data[body:].replace(ESCAPED, ESCAPE)


class AttachChannel:
    """The stream of frames with whoever opened the last session.

    Parameters
    ----------
    loop
        The loop that this channel lives on.
    ends
        What `claim` returned.
    reconnect
        Seconds without a word of a host after which `on_gone` is called.
    """

    def __init__(self, loop: Loop, ends: Tuple[int, int], reconnect: float) -> None:
        self._loop = loop
        self._in, self._to = ends
        self._reconnect = reconnect
        self._records = Records()
        self._session: Optional[bytes] = None
        self._out: Deque[memoryview] = collections.deque()
        self._heard = time.monotonic()
        self._waiting_to_write = False
        self._ended = False
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
        """Begin to listen for a host."""
        self._loop.add(self._in, select.EPOLLIN, self._event)
        self._watch()

    def _watch(self) -> None:
        # After a pause of the whole sandbox, what came meanwhile has to be read first.
        self._event(select.EPOLLIN)
        if self._ended:
            return
        left = self._heard + self._reconnect - time.monotonic()
        if left <= 0:
            self.on_gone()
            return
        self._loop.after(left, self._watch)

    def send(self, made: List[frames.Whole]) -> None:
        """Send whole frames, now as far as the host reads, the rest later."""
        session = self._session
        if session is None:
            return
        whole = [b"".join(item) if type(item) is tuple else item for item in made]
        data = b"".join([record(session, item) for item in whole])
        if self._out:
            self._out.append(memoryview(data))
            return
        sent = self._write(data)
        if sent < len(data):
            self._out.append(memoryview(data)[sent:])
            self._want_write(True)

    def _write(self, data: "bytes | memoryview") -> int:
        try:
            return os.write(self._to, data)
        except BlockingIOError:
            return 0
        except OSError:
            self.on_gone()
            return len(data)

    def _want_write(self, wanted: bool) -> None:
        if wanted == self._waiting_to_write:
            return
        self._waiting_to_write = wanted
        if wanted:
            self._loop.add(self._to, select.EPOLLOUT, self._flush)
        else:
            self._loop.remove(self._to)

    def _flush(self, _: int) -> None:
        out = self._out
        while out:
            sent = self._write(out[0])
            if sent < len(out[0]):
                out[0] = out[0][sent:]
                return
            out.popleft()
        self._want_write(False)
        self.on_drained()

    def _event(self, _: int) -> None:
        try:
            data = os.read(self._in, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            # The engine never gives another input: nobody can be heard any more.
            self.on_gone()
            return
        self._heard = time.monotonic()
        try:
            for opens, item in self._records.feed(data):
                if self._ended:
                    return
                if opens:
                    self._open(item)
                elif item:
                    self._frame(item)
        except frames.Violation as violation:
            self.on_violation(str(violation))

    def _open(self, session: bytes) -> None:
        known, self._session = self._session, session
        # What is left was for a host that is gone; the next one skips what it cuts short.
        self._out.clear()
        self._want_write(False)
        if known is not None:
            self.on_lost()
        self.on_open()

    def _frame(self, data: bytes) -> None:
        reader = frames.Reader(frames.FROM_HOST)
        found = reader.feed(data)
        if len(found) != 1 or reader.is_partial:
            raise frames.Violation("a record is not one frame")
        kind, header, body = found[0]
        self.on_frame(kind, header, body)

    def drop(self) -> None:
        """Stop listening."""
        self._session = None
        self._out.clear()
        if not self._ended:
            self._ended = True
            self._want_write(False)
            self._loop.remove(self._in)

    def last_words(self, data: bytes) -> None:
        """Send one frame behind what is queued, waiting a second at most."""
        if self._session is None:
            return
        self._out.append(memoryview(record(self._session, data)))
        give_up = time.monotonic() + 1.0
        try:
            while self._out:
                left = give_up - time.monotonic()
                if left <= 0 or not select.select([], [self._to], [], left)[1]:
                    break
                sent = os.write(self._to, self._out[0])
                if sent < len(self._out[0]):
                    self._out[0] = self._out[0][sent:]
                else:
                    self._out.popleft()
        except OSError:
            pass  # The host is gone: nothing more can be told.
        self.drop()
