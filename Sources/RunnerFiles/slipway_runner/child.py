"""The supervisor's side of one task process: its pipes, its socket, its answer.

Whatever comes over the socket was written by the task and is treated as hostile.
"""

from __future__ import annotations

import _socket
import array
import collections
import os
import select
import signal
import socket
import struct
import time
from typing import Any, Callable, Deque, Dict, List, Optional, Tuple

from . import frames
from .jobs import JsonLines
from .loop import Loop, Timer

CHUNK = 131072
RECEIVE_BYTES = CHUNK + 131072
READ_BYTES = 65536
DRAIN_READS = 32
#: More than a socket holds of packets from one who has ended.
PACKETS = 1000
SHORT_BYTES = 4096
#: Short parts of a result are joined up to here: each costs some hundred bytes more.
JOINED_BYTES = 65536
LENGTH = struct.Struct(">I")
_CREDENTIALS = struct.Struct("3i")
#: Where packets arrive, one after the other.
_arrival = memoryview(bytearray(RECEIVE_BYTES))
_ANCILLARY = socket.CMSG_SPACE(_CREDENTIALS.size)


class Child:
    """A forked task, waiting or at work.

    Parameters
    ----------
    loop
        The supervisor's loop.
    uid
        The uid that it must have when it reports ready; None where uids are not split.
    folder
        Its working folder, which it makes itself.
    """

    def __init__(self, loop: Loop, uid: Optional[int], folder: str) -> None:
        self._loop = loop
        self.uid = uid
        self.folder = folder
        self.pid: Optional[int] = None
        self.kill_when_known = False
        self.timer: Optional[Timer] = None
        self.status: Optional[int] = None
        self.usage: Any = None
        self.answered = False
        #: Whether it waits for `release` once it has answered.
        self.lingers = True
        self.on_ready: Callable[[Child], None] = lambda _: None
        self.on_output: Callable[[str, bytes], None] = lambda *_: None
        self.on_event: Callable[[bytes], None] = lambda _: None
        #: Called with the header of the result, its parts and their size together.
        self.on_answer: Callable[[Dict[str, Any], List[bytes], int], None] = lambda *_: (
            None
        )
        self.on_misuse: Callable[[str], None] = lambda _: None
        self.on_silent: Callable[[Child], None] = lambda _: None
        self.result_limit = 0
        #: Finds events in what a command prints, once it has said that there are any.
        self.lines: Optional[JsonLines] = None
        self.may_tell_lines = False
        self._out: Deque[Tuple["bytes | memoryview", ...]] = collections.deque()
        self._parts: List["bytes | bytearray | memoryview"] = []
        self._parts_size = 0
        # Of the C module: the class around it asks the kernel for what is known here.
        self._control, self._theirs = _socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET
        )
        self._control.setblocking(False)
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._streams: Dict[str, int] = {}
        self._their_ends: List[int] = []
        for name in ("stdout", "stderr"):
            reader, writer = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(reader, False)
            # A task may open /dev/stdout by name, which asks for the pipe's mode.
            os.fchmod(writer, 0o622)
            self._streams[name] = reader
            self._their_ends.append(writer)
            loop.add(reader, select.EPOLLIN, self._stream_handler(name))
        loop.add(self._control.fileno(), select.EPOLLIN, self._event)

    def hand_over(self, zygote: socket.socket, request: bytes) -> None:
        """Send the child's ends to the zygote, which forks; close ours of them."""
        ends = array.array("i", [self._theirs.fileno()] + self._their_ends)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, ends)]
        try:
            zygote.sendmsg([request], rights)
        finally:
            self._theirs.close()
            for fd in self._their_ends:
                os.close(fd)
            self._their_ends = []

    def start(self, header: bytes, body: List[bytes]) -> None:
        """Hand over the task: its header and what is there of its input."""
        first = body[0] if body else b""
        room = CHUNK - len(header)
        self.push(
            b"".join((b"S", LENGTH.pack(len(header)), header, first[:room])),
        )
        if len(first) > room:
            self.more(first[room:])
        for data in body[1:]:
            self.more(data)

    def more(self, data: bytes) -> None:
        """Hand over more of the input."""
        view = memoryview(data)
        for start in range(0, len(view), CHUNK):
            self.push(b"I", view[start : start + CHUNK])

    def push(self, *packet: "bytes | memoryview") -> None:
        """Send one packet, given in pieces, now or when the child has room for it."""
        if self._out:
            self._out.append(packet)
            return
        try:
            self._control.sendmsg(packet)
        except BlockingIOError:
            self._out.append(packet)
            self._loop.modify(self._control.fileno(), select.EPOLLIN | select.EPOLLOUT)
        except OSError:
            pass  # It died; the end of the process tells the rest.

    def _flush(self) -> None:
        try:
            while self._out:
                self._control.sendmsg(self._out[0])
                self._out.popleft()
        except BlockingIOError:
            return
        except OSError:
            self._out.clear()
        self._loop.modify(self._control.fileno(), select.EPOLLIN)

    def _stream_handler(self, name: str) -> Callable[[int], None]:
        def readable(_: int) -> None:
            self._read(name)

        return readable

    def _read(self, name: str) -> bool:
        fd = self._streams.get(name)
        if fd is None:
            return False
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._close_stream(name)
            return False
        if self.may_tell_lines:
            # It says so before its program prints anything.
            self.may_tell_lines = False
            self.receive_all()
        self.on_output(name, data)
        return True

    def drain(self) -> None:
        """Read what both streams hold now; bounded, for others may still write."""
        for name in ("stdout", "stderr"):
            for _ in range(DRAIN_READS):
                if not self._read(name):
                    break

    def _close_stream(self, name: str) -> None:
        fd = self._streams.pop(name, None)
        if fd is not None:
            self._loop.remove(fd)
            os.close(fd)

    def _event(self, events: int) -> None:
        if events & select.EPOLLOUT:
            self._flush()
        if events & ~select.EPOLLOUT:
            self.receive()

    def receive(self) -> bool:
        """Take one packet of the child; False when there is none."""
        control = self._control
        if control.fileno() < 0:
            return False
        try:
            if self.pid is None:
                data, ancillary, _, _ = control.recvmsg(RECEIVE_BYTES, _ANCILLARY)
                if data and not self._identify(data, ancillary):
                    return False
                if data:
                    return True
            else:
                data = _arrival[: control.recv_into(_arrival)].tobytes()
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            # End of file, or an empty packet, which no child of ours sends.
            self._loop.remove(control.fileno())
            control.close()
            if self.pid is None:
                self.on_silent(self)
            return False
        self._packet(data)
        return True

    def receive_all(self) -> None:
        """Take what the child sent up to its answer; bounded, for others may still write."""
        for _ in range(PACKETS):
            if self.answered or not self.receive():
                break

    def await_word(self, deadline: float) -> None:
        """Wait until it reports ready, or nobody is left who could."""
        left = deadline - time.monotonic()
        if self.pid is None and self._control.fileno() >= 0 and left > 0:
            poller = select.poll()
            poller.register(self._control, select.POLLIN)
            poller.poll(left * 1000)

    @property
    def is_void(self) -> bool:
        """Whether it never came to be, or ended before it could be told its task."""
        if self.pid is not None:
            return False
        try:
            # Nobody holds the other end, and nobody ever reported ready over it.
            return not self._control.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _identify(self, data: bytes, ancillary: list) -> bool:
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                pid, uid, _ = _CREDENTIALS.unpack(payload[: _CREDENTIALS.size])
                if data == b"R" and pid > 1 and self.uid in (None, uid):
                    self.pid = pid
                    self._control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
                    self.on_ready(self)
                    return True
        self.on_misuse("a child did not report ready as its own uid")
        return False

    def _packet(self, data: bytes) -> None:
        kind = data[:1]
        if self.answered:
            return
        if kind == b"E":
            self.on_event(data[1:])
        elif data == b"L":
            self.lines = JsonLines()
        elif kind == b"P" and len(data) > 1:
            # A view costs as much as some hundred bytes; a copy of many costs more.
            self._part(memoryview(data)[1:] if len(data) > SHORT_BYTES else data[1:])
        elif kind == b"F":
            self._final(data)
        else:
            self.on_misuse("the task wrote to descriptor 3, which is the runner's")

    def _part(self, data: "bytes | memoryview") -> None:
        last = self._parts[-1] if self._parts else b""
        if last and len(data) < SHORT_BYTES and len(last) < JOINED_BYTES:
            if type(last) is not bytearray:
                self._parts[-1] = last = bytearray(last)
            last += data
        else:
            self._parts.append(data)
        self._parts_size += len(data)
        limit = self.result_limit + self.result_limit // 512 + CHUNK
        if self._parts_size > limit:
            self._parts = []
            self.on_misuse("the task sent more result than it may")

    def _final(self, data: bytes) -> None:
        try:
            (length,) = LENGTH.unpack_from(data, 1)
            header = frames.object_from(data[5 : 5 + length])
        except (struct.error, frames.Violation):
            self.on_misuse("the task sent a malformed result")
            return
        body = data[5 + length :]
        self._part(body)
        parts, self._parts = self._parts, []
        self.answered = True
        self.on_answer(header, parts, self._parts_size)

    def lines_of(self, stream: str, data: bytes) -> List[bytes]:
        """Return the lines of what it printed that are to be events."""
        if self.lines is None or stream != "stdout":
            return []
        return self.lines.feed(data)

    def last_lines(self) -> List[bytes]:
        """Return the last such line, where the output ended without a newline."""
        return self.lines.last() if self.lines is not None else []

    def release(self) -> None:
        """Let a child that has answered end."""
        if not self.lingers:
            return
        try:
            self._control.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # It ended already.

    def kill(self) -> None:
        """Kill its process, as soon as that is known."""
        if self.status is not None:
            return
        if self.pid is None:
            self.kill_when_known = True
            return
        try:
            os.kill(self.pid, signal.SIGKILL)
        except OSError:
            pass  # It is a zombie that the next SIGCHLD brings in.

    def close(self) -> None:
        """Close every descriptor of this child."""
        for name in ("stdout", "stderr"):
            self._close_stream(name)
        if self._control.fileno() >= 0:
            self._loop.remove(self._control.fileno())
            self._control.close()
