"""The supervisor's reading of control groups, on trees as kernels show them in a container."""

from __future__ import annotations

from pathlib import Path
from typing import Dict

import pytest
from slipway_runner import hygiene

VERSION_1 = {
    "cpuacct/cpuacct.usage": "1234567000\n",
    "pids/pids.current": "7\n",
    "pids/pids.max": "128\n",
    "memory/memory.max_usage_in_bytes": "4362240\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
}
VERSION_2 = {
    "cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma misc\n",
    "cpu.stat": "usage_usec 1234567\nuser_usec 1034567\nsystem_usec 200000\n",
    "pids.current": "7\n",
    "pids.max": "128\n",
    "memory.peak": "4362240\n",
    "memory.events": "low 0\nhigh 0\nmax 31\noom 2\noom_kill 2\noom_group_kill 0\n",
}
#: Both mounted: the first version has the controllers, the second none.
HYBRID = {**VERSION_1, "unified/cgroup.controllers": "\n"}
UNLIMITED = {**VERSION_2, "pids.max": "max\n"}
NOTHING: Dict[str, str] = {}


def reader(
    folder: Path, files: Dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> hygiene.Hygiene:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in ("PIDS_FILES", "OOM_FILES", "PEAK_FILES", "USAGE_FILES"):
        paths = getattr(hygiene, name)
        assert all(path.startswith("/sys/fs/cgroup/") for path in paths)
        moved = tuple(str(folder / path[len("/sys/fs/cgroup/") :]) for path in paths)
        monkeypatch.setattr(hygiene, name, moved)
    return hygiene.Hygiene(str(folder))


@pytest.mark.parametrize("files", [VERSION_1, VERSION_2, HYBRID])
def test_both_versions_tell_the_same(
    files: Dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = reader(tmp_path, files, monkeypatch)
    assert found.processes() == 7
    assert found.process_limit() == 128
    assert found.oom_kills() == 2
    assert found.memory_peak() == 4362240
    assert found.processor_seconds() == 1.234567
    assert "no-pids-cgroup" not in found.degraded


@pytest.mark.parametrize("files", [VERSION_1, VERSION_2])
def test_counts_are_read_anew(
    files: Dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = reader(tmp_path, files, monkeypatch)
    for name, text in files.items():
        path = tmp_path / name
        if name.endswith("pids.current"):
            path.write_text("9\n")
        elif name.endswith(("memory.peak", "max_usage_in_bytes")):
            path.write_text("5000000\n")
        elif name.endswith("cpuacct.usage"):
            path.write_text("2000000000\n")
        elif name == "cpu.stat":
            path.write_text(text.replace("1234567", "2000000"))
        elif "memory" in name:
            path.write_text(text.replace("oom_kill 2", "oom_kill 3"))
    assert found.processes() == 9
    assert found.oom_kills() == 3
    assert found.memory_peak() == 5000000
    assert found.processor_seconds() == 2.0


def test_without_a_limit_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reader(tmp_path, UNLIMITED, monkeypatch).process_limit() is None


def test_without_control_groups_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = reader(tmp_path, NOTHING, monkeypatch)
    assert found.processes() is None
    assert found.process_limit() is None
    assert found.oom_kills() == 0
    assert found.memory_peak() is None
    assert found.processor_seconds() is None
    assert "no-pids-cgroup" in found.degraded


def test_what_others_fill_too_is_scanned_and_not_counted() -> None:
    alone = hygiene.Hygiene("/tmp")
    beside = hygiene.Hygiene("/tmp", alone.counted[:1])
    assert alone.counted, "this machine has no writable tmpfs to try it with"
    assert beside.counted == alone.counted[1:]
    assert set(beside.scanned) == {*alone.scanned, alone.counted[0]}
