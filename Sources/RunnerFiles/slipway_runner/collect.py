"""The supervisor's side of a collection of outputs: starts the helper, makes frames.

Whatever the helper says is cut to size here, as if it were the task's own word.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
from typing import Any, Callable, Dict, List, Optional

from . import frames, outputs
from .jobs import Job
from .loop import Loop, Timer

PACKET_BYTES = 2 * outputs.CHUNK
PACKETS_AT_ONCE = 16
#: With so much on its way to the host nothing more is read.
BACKLOG_BYTES = 4194304


class Collection:
    """One reading of a task's output folder.

    Parameters
    ----------
    loop
        The supervisor's loop.
    job
        Whose outputs they are.
    emit
        Takes frames for the host.
    """

    def __init__(
        self, loop: Loop, job: Job, emit: Callable[[List[bytes]], None]
    ) -> None:
        self._loop = loop
        self.job = job
        self._emit = emit
        self.pid: Optional[int] = None
        self.on_done: Callable[[], None] = lambda: None
        self._socket: Optional[socket.socket] = None
        self._timer: Optional[Timer] = None
        #: How long the job waits for its outputs to be read, and the host for its result.
        self._seconds = 0.0
        self._index = 0
        self._offset = 0
        self._open = False
        self._name = ""
        self._complete = 0
        self._skipped: List[Dict[str, str]] = []
        self._skipped_count = 0
        self._cut = False
        self._paused = False

    @property
    def done(self) -> bool:
        """Whether everything was said; the helper may still have to be reaped."""
        return self._socket is None

    def start(
        self,
        uid: Optional[int],
        gid: Optional[int],
        folder: str,
        limits: Dict[str, int],
    ) -> None:
        """Start the helper; `on_done` follows, at once where no process can be had."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self.pid = outputs.launch(theirs.fileno(), uid, gid, folder, limits)
        except OSError as error:
            ours.close()
            self._fail("no process could be started: %s" % error.strerror)
            return
        finally:
            theirs.close()
        ours.setblocking(False)
        self._socket = ours
        self._loop.add(ours.fileno(), select.EPOLLIN, self._readable)
        self._seconds = limits["milliseconds"] / 1000.0
        self._timer = self._loop.after(self._seconds, self._overdue)

    def _readable(self, _: int) -> None:
        for _ in range(PACKETS_AT_ONCE):
            if self._socket is None or self._paused:
                return
            try:
                data = self._socket.recv(PACKET_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._fail("the helper that reads them ended early")
                return
            try:
                self._packet(data)
            except (struct.error, frames.Violation):
                self._fail("the helper that reads them is confused")

    def pace(self, backlog: int) -> None:
        """Stop reading while the host is behind, and go on when it is not."""
        paused = backlog > BACKLOG_BYTES
        if self._socket is not None and paused != self._paused:
            self._paused = paused
            if paused:
                # Without any events it would still be told that the helper hung up.
                self._loop.remove(self._socket.fileno())
            else:
                self._loop.add(self._socket.fileno(), select.EPOLLIN, self._readable)

    def _packet(self, data: bytes) -> None:
        kind = data[:1]
        if kind == b"F" and not self._open:
            length, last = outputs.FILE.unpack_from(data, 1)
            start = 1 + outputs.FILE.size
            self._name = data[start : start + length].decode("utf-8", "replace")
            self._index += 1
            self._offset = 0
            self._send(data[start + length :], last)
        elif kind == b"D" and self._open:
            (last,) = outputs.MORE.unpack_from(data, 1)
            self._send(data[1 + outputs.MORE.size :], last)
        elif kind == b"S":
            self._note(frames.object_from(data[1:]))
        elif kind == b"T" and not self._open:
            self._finish(frames.object_from(data[1:]))
        else:
            raise frames.Violation("an unexpected packet")

    def _send(self, data: bytes, last: bool) -> None:
        header = self.job.header(index=self._index, offset=self._offset)
        if not self._offset:
            header["name"] = self._name
        if last:
            header["last"] = True
            self._complete += 1
        self._offset += len(data)
        self._open = not last
        self._emit([frames.encode(frames.OUTPUT, header, data)])

    def _note(self, told: Dict[str, Any]) -> None:
        self._skipped_count += 1
        if len(self._skipped) < outputs.SKIPS_TOLD:
            name = str(told.get("name"))[:1000]
            reason = str(told.get("reason"))[:200]
            self._skipped.append({"name": name, "reason": reason})

    def _finish(self, told: Dict[str, Any]) -> None:
        skipped = told.get("skipped")
        if type(skipped) is int and skipped > self._skipped_count:
            self._skipped_count = skipped
        self._cut = bool(told.get("cut"))
        self._end()

    def _fail(self, reason: str) -> None:
        name = self._name if self._open else ""
        self._note({"name": name, "reason": "outputs are missing: " + reason})
        self._end()

    def _overdue(self) -> None:
        limit = "%g s (jobs.output_timeout)" % self._seconds
        self._fail("reading them took more than " + limit)

    def _end(self) -> None:
        self._close()
        header = self.job.header(
            files=self._complete,
            skipped_count=self._skipped_count,
            cut=self._cut,
            skipped=fitted(self._skipped),
        )
        self._emit([frames.encode(frames.OUTPUTS, header)])
        self.on_done()

    def abort(self) -> None:
        """Stop without another word; the helper is killed, and reaped later."""
        self._close()

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        connection, self._socket = self._socket, None
        if connection is not None:
            self._loop.remove(connection.fileno())
            connection.close()
        if self.pid is not None:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except OSError:
                pass  # It has ended.


def fitted(skipped: List[Dict[str, str]]) -> List[Dict[str, str]]:
    """Return the first of `skipped`, as many as fit into a frame's header."""
    size, kept = 0, []
    for item in skipped:
        # Six bytes are the most that JSON takes for a character of these.
        size += 6 * (len(item["name"]) + len(item["reason"])) + 32
        if size > frames.MAX_HEADER - 4096:
            break
        kept.append(item)
    return kept
