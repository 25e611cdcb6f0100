"""Heartbeats, and what they tell of tasks that keep processors busy."""

from __future__ import annotations

import os
from typing import Any, Dict, List

import pytest
from harness import Host, process_sandbox
from slipway_runner.pulse import ranges

SPIN = (
    "import os, time\n"
    "def main(seconds, processes=0):\n"
    "    children = []\n"
    "    for _ in range(processes):\n"
    "        pid = os.fork()\n"
    "        if not pid:\n"
    "            while True: pass\n"
    "        children.append(pid)\n"
    "    end = time.monotonic() + seconds\n"
    "    while not children and time.monotonic() < end: pass\n"
    "    if children: time.sleep(seconds)\n"
    "    for pid in children: os.kill(pid, 9)\n"
)
SLEEP = "import time\ndef main(seconds): time.sleep(seconds)"


def beats(host: Host) -> List[Dict[str, Any]]:
    return [header for name, header, _ in host.others if name == "HEARTBEAT"]


def loads(host: Host) -> List[float]:
    """What was told since the last question; the sandbox serves several tests."""
    told = [header["load"] for header in beats(host) if "load" in header]
    host.others.clear()
    return told


def test_heartbeats_come() -> None:
    with process_sandbox(heartbeat=0.05) as host:
        host.wait(lambda: len(beats(host)) > 3)
        assert {header["busy"] for header in beats(host)} == {0}


def test_a_container_tells_how_busy_a_long_task_keeps_it(container: Host) -> None:
    assert container.run(SPIN, 0.8).outcome == "ok"
    # Before the first heartbeat would be due: who waits for it waits too long.
    assert max(loads(container)) > 0.4


def test_processes_of_the_task_count(container: Host) -> None:
    assert container.run(SPIN, 1.0, 3).outcome == "ok"
    assert max(loads(container)) > 0.4


def test_a_task_that_waits_keeps_nothing_busy(container: Host) -> None:
    loads(container)
    assert container.run(SLEEP, 1.5).outcome == "ok"
    assert max(loads(container)) < 0.3


def test_short_tasks_tell_nothing(container: Host) -> None:
    loads(container)
    for _ in range(60):
        assert container.run("def main(): return 1").value() == 1
    assert loads(container) == []


def test_every_long_task_is_told(container: Host) -> None:
    for _ in range(3):
        loads(container)
        assert container.run(SPIN, 0.4).outcome == "ok"
        assert loads(container)


def test_a_process_that_shares_its_cgroup_tells_nothing() -> None:
    with process_sandbox() as host:
        assert host.run(SPIN, 0.4).outcome == "ok"
        assert loads(host) == []


def test_hello_names_the_processors() -> None:
    everywhere = os.sched_getaffinity(0)
    with process_sandbox(ready=False) as host:
        assert host.hello["processors"] == ranges(everywhere)
        assert host.hello["kept"] is None
        # Whoever comes after the one that kept it to fewer hears of both.
        os.sched_setaffinity(host.peer, {min(everywhere)})
        host.drop()
        hello = host.accept()
        assert hello["processors"] == ranges(everywhere)
        assert hello["kept"] == (
            "%d" % min(everywhere) if len(everywhere) > 1 else None
        )


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([0], "0"), ([0, 1, 2], "0-2"), ([9, 0, 1, 4, 8], "0-1,4,8-9"), ([3, 5], "3,5")],
)
def test_ranges(numbers: List[int], text: str) -> None:
    assert ranges(numbers) == text
