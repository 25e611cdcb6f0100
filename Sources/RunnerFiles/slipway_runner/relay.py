"""Carries connections from the sandbox's loopback to named ports of the host.

There is a listener for each port. Every connection of a task gets one of its own to
the host's socket, which accepts this process only and connects further. Bytes are
copied and never looked at; a side that does not read stops its own connection alone.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
from typing import Any, Dict, List, Optional, Set, Tuple

from .loop import Loop

CHUNK_BYTES = 65536
ACCEPTS_AT_ONCE = 16
BACKLOG = 128
_GONE = select.EPOLLHUP | select.EPOLLERR
_RESET = struct.pack("ii", 1, 0)


class Relay:
    """The listeners, and the connections that are open.

    Parameters
    ----------
    loop
        The loop that everything here lives on.
    settings
        `socket`: the host's; `ports`: those to listen on; `limit`: most connections.
    """

    def __init__(self, loop: Loop, settings: Dict[str, Any]) -> None:
        self._loop = loop
        self._path = settings["socket"]
        self._limit = settings["limit"]
        self._listeners: List[Tuple[socket.socket, int]] = []
        self.connections: Set[Connection] = set()
        for port in settings["ports"]:
            self._listen(port)

    def _listen(self, port: int) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            sys.exit("cannot listen on port %d for the host: %s" % (port, error))
        listener.listen(BACKLOG)
        listener.setblocking(False)
        self._listeners.append((listener, port))

        def arrive(_: int) -> None:
            for _ in range(ACCEPTS_AT_ONCE):
                if not self._accept(listener, port):
                    return

        self._loop.add(listener.fileno(), select.EPOLLIN, arrive)

    def _accept(self, listener: socket.socket, port: int) -> bool:
        """Take one connection; False when none waits."""
        try:
            task, peer = listener.accept()
        except OSError:
            return False
        if len(self.connections) >= self._limit:
            reset(task)
            return True
        host = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        host.setblocking(False)
        try:
            host.connect(self._path)
            host.send(struct.pack(">H", port))
        except OSError:
            host.close()
            reset(task)
            return True
        task.setblocking(False)
        task.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections.add(Connection(self, self._loop, task, host, peer[1]))
        return True

    def drop(self, uid: Optional[int] = None) -> int:
        """Cut the connections of a task's uid, of unknown owners too; None: of all.

        To be called when no process of that uid is left, so that none can come back.
        """
        cut = 0
        for listener, port in self._listeners:
            if uid is not None:
                while self._accept(listener, port):
                    continue
            else:
                while self._refuse(listener):
                    cut += 1
        if not self.connections:
            return cut
        # The kernel lists sockets of processes that are gone as root's.
        owners = owners_by_port() if uid is not None else {}
        for connection in list(self.connections):
            if uid is None or owners.get(connection.port) in (None, uid, 0):
                connection.abort()
                cut += 1
        return cut

    def _refuse(self, listener: socket.socket) -> bool:
        try:
            reset(listener.accept()[0])
        except OSError:
            return False
        return True


class Connection:
    """One connection of a task and its counterpart to the host.

    Parameters
    ----------
    owner
        The relay that lists it.
    loop
        The loop.
    task, host
        The two sockets, which do not block.
    port
        The task's own port, by which its owner is found.
    """

    def __init__(
        self,
        owner: Relay,
        loop: Loop,
        task: socket.socket,
        host: socket.socket,
        port: int,
    ) -> None:
        self._owner = owner
        self._loop = loop
        self._task = task
        self._host = host
        self.port = port
        #: Bytes on their way, to each side; empty means that more may be read.
        self._out = {task: b"", host: b""}
        #: Sides whose input has ended, and sides that were told so.
        self._ended: Set[socket.socket] = set()
        self._told: Set[socket.socket] = set()
        self._masks: Dict[socket.socket, int] = {}
        self._accepted = False
        self._interest()

    def _interest(self) -> None:
        """Wait for what can go on; a socket with nothing to wait for is let go."""
        for side, other in ((self._task, self._host), (self._host, self._task)):
            mask = 0
            may_read = self._accepted or side is self._host
            if may_read and side not in self._ended and not self._out[other]:
                mask = select.EPOLLIN
            if self._out[side]:
                mask |= select.EPOLLOUT
            before = self._masks.get(side, 0)
            if mask == before:
                continue
            self._masks[side] = mask
            if not mask:
                self._loop.remove(side.fileno())
            elif before:
                self._loop.modify(side.fileno(), mask)
            else:
                self._loop.add(side.fileno(), mask, self._handler(side, other))

    def _handler(self, side: socket.socket, other: socket.socket) -> Any:
        def handle(events: int) -> None:
            mask = self._masks[side]
            try:
                if events & _GONE and not mask & select.EPOLLIN:
                    raise ConnectionResetError
                if events & select.EPOLLOUT:
                    self._write(side)
                if events & ~select.EPOLLOUT and mask & select.EPOLLIN:
                    self._read(side, other, events)
            except BlockingIOError:
                pass
            except OSError:
                self.abort()
                return
            self._go_on()

        return handle

    def _read(self, side: socket.socket, other: socket.socket, events: int) -> None:
        if not self._accepted:
            # The host answers with one byte: 0 when it reached the port.
            if side.recv(1) != b"\0":
                raise ConnectionResetError
            self._accepted = True
            return
        data = side.recv(CHUNK_BYTES)
        if data:
            self._out[other] = data
            self._write(other)
            return
        if side is self._host and events & select.EPOLLHUP and side not in self._told:
            # Closed as a whole while we still could write: it broke off.
            raise ConnectionResetError
        self._ended.add(side)

    def _write(self, side: socket.socket) -> None:
        data = self._out[side]
        if data:
            try:
                self._out[side] = data[side.send(data) :]
            except BlockingIOError:
                return

    def _go_on(self) -> None:
        for side, other in ((self._task, self._host), (self._host, self._task)):
            if side in self._ended and not self._out[other] and other not in self._told:
                self._told.add(other)
                try:
                    other.shutdown(socket.SHUT_WR)
                except OSError:
                    self.abort()
                    return
        if len(self._told) == 2:
            self._close()
        else:
            self._interest()

    def _close(self) -> None:
        self._owner.connections.discard(self)
        for side in (self._task, self._host):
            if self._masks.get(side):
                self._loop.remove(side.fileno())
            self._masks[side] = 0
            side.close()

    def abort(self) -> None:
        """Cut both sides; the task sees a reset."""
        try:
            self._task.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        except OSError:
            pass  # It is closed already.
        self._close()


def reset(line: socket.socket) -> None:
    """Close a connection so that its other end sees that nobody took it."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    line.close()


def owners_by_port() -> Dict[int, int]:
    """Return the uid of every connected TCP socket in here, by its own port."""
    found = {}
    with open("/proc/net/tcp") as table:
        for line in table.read().splitlines()[1:]:
            fields = line.split()
            found[int(fields[1].rpartition(":")[2], 16)] = int(fields[7])
    return found
