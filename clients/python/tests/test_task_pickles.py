"""Tasks that are copied, and pickled by the standard library and by cloudpickle."""

from __future__ import annotations

import concurrent.futures
import copy
import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import cloudpickle
import pytest

import slipway


@slipway.task(memory="64m")
def double(x: int) -> int:
    """Return twice a number."""
    return 2 * x


class Holder:
    """Has a task among its methods."""

    @slipway.task
    def method(self) -> int:
        """Return a number."""
        return 7


def plain(x: int) -> int:
    """Return a number."""
    return x


renamed = slipway.task(plain)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_task_is_pickled_by_its_name(protocol: int) -> None:
    assert pickle.loads(pickle.dumps(double, protocol)) is double
    if protocol >= 4:
        assert pickle.loads(pickle.dumps(Holder.method, protocol)) is Holder.method


@pytest.mark.parametrize(
    ("task", "argument"), [(double.options(memory="1g"), 4), (renamed, 8)]
)
def test_a_task_whose_name_stands_for_another_is_pickled_with_its_options(
    task: slipway.Task[[int], int], argument: int
) -> None:
    arrived = pickle.loads(pickle.dumps(task))
    assert isinstance(arrived, slipway.Task)
    assert arrived.function is task.function
    assert arrived._changes == task._changes
    assert arrived(argument) == 8


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_task_is_the_task(copied: Callable[[Any], Any]) -> None:
    for task in (double, double.options(memory="1g"), renamed):
        assert copied(task) is task
        assert copied([task])[0] is task


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_pool_of_processes_calls_a_task(method: str) -> None:
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        assert pool.submit(double, 2).result(60) == 4
        assert list(pool.map(double.options(memory="1g"), [1, 2])) == [2, 4]


def test_a_pool_of_processes_calls_a_task_of_a_program(tmp_path: Any) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import concurrent.futures, multiprocessing, slipway\n"
        "@slipway.task\n"
        "def triple(x): return 3 * x\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:\n"
        "        print(pool.submit(triple, 2).result(60))\n"
    )
    command = [sys.executable, str(program)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout, done.returncode) == ("6\n", 0), done.stderr


def test_for_cloudpickle_a_task_is_its_function() -> None:
    for task in (double, double.options(memory="1g"), Holder.method):
        arrived = cloudpickle.loads(cloudpickle.dumps(task))
        assert not isinstance(arrived, slipway.Task)
        assert arrived.__name__ == task.function.__name__
