"""The retained output of one stream: its head as it came, its tail in a ring."""

from __future__ import annotations

import collections
from typing import Deque, Optional, Tuple, Union

#: Pieces are joined up to here: each costs some dozens of bytes more.
JOINED_BYTES = 4096


class LogWindow:
    """Keeps the first and the last half of `limit` bytes of a stream.

    Parameters
    ----------
    limit
        Bytes kept in all.
    """

    def __init__(self, limit: int) -> None:
        self._head_limit = limit // 2
        self._tail_limit = limit - self._head_limit
        self.head = bytearray()
        self.total = 0
        self._tail: Deque[Union[bytes, bytearray]] = collections.deque()
        self._tail_size = 0

    def feed(self, data: bytes) -> Tuple[int, bytes]:
        """Take bytes of the stream; return offset and bytes to send at once."""
        offset = self.total
        self.total += len(data)
        room = self._head_limit - len(self.head)
        live = data if room >= len(data) else data[:room]
        if live:
            self.head += live
        rest = data[len(live) :]
        if rest and self._tail_limit:
            self._keep(rest)
        return offset, live

    def _keep(self, data: bytes) -> None:
        if len(data) >= JOINED_BYTES:
            self._tail.append(data)
        elif self._tail and len(self._tail[-1]) < JOINED_BYTES:
            last = self._tail[-1]
            if type(last) is not bytearray:
                self._tail[-1] = last = bytearray(last)
            last += data
        else:
            self._tail.append(data)
        self._tail_size += len(data)
        while self._tail_size - len(self._tail[0]) >= self._tail_limit:
            self._tail_size -= len(self._tail.popleft())

    def tail(self) -> Optional[Tuple[int, int, bytes]]:
        """Return offset, bytes skipped before and the tail, or None without one."""
        if self.total == len(self.head):
            return None
        data = b"".join(self._tail)
        if len(data) > self._tail_limit:
            data = data[len(data) - self._tail_limit :]
            self._tail = collections.deque([data])
            self._tail_size = len(data)
        offset = self.total - len(data)
        return offset, offset - len(self.head), data
