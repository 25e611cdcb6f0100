"""Arranges the zygote's memory so that its children touch few pages of it.

A fork pays for each page that it is first to write to. Free blocks lie wherever
something was freed: a child that takes them writes to one page after the other, and to
those of their book-keeping. So the zygote takes them all before it forks, and keeps
them: what comes next, in it and in its children, lies side by side.
"""

from __future__ import annotations

import sys
import types

from . import linux

TYPE_CHECKING = False  # As in typing, whose pages every fork would pay for.
if TYPE_CHECKING:
    from typing import Any, Callable, List

#: Python's small blocks are multiples of 16 bytes, in pools of one size each.
SMALLEST_BLOCK = 16
LARGEST_BLOCK = 512
POOL_BYTES = 16384 if sys.version_info >= (3, 10) else 4096
#: What stands before a pool's first block.
POOL_HEAD = 48
#: Free blocks of one size beyond this many bytes stay free.
MOST_BYTES = 1 << 18
#: What stays at the end of the C library's heap for what comes next.
ROOM_BYTES = 1 << 18
#: The largest of the C library's chunks that are taken, and how many at most.
LARGEST_CHUNK = 65536
MOST_CHUNKS = 20000

_held: List[List[Any]] = []


def arrange() -> None:
    """Take what is free between other things, for good."""
    linux.trim_heap(ROOM_BYTES)
    for size in range(LARGEST_BLOCK, SMALLEST_BLOCK - 1, -16):
        if not _fill_pools(size):
            break  # An interpreter that allocates in another way.
    linux.fill_heap(LARGEST_CHUNK, MOST_CHUNKS)


def gather(modules: List[types.ModuleType]) -> None:
    """Make the code of functions anew, side by side; it is to be practised again."""
    for module in modules:
        name = module.__name__
        for value in vars(module).values():
            if type(value) is types.FunctionType and value.__module__ == name:
                value.__code__ = value.__code__.replace()


def _fill_pools(size: int) -> bool:
    """Take the free blocks of a size; False where they seem to have no end."""
    make = _maker(size)
    taken = []
    for _ in range(MOST_BYTES // size):
        item = make()
        if (id(item) - POOL_HEAD) % POOL_BYTES == 0:
            # The first block of a pool that was empty, which goes back with it.
            _held.append(taken)
            return True
        taken.append(item)
    return False


def _maker(size: int) -> Callable[[], Any]:
    """Return what makes an object of one block, which no collector tracks."""
    if size == 16:
        return object
    if size == 32:
        return lambda: int("1234567890123")
    length = size - bytes.__basicsize__
    return lambda: bytes(length)
