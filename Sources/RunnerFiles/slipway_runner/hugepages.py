"""Puts the zygote's heap on huge pages, where the kernel has them.

A fork copies one entry for each page that its parent has, and its end gives each back:
a quarter of what a short task costs. Entries of one huge page are handled many at once.
The kernel makes huge pages of whole aligned blocks only, so what is allocated after
`prepare` begins at such a block.
"""

from __future__ import annotations

from . import linux

TYPE_CHECKING = False  # As in typing, whose pages every fork would pay for.
if TYPE_CHECKING:
    from typing import Iterator, Tuple

#: What x86-64 has, and arm64 with pages of 4 KiB.
BLOCK_BYTES = 2 << 20
SIZE_FILE = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"
#: Blocks of which fewer pages are in use stay as they are: what they lack is filled.
LEAST_PAGES = 256
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
    """Make huge pages of the blocks that are in use; children share them."""
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
