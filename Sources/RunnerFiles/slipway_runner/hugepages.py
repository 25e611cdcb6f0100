"""Puts the zygote's heap and the interpreter's code on huge pages, where there are some.

A fork copies one entry for each page that its parent has, and its end gives each back:
a quarter of what a short task costs. Entries of one huge page are handled many at once.
Code, which nobody writes to, needs one entry a block; kernels make huge pages of files
only where they were built to, so it is copied, and so is the heap, which may lie where
it likes then. With threads about, which may write meanwhile, the kernel has to do it: it
makes huge pages of whole aligned blocks only, so what is allocated after `prepare` begins
at such a block.
"""

from __future__ import annotations

import os

from . import linux, relocation

TYPE_CHECKING = False  # As in typing, whose pages every fork would pay for.
if TYPE_CHECKING:
    from typing import Iterator, List, Set, Tuple

    from .relocation import Part

#: What x86-64 has, and arm64 with pages of 4 KiB.
BLOCK_BYTES = 2 << 20
SIZE_FILE = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"
#: Blocks of which fewer pages are in use stay as they are: what they lack is filled.
LEAST_PAGES = 256
#: Smaller parts of the heap stay where they are, and those that are mostly empty.
LEAST_PART_PAGES = 64
#: Larger ones are somebody's data, of which the kernel is asked for huge pages.
MOST_PART_BYTES = 64 << 20
#: What a copy would not have: left out of a fork or wiped by it, locked, somebody's
#: faults, a device, dropped at will (proc(5), VmFlags).
SPECIAL_FLAGS = frozenset(("dc", "wf", "lo", "um", "uw", "ui", "io", "pf", "dp"))
#: Of smaller mappings of files a copy spares no more than it costs.
LEAST_FILE_BYTES = 1 << 20
#: Of larger interpreters nothing is copied: each sandbox has a copy of its own.
MOST_CODE_BYTES = 8 << 20
#: Memory that stays free for tasks, beside what is moved twice over: a task that was
#: forked before keeps the old pages.
LEAST_MEMORY_BYTES = 32 << 20
#: What there is, and how much of it is taken.
MEMORY_FILES = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)
#: Where code was seen to run after it was moved.
MACHINES = ("x86_64",)
#: Imported before a block begins, for libraries lie between what comes before and after.
EXTENSIONS = ("_opcode", "_pickle", "_socket", "_typing", "_uuid", "array", "math")

#: What the host sets to 0 where its operator wants none; no task has it.
VARIABLE = "SLIPWAY_HUGE_PAGES"

#: Where what was put on huge pages by a copy begins and ends.
_copied: Set[Tuple[int, int]] = set()
#: The files of the interpreter and the C library.
_files: List[str] = []
#: Asked for now: later the environment is that of tasks.
_wanted = os.environ.get(VARIABLE) != "0"


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


def collapse(alone: bool) -> None:
    """Make huge pages of what is in use; children share them.

    Parameters
    ----------
    alone
        Whether this is the only thread, so that nobody writes to what is moved.
    """
    if not _supported():
        return
    if os.uname().machine in MACHINES:
        if not _files:
            places = (linux.interpreter_code(), linux.c_library_code())
            _files.extend(map(_file_at, places))
        _copy_code()
        if alone:
            _copy_heap()
    # The last block of the heap is whole for as long as this takes.
    end = linux.heap_end()
    is_copied = any(start < end <= last for start, last in _copied)
    rest = 0 if is_copied else -end % BLOCK_BYTES
    if rest:
        linux.move_heap_end(rest)
    _collapse()
    if rest and linux.heap_end() == end + rest:  # Else something lies behind it by now.
        linux.move_heap_end(-rest)


def _copy_code() -> None:
    start, size = _code()
    place = (start, start + size)
    if not 0 < size <= MOST_CODE_BYTES or place in _copied or not _has_room(size):
        return
    if relocation.relocate([(start, size, "r-xp")], BLOCK_BYTES, in_step=True):
        _copied.add(place)


def _copy_heap() -> None:
    try:
        parts = list(_parts())
    except OSError:
        return  # Nobody can tell what may be moved.
    has_room = _has_room(sum(size for _, size, _ in parts))
    if has_room and relocation.relocate(parts, BLOCK_BYTES):
        _copied.update((start, start + size) for start, size, _ in parts)


def _parts() -> Iterator[Part]:
    """Give the heap, the interpreter's variables, and constants and code that tasks use."""
    special = _special()
    for start, end, access, name in list(_mappings()):
        size = end - start
        if (start, end) in _copied or start in special or size > MOST_PART_BYTES:
            continue
        if access in ("r--p", "r-xp") and name and name in _files:
            if size >= LEAST_FILE_BYTES:
                yield start, size, access
        elif access == "rw-p" and name in ("", "[heap]", _files[0]):
            pages = linux.resident_pages(start, size)
            if pages >= max(LEAST_PART_PAGES, size // relocation.PAGE_BYTES // 2):
                yield start, size, access


def _special() -> Set[int]:
    """Return where mappings begin that a fork does not simply copy, or that are locked.

    Raises
    ------
    OSError
        Where the kernel does not tell.
    """
    found: Set[int] = set()
    start = 0
    with open("/proc/self/smaps") as maps:
        for line in maps:
            first, _, rest = line.partition(" ")
            if first == "VmFlags:":
                if SPECIAL_FLAGS.intersection(rest.split()):
                    found.add(start)
            elif first[-1:] != ":":
                start = int(first.partition("-")[0], 16)
    return found


def _file_at(place: int) -> str:
    """Return the file that is mapped at `place`."""
    for start, end, _, name in _mappings():
        if start <= place < end:
            return name
    return ""


def _has_room(more: int) -> bool:
    """Whether the sandbox has memory for `more` bytes twice, and for tasks besides."""
    for paths in MEMORY_FILES:
        try:
            limit, used = map(_number_in, paths)
        except (OSError, ValueError):
            continue  # Of the other version of control groups, or no limit.
        return limit - used >= LEAST_MEMORY_BYTES + 2 * more
    return True


def _number_in(path: str) -> int:
    with open(path) as file:
        return int(file.read())


def _code() -> Tuple[int, int]:
    """Return where the interpreter's code has whole blocks, and their size in bytes.

    What its file has in one piece counts: constants lie before and after its code.
    """
    place = linux.interpreter_code()
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
    blocks = list(_blocks())
    if blocks and _has_room(len(blocks) * BLOCK_BYTES):
        for block in blocks:
            linux.collapse(block, BLOCK_BYTES)


def _blocks() -> Iterator[int]:
    """Give where whole blocks of the heap begin that are in use."""
    for start, end, access, name in _mappings():
        if access != "rw-p" or name not in ("", "[heap]") or (start, end) in _copied:
            continue
        block = -(-start // BLOCK_BYTES) * BLOCK_BYTES
        while block + BLOCK_BYTES <= end:
            if linux.resident_pages(block, BLOCK_BYTES) >= LEAST_PAGES:
                yield block
            block += BLOCK_BYTES


def wanted() -> bool:
    """Whether the operator lets the runner use huge pages."""
    return _wanted


def _supported() -> bool:
    if not _wanted:
        return False
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
