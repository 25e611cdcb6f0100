"""What preloaded modules have the zygote practise, and waiting children rehearse."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import engine
from harness import RUNNER, Host, process_sandbox

# Notes in which process it was called, and how often.
COUNTING = """
import os
calls = {}
def __slipway_practise__():
    calls[os.getpid()] = calls.get(os.getpid(), 0) + 1
"""
# The calls in the task's own process, and those in the zygote.
LOOK = """
import os, sys
def main(name):
    calls = dict(sys.modules[name].calls)
    return [calls.pop(os.getpid(), 0), sum(calls.values()), len(calls)]
"""


def ready(waiting: Any, name: str, code: str, **fields: Any) -> Host:
    """Preload a module of this code, which must work."""
    host, folder, path = waiting
    (folder / (name + ".py")).write_text(code)
    told = host.configure(preload=[name], path=[path], gid=engine.GROUP, **fields)
    assert told["preload"]["errors"] == []
    return host


def looked(host: Host, name: str) -> Any:
    """Wait for a child that has rehearsed; return what LOOK finds in it."""
    time.sleep(0.3)
    return host.run(LOOK, name).value()


def test_the_zygote_practises_and_children_rehearse(waiting: Any) -> None:
    host = ready(waiting, "practised", COUNTING)
    assert looked(host, "practised")[1:] == [1, 1], "it was called before READY"
    own, zygote, processes = looked(host, "practised")
    assert (own, processes) == (1, 1)
    assert zygote > 8, "as often as the interpreter waits for"
    assert looked(host, "practised") == [own, zygote, processes], "and never again"


def test_what_is_imported_ahead_is_practised_once(waiting: Any) -> None:
    waiting[0].configure(preload=["json"], ahead=True)
    host = ready(waiting, "practised", COUNTING)
    looked(host, "practised")
    assert looked(host, "practised")[2] == 1


def test_a_module_of_the_runner_may_be_practised_ahead_and_for_a_tenant(
    waiting: Any,
) -> None:
    host, _, _ = waiting
    told = host.configure(preload=["json", "slipway"], ahead=True)
    assert told["preload"]["errors"] == []
    told = host.configure(preload=["json", "slipway"], gid=engine.GROUP)
    assert told["preload"]["errors"] == []
    assert host.run("def main():\n    return 1").value() == 1


def test_its_error_is_told_like_one_of_an_import(waiting: Any) -> None:
    host, folder, path = waiting
    (folder / "broken.py").write_text(
        "def __slipway_practise__():\n    raise SystemExit('not today')\n"
    )
    told = host.configure(preload=["broken"], path=[path], gid=engine.GROUP)
    (error,) = told["preload"]["errors"]
    assert error["module"] == "broken"
    assert error["message"] == "__slipway_practise__: SystemExit: not today"
    for _ in range(3):
        assert host.run("import broken\ndef main():\n    return 1").value() == 1


def test_what_fails_later_hurts_no_task(waiting: Any) -> None:
    code = COUNTING + "    if len(calls) > 1:\n        raise KeyboardInterrupt\n"
    host = ready(waiting, "practised", code)
    assert [looked(host, "practised")[0] for _ in range(3)] == [0, 1, 1]
    code = COUNTING + "    if sum(calls.values()) > 3:\n        raise ValueError\n"
    host = ready(waiting, "fails", code)
    assert [looked(host, "fails")[:2] for _ in range(3)][1:] == [[0, 4], [0, 4]]


def test_what_is_slow_is_for_the_zygote_alone(waiting: Any) -> None:
    code = COUNTING + "    __import__('time').sleep(0.02)\n"
    host = ready(waiting, "practised", code)
    looked(host, "practised")
    own, zygote, _ = looked(host, "practised")
    assert own == 0, "a task would have to wait for it"
    assert 1 < zygote < 10, "its time is limited"


def test_threads_that_it_starts_cost_no_task(waiting: Any) -> None:
    code = COUNTING + (
        "    if sum(calls.values()) == 3:\n"
        "        import threading, time\n"
        "        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    host = ready(waiting, "practised", code)
    for _ in range(4):
        assert looked(host, "practised")[2] == 1


def test_no_two_tasks_draw_the_same_numbers_after_practice(waiting: Any) -> None:
    code = COUNTING + "    __import__('random').seed(7)\n"
    host = ready(waiting, "practised", code)
    draw = "import random\ndef main():\n    return random.getrandbits(64)"
    drawn = []
    for _ in range(6):
        time.sleep(0.1)
        drawn.append(host.run(draw).value())
    assert len(set(drawn)) == len(drawn)


def test_tasks_without_such_modules_have_none() -> None:
    with process_sandbox() as host:
        code = (
            "import sys\n"
            "def main():\n"
            "    return len(sys.modules['_slipway.task']._quick_hooks)"
        )
        assert host.run(code).value() == 0


def test_the_copy_of_the_client_code_is_the_client_s() -> None:
    copy = (RUNNER / "lib" / "slipway_graflow" / "sandbox.py").read_bytes()
    clients = Path(__file__).resolve().parents[2] / "clients"
    original = clients / "python/src/slipway/integrations/graflow/sandbox.py"
    assert copy == original.read_bytes(), "copy the client's file to the runner's lib"
