"""The cases of CPython's own test.test_concurrent_futures that apply, run with `slipway.Executor`.

They come from the interpreter that runs the tests, where it has them. Many distributions leave the test package out:
then from the folder that SLIPWAY_TEST_CPYTHON names, as Debian's libpython3.11-testsuite has it in
``usr/lib/python3.11/test`` (``apt-get download``, ``dpkg-deb -x``; it need not be installed).
What cannot apply, and why:

============================================================  =======================================================
case                                                          reason
============================================================  =======================================================
FutureTests                                                   about the standard library's Future alone
test_interpreter_shutdown, test_hang_gh83386,                 expect a task's output on the parent's stdout, and name
test_submit_after_interpreter_shutdown,                       the class within concurrent.futures: test_executor_exit
test_cancel_futures_wait_false                                has the same cases
test_threads_terminate, test_thread_names_*, test_saturation, look at ``_threads`` or ``_processes``
test_idle_*_reuse*, test_processes_terminate,
test_context_manager_shutdown, test_del_shutdown,
test_shutdown_no_wait, test_default_workers,
test_killed_child
test_map_submits_without_iteration, test_pending_calls_race,  share an object with the task: a list, an event, a lock
test_executor_map_current_future_cancel,
test_ressources_gced_in_workers
test_max_tasks_*, test_max_workers_too_large,                 arguments of ProcessPoolExecutor, or its insides
test_python_finalization_error, test_hang_global_shutdown_lock,
test_shutdown_deadlock_pickle, test_gh105829_*
test_traceback                                                wants the private class of ProcessPoolExecutor as cause;
                                                              ours is `RemoteTraceback` (test_executor)
test_cancel_futures                                           wants a call to have started before anybody waited for
                                                              one: a job may still be queued then (test_executor)
test_shutdown_deadlock, test_crash_big_data                   want BrokenProcessPool: a crash breaks no other call here
============================================================  =======================================================

In ExecutorDeadlockTest BrokenProcessPool stands for `TaskError`, and SystemExit for `TaskExit`: a sandbox that crashes
or exits ends one job.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import pickle
import unittest
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import cloudpickle
import pytest
import test
from executor_gateway import BINARY, local_client

import slipway

if BINARY is None:
    pytest.skip(
        "no gateway: SLIPWAY_TEST_BINARY names no binary", allow_module_level=True
    )
APART = os.environ.get("SLIPWAY_TEST_CPYTHON")
if APART and importlib.util.find_spec("test.test_concurrent_futures") is None:
    test.__path__.append(APART)
    # Sandboxes do not have it.
    cloudpickle.register_pickle_by_value(
        importlib.import_module("test.test_concurrent_futures")
    )
pytest.importorskip("test.test_concurrent_futures")

STACK = contextlib.ExitStack()
CLIENT: list[slipway.Client] = []


def setUpModule() -> None:
    CLIENT.append(STACK.enter_context(local_client()))


def tearDownModule() -> None:
    CLIENT.clear()
    STACK.close()


def case(module: str, name: str) -> Any:
    """Return a class of the test package: a module of its own for each topic since 3.12, one for all before."""
    package = importlib.import_module("test.test_concurrent_futures")
    if not hasattr(package, name):
        package = importlib.import_module(f"test.test_concurrent_futures.{module}")
    return getattr(package, name)


class Pool(slipway.Executor):
    """The executor with the arguments that the cases give; ``mp_context`` has no meaning here."""

    def __init__(
        self, max_workers: int | None = None, mp_context: None = None, **more: Any
    ) -> None:
        super().__init__(CLIENT[0], max_workers, cpus=0.2, memory="64m", **more)


BaseTestCase: Any = case("util", "BaseTestCase")
ExecutorMixin: Any = case("util", "ExecutorMixin")


class SlipwayMixin(ExecutorMixin):
    executor_type = Pool

    def get_context(self) -> None:
        return None


class ExecutorTest(SlipwayMixin, case("executor", "ExecutorTest"), BaseTestCase):
    test_map_chunksize = case(
        "test_process_pool", "ProcessPoolExecutorTest"
    ).test_map_chunksize


class WaitTest(SlipwayMixin, case("test_wait", "WaitTests"), BaseTestCase):
    pass


class AsCompletedTest(
    SlipwayMixin, case("test_as_completed", "AsCompletedTests"), BaseTestCase
):
    pass


class ShutdownTest(SlipwayMixin, BaseTestCase):
    worker_count = 5
    _cases = case("test_shutdown", "ExecutorShutdownTest")
    test_run_after_shutdown = _cases.test_run_after_shutdown
    test_hang_issue12364 = _cases.test_hang_issue12364
    # 3.11.2 does not have it.
    if hasattr(_cases, "test_hang_gh94440"):
        test_hang_gh94440 = _cases.test_hang_gh94440


class InitializerTest(case("test_init", "InitializerMixin"), BaseTestCase):
    executor_type = Pool


class FailingInitializerTest(
    case("test_init", "FailingInitializerMixin"), BaseTestCase
):
    executor_type = Pool


class DeadlockTest(SlipwayMixin, BaseTestCase):
    _cases = case("test_deadlock", "ExecutorDeadlockTest")
    locals().update(
        (name, value)
        for name, value in vars(_cases).items()
        if name.startswith("test_") and ("_at_" in name or "_during_" in name)
    )

    def _check_crash(
        self, error: Any, func: Any, *args: Any, ignore_stderr: bool = False
    ) -> None:
        ours: dict[Any, Any] = {
            BrokenProcessPool: (slipway.TaskError, pickle.UnpicklingError),
            SystemExit: slipway.TaskExit,
        }
        with Pool(max_workers=2) as executor:
            future = executor.submit(func, *args)
            with self.assertRaises(ours.get(error, error)):
                future.result(timeout=60)
            # One call's crash leaves the others alone.
            self.assertEqual(executor.submit(pow, 2, 8).result(timeout=60), 256)


if __name__ == "__main__":
    unittest.main()
