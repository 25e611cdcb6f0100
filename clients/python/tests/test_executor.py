"""What `slipway.Executor` does beyond what CPython's own cases look at, in real sandboxes."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import cloudpickle
import pytest
from executor_gateway import BINARY, local_client

import slipway
from slipway.executor import Executor
from slipway.executor_future import RemoteFuture

# The sandbox does not have this module.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def local() -> Iterator[slipway.Client]:
    if BINARY is None:
        pytest.skip("no gateway: SLIPWAY_TEST_BINARY names no binary")
    with local_client(containers=True) as client:
        yield client


@pytest.fixture
def executor(local: slipway.Client) -> Iterator[Executor]:
    with Executor(local, cpus=0.2, memory="64m") as made:
        yield made


def napping(seconds: float) -> Callable[[], float]:
    def nap() -> float:
        import time

        time.sleep(seconds)
        return seconds

    return nap


def running(future: concurrent.futures.Future[Any]) -> None:
    """Wait until a future runs."""
    pause = threading.Event()
    for _ in range(3000):
        if future.running() or future.done():
            break
        pause.wait(0.01)
    assert future.running()


def sent(future: RemoteFuture[Any]) -> slipway.Job:
    """Wait until a call has become a job."""
    pause = threading.Event()
    for _ in range(3000):
        if future.job is not None:
            return future.job
        pause.wait(0.01)
    raise AssertionError("the call was not sent")


def raising() -> None:
    error = LookupError("gone", 7)
    if hasattr(error, "add_note"):
        error.add_note("a note")
    raise error  # the line


def test_futures_are_those_of_the_standard_library(executor: Executor) -> None:
    future = executor.submit(lambda a, b: [a, b], (1, 2), b={"x"})
    assert isinstance(executor, concurrent.futures.Executor)
    assert isinstance(future, concurrent.futures.Future)
    assert future.result(60) == [(1, 2), {"x"}]
    assert future.job is not None
    assert future.job.refresh().status == "completed"
    assert not future.cancel()


def test_an_exception_keeps_its_type_and_shows_where_it_was_raised(
    executor: Executor,
) -> None:
    error = executor.submit(raising).exception(60)
    assert type(error) is LookupError
    assert error.args == ("gone", 7)
    assert isinstance(error.__cause__, slipway.RemoteTraceback)
    assert "in raising" in str(error.__cause__)


def test_an_exit_of_the_task_is_a_task_exit(executor: Executor) -> None:
    def leave() -> None:
        import os

        os._exit(3)

    error = executor.submit(leave).exception(60)
    assert isinstance(error, slipway.TaskExit)
    assert executor.submit(pow, 2, 3).result(60) == 8


def test_a_running_call_is_not_cancelled(executor: Executor) -> None:
    future = executor.submit(napping(1.0))
    running(future)
    assert not future.cancel()
    assert future.result(60) == 1.0
    assert future.job is not None and future.job.refresh().status == "completed"


def test_a_cancel_ends_nothing_that_has_begun(executor: Executor) -> None:
    """As CPython promises: cancelled means never run, not cancelled means that it runs to its end."""
    executor.submit(pow, 2, 2).result(60)
    cancelled = kept = 0
    for number in range(120):
        future = executor.submit(pow, number, 2)
        job = sent(future)
        time.sleep(number % 5 * 0.0004)
        if future.cancel():
            cancelled += 1
            assert job.refresh().info["started_at"] is None
            assert job.status == "cancelled"
        else:
            kept += 1
            assert future.result(60) == number**2
    assert kept and cancelled + kept == 120


def test_cancel_takes_a_job_out_of_the_gateways_queue(executor: Executor) -> None:
    futures = [executor.submit(napping(1.0)) for _ in range(20)]
    running(futures[0])
    last = futures[-1]
    job = sent(last)
    assert last.cancel()
    assert last.cancelled() and last.done()
    with pytest.raises(concurrent.futures.CancelledError):
        last.result()
    assert last in concurrent.futures.wait([last], timeout=5).done
    assert job.refresh().status == "cancelled"
    assert job.info["started_at"] is None
    executor.shutdown(cancel_futures=True)
    assert all(future.done() for future in futures)
    assert futures[0].result() == 1.0
    assert sum(future.cancelled() for future in futures) > 1
    assert {f.job.refresh().status for f in futures if f.cancelled() and f.job} <= {
        "cancelled"
    }


def test_a_job_that_somebody_else_cancels(executor: Executor) -> None:
    future = executor.submit(napping(30.0))
    running(future)
    assert future.job is not None and future.job.cancel()
    assert isinstance(future.exception(60), slipway.TaskCancelled)


def test_max_workers_is_the_most_that_the_gateway_has(local: slipway.Client) -> None:
    with Executor(local, max_workers=2, cpus=0.2, memory="64m") as executor:
        futures = [executor.submit(napping(0.2)) for _ in range(6)]
        running(futures[0])
        assert sum(future.job is not None for future in futures) <= 2
        assert futures[-1].cancel() and futures[-1].job is None
        assert [f.result(60) for f in futures[:-1]] == [0.2] * 5


def test_each_call_finds_the_initializer_done_and_nothing_of_another_call(
    local: slipway.Client,
) -> None:
    def prepare(word: str) -> None:
        import builtins

        # No assert: what pytest makes of that needs pytest in the sandbox.
        if hasattr(builtins, "seen"):
            raise RuntimeError("left behind by another call")
        builtins.seen = word  # type: ignore[attr-defined]

    def seen(number: int) -> tuple[int, str]:
        import builtins

        return number, builtins.seen  # type: ignore[attr-defined]

    with Executor(
        local, initializer=prepare, initargs=("w",), cpus=0.2, memory="64m"
    ) as executor:
        assert list(executor.map(seen, range(3))) == [(n, "w") for n in range(3)]
        chunks = executor.map(seen, range(3), chunksize=2)
        assert list(chunks) == [(n, "w") for n in range(3)]


def test_unpicklable_calls_fail_by_themselves(executor: Executor) -> None:
    lock = threading.Lock()
    assert isinstance(executor.submit(id, lock).exception(5), TypeError)
    results = executor.map(lambda value: 1, [1, lock, 2])
    assert next(results) == 1
    with pytest.raises(TypeError):
        next(results)
    assert executor.submit(pow, 2, 3).result(60) == 8


def test_a_refused_call_does_not_spoil_the_others_of_its_batch(
    local: slipway.Client,
) -> None:
    # Held back until all three are there, so that they go in one batch.
    with Executor(local, cpus=0.2, memory="64m") as executor:
        with executor._core.changed:
            good = executor.submit(pow, 2, 3)
            large = executor.submit(len, os.urandom(50 << 20))
            more = executor.submit(pow, 2, 4)
        assert (good.result(60), more.result(60)) == (8, 16)
        assert isinstance(large.exception(60), slipway.APIError)


def test_an_option_that_the_gateway_refuses(local: slipway.Client) -> None:
    with Executor(local, memory="1k") as executor:
        assert isinstance(executor.submit(pow, 2, 3).exception(60), slipway.APIError)
    with pytest.raises(TypeError):
        Executor(local, no_such_option=1)


def test_two_threads_for_many_futures(executor: Executor) -> None:
    before = threading.active_count()
    futures = [executor.submit(pow, number, 2) for number in range(300)]
    assert threading.active_count() <= before + 2
    done = concurrent.futures.as_completed(futures, timeout=120)
    assert sorted(f.result() for f in done) == [n * n for n in range(300)]


def test_a_forgotten_executor_finishes_its_calls_and_ends_its_threads(
    local: slipway.Client,
) -> None:
    executor = Executor(local, cpus=0.2, memory="64m")
    future = executor.submit(napping(0.3))
    threads = executor._threads.threads
    gone = weakref.ref(executor)
    del executor
    gc.collect()
    assert gone() is None
    assert future.result(60) == 0.3
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_a_callback_may_submit_but_not_wait_for_the_executor(
    executor: Executor,
) -> None:
    seen: list[object] = []
    called = threading.Event()

    def callback(future: concurrent.futures.Future[int]) -> None:
        seen.append(executor.submit(pow, future.result(), 2))
        try:
            executor.shutdown()
        except RuntimeError as error:
            seen.append(error)
        called.set()

    executor.submit(pow, 2, 3).add_done_callback(callback)
    assert called.wait(60)
    assert isinstance(seen[0], concurrent.futures.Future)
    assert seen[0].result(60) == 64
    assert isinstance(seen[1], RuntimeError)


def test_terminate_workers_ends_running_calls_too(local: slipway.Client) -> None:
    executor = Executor(local, max_workers=1, cpus=0.2, memory="64m")
    first, second = executor.submit(napping(60)), executor.submit(napping(60))
    running(first)
    executor.terminate_workers()
    assert second.cancelled()
    assert isinstance(first.exception(60), slipway.TaskCancelled)


def test_run_in_executor(executor: Executor) -> None:
    async def main() -> tuple[list[int], bool]:
        loop = asyncio.get_running_loop()
        calls = [loop.run_in_executor(executor, pow, n, 2) for n in range(5)]
        squares = await asyncio.gather(*calls)
        waiting = [loop.run_in_executor(executor, napping(1.0)) for _ in range(15)]
        last = waiting.pop()
        last.cancel()
        with pytest.raises(asyncio.CancelledError):
            await last
        for call in waiting:
            call.cancel()
        await asyncio.wait([*waiting])
        with pytest.raises(LookupError):
            await loop.run_in_executor(executor, raising)
        return squares, last.cancelled()

    assert asyncio.run(main()) == ([0, 1, 4, 9, 16], True)
