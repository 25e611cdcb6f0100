"""How the zygote's memory is arranged, and what that spares its children."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import engine
import pytest
from harness import RUNNER, Host
from slipway_runner import hugepages

# Allocates what a child would, after holes were made that it would fall into.
SIDE_BY_SIDE = """
import sys
sys.path.insert(0, sys.argv[1])
from slipway_runner import heap
sizes = range(48, 513, 16)
holes = [bytes(size - 33) for _ in range(300) for size in sizes]
kept = holes[::7]
del holes
heap.arrange()
page = 4096
for size in sizes:
    made = [bytes(size - 33) for _ in range(page // size - 1)]
    places = sorted(map(id, made))
    print(size, len({place // page for place in places}))
"""
FAULTS = """
import resource
def main():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
"""

# Fills a heap that begins at a block, and looks whether huge pages change what is in it.
HUGE = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from slipway_runner import hugepages
hugepages.prepare()
kept = [bytes([number % 251]) * (100 + number % 4000) for number in range(4000)]
def told():
    return hashlib.sha256(b"".join(kept)).hexdigest()
def made():
    with open("/proc/vmstat") as counts:
        return int(dict(line.split() for line in counts)["thp_collapse_alloc"])
before, count = told(), made()
hugepages.collapse(alone=False)
print(before == told(), made() - count)
"""

# Has its heap moved while it works with it, again after more was added, and in a child.
MOVED = """
import hashlib, os, sys
sys.path.insert(0, sys.argv[1])
from slipway_runner import hugepages
hugepages.prepare()
kept = [bytes([number % 251]) * (100 + number % 4000) for number in range(4000)]
def told():
    return hashlib.sha256(b"".join(kept)).hexdigest()
before = told()
moved = []
for _ in range(3):
    hugepages.collapse(alone=True)
    moved.append(len(hugepages._copied))
    kept += [{"number": number} for number in range(20000)]
    kept = [item for item in kept if type(item) is bytes]
pid = os.fork()
if pid == 0:
    os._exit(before == told())
in_child = os.waitpid(pid, 0)[1] >> 8
text = open("/proc/self/smaps").read()
heap = [part.split("-")[0] for part in text.splitlines() if part.endswith("[heap]")]
starts = {start for start, _ in hugepages._copied}
print(before == told(), in_child, int(heap[0], 16) in starts, moved[0] > 1)
"""

# Holds two like mappings, of which one is not for children.
SPECIAL = """
import mmap, sys, ctypes
sys.path.insert(0, sys.argv[1])
from slipway_runner import hugepages
def fresh(advice):
    made = mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    # Apart from others, with which it would be one mapping.
    ctypes.CDLL(None).mprotect(ctypes.c_void_p(place(made)), ctypes.c_size_t(4096), 0)
    for at in range(4096, 1 << 20, 4096):
        made[at] = 1
    if advice is not None:
        made.madvise(advice)
    return made
def place(made):
    return ctypes.addressof(ctypes.c_char.from_buffer(made))
kept = [fresh(None), fresh(mmap.MADV_DONTFORK)]
hugepages.collapse(alone=True)
starts = {start for start, _ in hugepages._copied}
print(*[place(made) + 4096 in starts for made in kept])
"""

# Has something moved that is gone by then, beside something that is not.
GONE = """
import mmap, sys, ctypes
sys.path.insert(0, sys.argv[1])
from slipway_runner import hugepages, linux, relocation
size = 64 << 12
def fresh():
    made = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    made.write(b"kept" * (size // 4))
    return made, ctypes.addressof(ctypes.c_char.from_buffer(made))
(one, there), (other, gone) = fresh(), fresh()
parts = [(there, size, "rw-p"), (gone, size, "rw-p")]
linux.c_functions().munmap(ctypes.c_size_t(gone + size // 2), ctypes.c_size_t(4096))
first = relocation.relocate(parts, hugepages.BLOCK_BYTES)
second = relocation.relocate(parts[:1], hugepages.BLOCK_BYTES)
print(first, second, one[:] == b"kept" * (size // 4), flush=True)
import os
os._exit(0)
"""

# Maps memory as soon as something was moved, where the interpreter might do so, too.
MAPPED = """
import mmap, sys, ctypes
sys.path.insert(0, sys.argv[1])
from slipway_runner import hugepages, relocation
size = 600 << 12
one = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
one.write(b"kept" * (size // 4))
there = ctypes.addressof(ctypes.c_char.from_buffer(one))
call_in_a_row, made = relocation._call_in_a_row, []
def and_map(*arguments):
    moved = call_in_a_row(*arguments)
    for _ in range(8):
        made.append(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        made[-1].write(b"mine" * (size // 4))
    return moved
relocation._call_in_a_row = and_map
print(relocation.relocate([(there, size, "rw-p")], hugepages.BLOCK_BYTES))
same = all(item[:] == b"mine" * (size // 4) for item in made)
print(same, one[:] == b"kept" * (size // 4))
"""

# Has the interpreter's code moved where the C library knows of no contexts.
PLAIN = """
import os, sys
sys.path.insert(0, sys.argv[1])
from slipway_runner import hugepages, linux, relocation
whole = linux.c_functions()
class Library:
    pass
library = Library()
for name in ("mmap", "munmap", "mremap", "madvise", "mprotect"):
    setattr(library, name, getattr(whole, name))
linux.c_functions = lambda: library
start, size = hugepages._code()
print(relocation.relocate([(start, size, "r-xp")], hugepages.BLOCK_BYTES, in_step=True))
print(relocation.relocate([(start, size, "rw-p")], hugepages.BLOCK_BYTES))
"""

# Runs on a copy of the interpreter's code, and lets a child do so.
CODE = """
import os, sys
sys.path.insert(0, sys.argv[1])
from slipway_runner import hugepages, relocation
start, size = hugepages._code()
part = (start, size, "r-xp")
assert relocation.relocate([part], hugepages.BLOCK_BYTES, in_step=True), part
pid = os.fork()
sums = sum(len(repr(number)) for number in range(10000))
if pid == 0:
    os._exit(sums % 251)
same = os.waitpid(pid, 0)[1] >> 8 == sums % 251
smaps = "\\n" + open("/proc/self/smaps").read()
text = smaps.partition("\\n%08x-" % start)[2]
access = text.split()[1]
huge = int(text.partition("AnonHugePages:")[2].split()[0]) << 10
print(size, huge, access, same)
"""
CODE_MAPPINGS = """
import re
def main():
    with open("/proc/self/smaps") as smaps:
        text = smaps.read()
    found = re.findall(r"(?m)^[0-9a-f]+-\\S+ (\\S+) \\S+ \\S+ \\S+ *(.*)\\n"
        r"(?:\\w+:.*\\n)*?AnonHugePages: *(\\d+)", text)
    return [[access, int(kb), name] for access, name, kb in found]
"""

# Uses little of much that it has from the C library.
SPARSE = """
import ctypes, resource
def main(size):
    library = ctypes.CDLL(None)
    library.calloc.restype = ctypes.c_void_p
    place = library.calloc(ctypes.c_size_t(size), ctypes.c_size_t(1))
    for offset in range(0, size, 2 << 20):
        ctypes.c_ubyte.from_address(place + offset).value = 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
"""

LARGE_BLOCKS = """
import resource
def main():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(30):
        block = b"x" * (4 << 20)
        del block
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
"""


def _has_huge_pages() -> bool:
    release = tuple(map(int, platform.release().split(".")[:2]))
    return release >= (6, 1) and Path(hugepages.SIZE_FILE).exists()


ENABLED = Path("/sys/kernel/mm/transparent_hugepage/enabled")

makes_copies = pytest.mark.skipif(
    not _has_huge_pages() or platform.machine() not in hugepages.MACHINES,
    reason="a kernel or a machine where nothing is moved",
)


# MADV_COLLAPSE came with Linux 6.1.
@pytest.mark.skipif(not _has_huge_pages(), reason="a kernel that cannot be told to")
def test_the_heap_is_put_on_huge_pages() -> None:
    command = [sys.executable, "-c", HUGE, str(RUNNER.parent)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    same, count = told.split()
    assert same == "True"
    assert int(count) >= 2


@makes_copies
def test_the_heap_is_moved_under_a_running_interpreter() -> None:
    command = [sys.executable, "-c", MOVED, str(RUNNER.parent)]
    for _ in range(5):
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        assert told.stdout.split() == ["True", "1", "True", "True"]


@makes_copies
def test_what_children_are_not_to_have_is_not_moved() -> None:
    command = [sys.executable, "-c", SPECIAL, str(RUNNER.parent)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told.split() == ["True", "False"]


@makes_copies
def test_nothing_is_moved_where_a_part_is_gone() -> None:
    command = [sys.executable, "-c", GONE, str(RUNNER.parent)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told.split() == ["False", "True", "True"]


@makes_copies
def test_code_is_put_on_huge_pages() -> None:
    command = [sys.executable, "-c", CODE, str(RUNNER.parent)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    size, huge, access, same = told.split()
    assert int(size) >= hugepages.BLOCK_BYTES
    assert (huge, access, same) == (size, "r-xp", "True")


@makes_copies
def test_what_is_mapped_while_the_heap_is_moved_stays() -> None:
    command = [sys.executable, "-c", MAPPED, str(RUNNER.parent)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told.split() == ["True", "True", "True"]


@makes_copies
def test_code_is_moved_without_contexts_and_the_heap_is_not() -> None:
    command = [sys.executable, "-c", PLAIN, str(RUNNER.parent)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told.split() == ["True", "False"]


@makes_copies
def test_tasks_run_on_copies_of_code_and_heap(container: Host) -> None:
    for _ in range(3):
        told = container.run(CODE_MAPPINGS).value()
    assert any(access == "r-xp" and kb >= 2048 for access, kb, _ in told), told
    # The interpreter's variables, part of its file before.
    assert not any("bin/python" in name and "w" in access for access, _, name in told)


@makes_copies
def test_an_operator_may_do_without_huge_pages(docker: None) -> None:
    with engine.container_sandbox(env=["SLIPWAY_HUGE_PAGES=0"]) as host:
        told = host.run(CODE_MAPPINGS).value()
        # Where the machine makes them unasked, it makes none of files.
        assert not any(kb for access, kb, _ in told if "x" in access), told
        assert any("bin/python" in name and "w" in access for access, _, name in told)
        names = host.run("import os\ndef main(): return list(os.environ)").value()
        assert "SLIPWAY_HUGE_PAGES" not in names


def test_nothing_is_copied_where_memory_is_scarce(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit, used = tmp_path / "memory.max", tmp_path / "memory.current"
    files = (str(limit), str(used))
    monkeypatch.setattr(hugepages, "MEMORY_FILES", (files, ("/nowhere", "/nowhere")))
    more = 30 << 20
    assert hugepages._has_room(more)  # Nobody limits it.
    used.write_text("%d\n" % (24 << 20))
    for told, has_room in (("16777216\n", False), ("max\n", True), ("134217728", True)):
        limit.write_text(told)
        assert hugepages._has_room(more) == has_room, told
    used.write_text("%d\n" % (48 << 20))
    assert not hugepages._has_room(more)


def test_what_comes_after_lies_side_by_side() -> None:
    """A page full of blocks takes one page of each size, or two where it begins late."""
    command = [sys.executable, "-c", SIDE_BY_SIDE, str(RUNNER.parent)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    pages = dict(map(int, line.split()) for line in told.splitlines())
    assert len(pages) == 30
    # About 50, for some are freed while the next sizes are seen to; else about 100.
    assert sum(pages.values()) <= 70, pages


def test_a_task_touches_few_pages(container: Host) -> None:
    """About 200 on the base image; 290 where free blocks and names are not seen to."""
    for _ in range(5):
        container.run(FAULTS)
    assert container.run(FAULTS).value() < 240


@pytest.mark.skipif(
    not Path(hugepages.SIZE_FILE).exists() or "[always]" in ENABLED.read_text(),
    reason="a machine that makes huge pages unasked, or none",
)
def test_a_task_has_no_huge_pages_for_what_it_hardly_uses(container: Host) -> None:
    assert container.run(SPARSE, 256 << 20).value() < 100 << 10


def test_a_task_keeps_the_memory_of_large_blocks(container: Host) -> None:
    """The C library learns their size at the first; else each would be mapped anew."""
    assert container.run(LARGE_BLOCKS).value() < 10000
