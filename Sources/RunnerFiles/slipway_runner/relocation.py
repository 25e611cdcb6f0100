"""Puts a copy of memory on huge pages in its own place; whoever uses it notices nothing.

What is copied may be the interpreter's own heap, so nothing may be written between the
copy and the move. The C library's contexts (makecontext) have it call one function after
the other, on stacks elsewhere, before it comes back to Python. Nor may a part be given
back before that, which the interpreter does at its own time: so each is looked at last.
"""

from __future__ import annotations

import _signal
import functools

from . import linux

TYPE_CHECKING = False  # As in typing, whose pages every fork would pay for.
if TYPE_CHECKING:
    from typing import Any, List, Sequence, Tuple

    #: Start and size in bytes of whole pages, and how they are mapped ("rw-p").
    Part = Tuple[int, int, str]
    #: A function of the C library and its arguments.
    Call = Tuple[Any, Tuple[int, ...]]

try:
    import ctypes
except ImportError:  # An image without libffi.
    ctypes = None  # type: ignore[assignment]

PAGE_BYTES = 4096
#: More than a context has: 968 bytes on x86-64, 4,560 on arm64.
CONTEXT_BYTES = 8192
STACK_BYTES = 16384
#: Where in a context, on both, makecontext is told what comes next and which stack it has.
LINK, STACK, STACK_SIZE = 8, 16, 32

#: What moving takes where something may be written to. Not every C library has contexts.
_IN_A_ROW = ("getcontext", "makecontext", "swapcontext", "memmove", "mincore")
_MADV_COLLAPSE = 25
_MAP_PRIVATE, _MAP_ANONYMOUS = 0x02, 0x20
_MOVE = 1 | 2  # MREMAP_MAYMOVE, MREMAP_FIXED
_PROT_READ, _PROT_WRITE, _PROT_EXEC = 1, 2, 4


def relocate(parts: Sequence[Part], block: int, in_step: bool = False) -> bool:
    """Put what lies in `parts` on huge pages; False where it stays as it is.

    A process that writes to one of them may have one thread only. Needs as much memory
    again for as long as it takes, and the rest of a huge page for good.

    Parameters
    ----------
    parts
        Private mappings, or what is to become one each.
    block
        The size of a huge page in bytes.
    in_step
        Whether they begin and end at blocks and get one entry for each. Otherwise they
        get an entry for each page, which children can change without cutting up a block.
    """
    libc = linux.c_functions()
    is_written = any(access == "rw-p" for _, _, access in parts)
    names = ("mremap", *_IN_A_ROW) if is_written else ("mremap",)
    if libc is None or not parts or not all(hasattr(libc, name) for name in names):
        return False
    for name in ("mmap", "mremap"):
        getattr(libc, name).restype = ctypes.c_size_t
    # A page between two parts, where they would fall into step.
    most = sum(size + PAGE_BYTES for _, size, _ in parts)
    most += -most % block
    room = _map(libc, most + block)
    if not room:
        return False
    place = staging = room + -room % block
    whole = (libc.munmap, (room, most + block))
    looks: List[Call] = []
    calls: List[Call] = []
    if _has_huge(libc, staging, most, block):
        for start, size, access in parts:
            if not in_step and place % block == start % block:
                place += PAGE_BYTES
            if access == "rw-p":
                # Where the answer goes is written over by the copy.
                looks.append((libc.mincore, (start, size, place)))
                calls.append((libc.memmove, (place, start, size)))
            elif not _copied(libc, place, start, size, access):
                continue
            calls.append((libc.mremap, (place, size, size, _MOVE, start)))
            place += size
    if not is_written:
        return _move(libc, calls, room, room + most + block)
    # In the row, too: what is moved leaves addresses that the next mapping may get.
    if calls and _call_in_a_row(libc, looks, [*calls, whole]):
        return True
    _call(whole)
    return False


def _move(libc: Any, calls: Sequence[Call], room: int, end: int) -> bool:
    """Move what nobody writes to, and give back what is left of the room for it."""
    moved = 0
    for call in calls:
        place, size, _, _, start = call[1]
        if _call(call) == start:
            _call((libc.munmap, (room, place - room)))
            room = place + size
            moved += 1
    _call((libc.munmap, (room, end - room)))
    return moved > 0


def _call(call: Call) -> int:
    function, arguments = call
    return int(function(*map(_word, arguments)))


def _word(value: int) -> Any:
    return ctypes.c_size_t(value)


def _map(libc: Any, size: int) -> int:
    """Map fresh memory and return where; 0 where there is none."""
    flags = _MAP_PRIVATE | _MAP_ANONYMOUS
    access = _PROT_READ | _PROT_WRITE
    made = libc.mmap(_word(0), _word(size), access, flags, -1, _word(0))
    return 0 if made == _word(-1).value else made


def _has_huge(libc: Any, start: int, size: int, block: int) -> bool:
    """Make huge pages of fresh memory; False where there are none to be had."""
    for place in range(start, start + size, block):
        ctypes.c_ubyte.from_address(place).value = 0  # Of what is empty none are made.
    return libc.madvise(_word(start), _word(size), _MADV_COLLAPSE) == 0


def _copied(libc: Any, place: int, start: int, size: int, access: str) -> bool:
    """Copy what nobody writes to; False where the copy may not be used like it."""
    ctypes.memmove(place, start, size)
    wanted = _PROT_READ | (_PROT_EXEC if "x" in access else 0)
    return libc.mprotect(_word(place), _word(size), wanted) == 0


def _call_in_a_row(libc: Any, looks: Sequence[Call], calls: Sequence[Call]) -> bool:
    """Make these calls with nothing of Python, and no signal, between them.

    False, and none is made, where one of `looks`, right before, does not return 0.
    """
    each = CONTEXT_BYTES + STACK_BYTES
    size = each * (len(calls) + 1)
    memory = _map(libc, size)
    if not memory:
        return False
    held = _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    try:
        # Python goes on in the last context; a call that returns goes to the next.
        for number, (function, arguments) in enumerate(calls):
            context = memory + number * each
            libc.getcontext(_word(context))
            for offset, value in (
                (LINK, context + each),
                (STACK, context + CONTEXT_BYTES),
                (STACK_SIZE, STACK_BYTES),
            ):
                ctypes.c_size_t.from_address(context + offset).value = value
            words = map(_word, arguments)
            libc.makecontext(_word(context), function, len(arguments), *words)
        last = _word(memory + len(calls) * each)
        begin = functools.partial(libc.swapcontext, last, _word(memory))
        # Kept, so that nothing is freed from the first look on.
        ready = [functools.partial(look, *map(_word, words)) for look, words in looks]
        kept = iter(ready)
        for look in kept:
            if look() != 0:
                return False
        return begin() == 0
    finally:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, held)
        libc.munmap(_word(memory), _word(size))
