"""How the zygote's memory is arranged, and what that spares its children."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

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
hugepages.collapse()
print(before == told(), made() - count)
"""

# Runs on a copy of the interpreter's code, and lets a child do so.
CODE = """
import os, sys
sys.path.insert(0, sys.argv[1])
from slipway_runner import hugepages, linux
start, size = hugepages._code()
assert linux.copy_code(start, size, hugepages.BLOCK_BYTES), (start, size)
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
    found = re.findall(r"(?m)^[0-9a-f]+-\\S+ (\\S+) .*\\n(?:\\w+:.*\\n)*?AnonHugePages: *(\\d+)", text)
    return [[access, int(kb)] for access, kb in found]
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


copies_code = pytest.mark.skipif(
    not _has_huge_pages() or platform.machine() not in hugepages.MACHINES,
    reason="a kernel or a machine where code stays in its file",
)


# MADV_COLLAPSE came with Linux 6.1.
@pytest.mark.skipif(not _has_huge_pages(), reason="a kernel that cannot be told to")
def test_the_heap_is_put_on_huge_pages() -> None:
    command = [sys.executable, "-c", HUGE, str(RUNNER.parent)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    same, count = told.split()
    assert same == "True"
    assert int(count) >= 2


@copies_code
def test_code_is_put_on_huge_pages() -> None:
    command = [sys.executable, "-c", CODE, str(RUNNER.parent)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    size, huge, access, same = told.split()
    assert int(size) >= hugepages.BLOCK_BYTES
    assert (huge, access, same) == (size, "r-xp", "True")


@copies_code
def test_tasks_run_on_the_copy_of_the_code(container: Host) -> None:
    for _ in range(3):
        told = container.run(CODE_MAPPINGS).value()
    assert any(access == "r-xp" and kb >= 2048 for access, kb in told), told


def test_code_is_not_copied_where_memory_is_scarce(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(hugepages, "MEMORY_LIMITS", (str(limit), "/nowhere"))
    assert hugepages._has_room()  # Nobody limits it.
    for told, has_room in (("16777216\n", False), ("max\n", True), ("134217728", True)):
        limit.write_text(told)
        assert hugepages._has_room() == has_room, told


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


def test_a_task_keeps_the_memory_of_large_blocks(container: Host) -> None:
    """The C library learns their size at the first; else each would be mapped anew."""
    assert container.run(LARGE_BLOCKS).value() < 10000
