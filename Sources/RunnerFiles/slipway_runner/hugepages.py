"""Puts the zygote's heap and the interpreter's code on huge pages, where there are some.

A fork copies one entry for each page that its parent has, and its end gives each back:
a quarter of what a short task costs. Entries of one huge page are handled many at once.
The kernel makes huge pages of whole aligned blocks only, so what is allocated after
`prepare` begins at such a block. Code, which nobody writes to, needs one entry a block;
kernels make huge pages of files only where they were built to, so it is copied.
"""

from __future__ import annotations

import os

from . import linux

TYPE_CHECKING = False  # As in typing, whose pages every fork would pay for.
if TYPE_CHECKING:
    from typing import Iterator, Tuple

#: What x86-64 has, and arm64 with pages of 4 KiB.
BLOCK_BYTES = 2 << 20
SIZE_FILE = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"
#: Blocks of which fewer pages are in use stay as they are: what they lack is filled.
LEAST_PAGES = 256
#: Of larger interpreters nothing is copied: each sandbox has a copy of its own.
MOST_CODE_BYTES = 8 << 20
#: With less memory a sandbox needs it for its tasks.
LEAST_MEMORY_BYTES = 64 << 20
MEMORY_LIMITS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)
#: Where code was seen to run after it was moved.
MACHINES = ("x86_64",)
#: Imported before a block begins, for libraries lie between what comes before and after.
EXTENSIONS = ("_opcode", "_pickle", "_socket", "_typing", "_uuid", "array", "math")


def prepare() -> None:
    """Have what is allocated from here on begin at a block of its own."""
    if not _supported():
        return
    for name in EXTENSIONS:
        try:
            __import__(name)
        except ImportError:
            continue  # Not of this version.
    end = linux.heap_end()
    if end:
        linux.move_heap_end(-end % BLOCK_BYTES)
    lowest = 0
    for start, _, _, name in reversed(list(_mappings())):
        if name == "[heap]":
            # New mappings are put below those above the heap.
            linux.reserve(lowest - lowest % BLOCK_BYTES, lowest)
            break
        lowest = start


def collapse() -> None:
    """Make huge pages of what is in use; children share them."""
    if not _supported():
        return
    # The last block of the heap is whole for as long as this takes.
    end = linux.heap_end()
    rest = -end % BLOCK_BYTES
    if rest:
        linux.move_heap_end(rest)
    _collapse()
    if rest and linux.heap_end() == end + rest:  # Else something lies behind it by now.
        linux.move_heap_end(-rest)
    start, size = _code()
    if 0 < size <= MOST_CODE_BYTES and _has_room():
        linux.copy_code(start, size, BLOCK_BYTES)


def _has_room() -> bool:
    for path in MEMORY_LIMITS:
        try:
            with open(path) as file:
                limit = file.read().strip()
        except OSError:
            continue  # Of the other version of control groups, or the root of all.
        return not limit.isdigit() or int(limit) >= LEAST_MEMORY_BYTES
    return True


def _code() -> Tuple[int, int]:
    """Return where the interpreter's code has whole blocks, and their size in bytes.

    What its file has in one piece counts: constants lie before and after its code.
    """
    place = linux.interpreter_code() if os.uname().machine in MACHINES else 0
    first = last = 0
    file = ""
    for start, end, access, name in _mappings():
        if access not in ("r--p", "r-xp") or start != last or name != file:
            if first <= place < last:
                break
            first = start
        last, file = end, name if access in ("r--p", "r-xp") else ""
    else:
        return 0, 0
    first = -(-first // BLOCK_BYTES) * BLOCK_BYTES
    return first, last // BLOCK_BYTES * BLOCK_BYTES - first


def _collapse() -> None:
    for start, end, access, name in _mappings():
        if access != "rw-p" or name not in ("", "[heap]"):
            continue
        block = -(-start // BLOCK_BYTES) * BLOCK_BYTES
        while block + BLOCK_BYTES <= end:
            if linux.resident_pages(block, BLOCK_BYTES) >= LEAST_PAGES:
                linux.collapse(block, BLOCK_BYTES)
            block += BLOCK_BYTES


def _supported() -> bool:
    try:
        with open(SIZE_FILE) as size:
            return linux.available() and int(size.read()) == BLOCK_BYTES
    except (OSError, ValueError):
        return False


def _mappings() -> Iterator[Tuple[int, int, str, str]]:
    """Give start, end, access and name of this process's mappings, in order."""
    try:
        with open("/proc/self/maps") as maps:
            lines = maps.readlines()
    except OSError:
        return
    for line in lines:
        fields = line.split(None, 5)
        start, _, end = fields[0].partition("-")
        name = fields[5].strip() if len(fields) > 5 else ""
        yield int(start, 16), int(end, 16), fields[1], name
