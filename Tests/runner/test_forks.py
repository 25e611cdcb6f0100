"""Processes that a task forks, and that come back from its function as it does."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import pytest
from harness import RUNNER, Host

INTERPRETERS = [
    path for path in os.environ.get("SLIPWAY_TEST_PYTHONS", "").split(":") if path
]

FORKS = """
import os, sys, threading
def main():
    pid = os.fork()
    if pid == 0:
        print("the child works", end="")
        %s
    status = os.waitpid(pid, 0)[1]
    return ["parent", os.WEXITSTATUS(status), os.WIFEXITED(status)]
"""


@pytest.mark.parametrize(
    ("ends", "code", "said"),
    [
        ("sys.exit(0)", 0, b""),
        ("sys.exit(7)", 7, b""),
        ("sys.exit('no')", 1, b"no\n"),
        ("raise ValueError('of the child')", 1, b"ValueError: of the child"),
        ("return 'child'", 0, b""),
        ("return object()", 0, b""),
        ("sys.stderr.close(); raise ValueError", 1, b""),
    ],
)
def test_the_parents_result_counts(
    sandbox: Host, ends: str, code: int, said: bytes
) -> None:
    result = sandbox.run(FORKS % ends)
    assert (result.outcome, result.value()) == ("ok", ["parent", code, True])
    assert result.text() == b"the child works"
    assert (said in result.text("stderr")) and bool(said) == bool(result.text("stderr"))


def test_the_child_of_a_callable_has_no_result(sandbox: Host) -> None:
    code = "(lambda os: (lambda pid: os.waitpid(pid, 0) and 'parent' if pid else 'child')(os.fork()))(__import__('os'))"
    for value in ("'child'", "(i for i in ())"):
        call = (eval, (code.replace("'child'", value),), {})
        result = sandbox.finish(sandbox.start("callable", pickle.dumps(call, 4)))
        assert (result.value(), result.text("stderr")) == ("parent", b"")


def test_a_child_that_outlives_the_task_says_nothing(sandbox: Host) -> None:
    code = (
        "import os, time\n"
        "def main():\n"
        "    if os.fork() == 0:\n"
        "        return 'child'\n"
        "    time.sleep(0.3)\n"
        "    raise RuntimeError('of the parent')\n"
    )
    result = sandbox.run(code)
    assert (result.outcome, result.error["message"]) == ("exception", "of the parent")


FLOOD = """
import os, time
slow = b'E{"a":[' + b"1," * 30000
def main():
    for _ in range(6):
        if os.fork() == 0:
            end = time.monotonic() + 20
            while time.monotonic() < end:
                for _ in range(1000): os.write(3, slow)
            os._exit(0)
    time.sleep(0.5)
    os._exit(3)
"""


def test_leftovers_that_flood_the_channel_hold_nothing_up(sandbox: Host) -> None:
    job = sandbox.source(FLOOD)
    sandbox.wait(lambda: sandbox.results[job].clean is not None, seconds=15)
    result = sandbox.results[job]
    assert (result.outcome, result.header["exit_code"]) == ("exit", 3)


#: Says which method is the default, where an interpreter for macOS would not fork.
DEFAULT = """
import sys
sys.path.insert(0, %r)
from slipway_runner import zygote
import socket, subprocess
sys.platform = "darwin"
if %r: import multiprocessing.context
if %r: zygote.ForkByDefault.arrange()
import multiprocessing, decimal
print(multiprocessing.get_start_method(), multiprocessing.get_context("spawn")._name)
multiprocessing.set_start_method("forkserver", force=True)
assert multiprocessing.get_start_method() == "forkserver"
"""


@pytest.mark.parametrize("python", [sys.executable, *INTERPRETERS])
@pytest.mark.parametrize("imported", [True, False])
@pytest.mark.parametrize("arranged", [True, False])
def test_the_default_of_multiprocessing_is_to_fork(
    python: str, imported: bool, arranged: bool
) -> None:
    code = DEFAULT % (str(RUNNER.parent), imported, arranged)
    said = subprocess.check_output([python, "-B", "-c", code], text=True)
    assert said.split() == ["fork" if arranged else "spawn", "spawn"]


def test_processes_find_what_a_source_task_defines(sandbox: Host) -> None:
    code = (
        "import multiprocessing\n"
        "def double(x): return 2 * x\n"
        "def main():\n"
        "    with multiprocessing.Pool(2) as pool:\n"
        "        return [multiprocessing.get_start_method(), pool.map(double, [1, 2])]\n"
    )
    assert sandbox.run(code).value() == ["fork", [2, 4]]
