"""What a result is made of: parts, of which large ones are never copied into one."""

from __future__ import annotations

import zlib

TYPE_CHECKING = False  # As in typing, whose pages every fork would pay for.
if TYPE_CHECKING:
    from typing import Any, Iterator, List, Tuple

    Parts = List[bytes]

SMALL_BYTES = 16384
LARGE_BYTES = 1048576
SAMPLE_BYTES = 65536
#: Deflate with a window of 32 KiB, at the quickest level.
_ZLIB_HEAD = b"\x78\x01"


class Sink:
    """A file for a pickler, which hands large blocks over without copying them."""

    def __init__(self) -> None:
        self.parts: Parts = []

    def write(self, data: Any) -> None:
        """Keep `data` as it is now: what can change, the task may change at once."""
        if type(data) is not bytes:
            from pickle import PickleBuffer

            data = bytes(PickleBuffer(data).raw())
        self.parts.append(data)


def size_of(parts: Parts) -> int:
    """Return how many bytes the parts have together."""
    return sum(map(len, parts))


def compress(parts: Parts) -> Tuple[str, Parts]:
    """Return encoding and parts: small ones and noise as they are, others as zlib."""
    size = size_of(parts)
    if size < SMALL_BYTES:
        return "identity", parts
    if size <= LARGE_BYTES:
        return "zlib", [zlib.compress(b"".join(parts), 1)]
    sample = b"".join(_between(parts, 0, SAMPLE_BYTES))
    if len(zlib.compress(sample, 1)) > len(sample) * 0.9:
        # The host packs it for rest anyway, and would unpack a stream to check it.
        return "identity", parts
    return "zlib", _compress_at_once(parts, size)


def pieces(parts: Parts, size: int) -> Iterator[memoryview]:
    """Give the parts in pieces of at most `size` bytes."""
    for part in parts:
        view = memoryview(part)
        for start in range(0, len(view), size):
            yield view[start : start + size]


def _between(parts: Parts, start: int, end: int) -> Iterator[memoryview]:
    """Give what lies from `start` to `end` in all of the parts."""
    for part in parts:
        if end <= 0:
            break
        if start < len(part):
            yield memoryview(part)[max(start, 0) : end]
        start -= len(part)
        end -= len(part)


def _compress_at_once(parts: Parts, size: int) -> Parts:
    """Return one zlib stream (RFC 1950) of level 1, whose halves two threads make.

    The first half ends at a byte, as a full flush does, so the second follows it.
    """
    import _thread

    middle = size // 2
    made: List[Parts] = []
    ended = _thread.allocate_lock()

    def first() -> None:
        try:
            made.append(_deflated(_between(parts, 0, middle), zlib.Z_FULL_FLUSH))
        finally:
            ended.release()

    ended.acquire()
    try:
        _thread.start_new_thread(first, ())
    except RuntimeError:  # The task has used up its processes.
        return [zlib.compress(b"".join(parts), 1)]
    second = _deflated(_between(parts, middle, size), zlib.Z_FINISH)
    check = 1
    for part in parts:
        check = zlib.adler32(part, check)
    ended.acquire()
    if not made:
        return [zlib.compress(b"".join(parts), 1)]
    return [_ZLIB_HEAD, *made[0], *second, check.to_bytes(4, "big")]


def _deflated(views: Iterator[memoryview], flush: int) -> Parts:
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    made = [packer.compress(view) for view in views]
    made.append(packer.flush(flush))
    return made
