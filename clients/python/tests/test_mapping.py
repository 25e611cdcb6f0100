"""Maps that end early: dropped, failing on the way, and what becomes of their jobs."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from scripted import KEY, Answer, Asked, Executions, Scripted, problem
from test_watch import Fleet

import slipway

Serve = Callable[[Callable[[Asked], Answer]], Scripted]
Connect = Callable[..., slipway.Client]
ALL = [f"job_{number:04}" for number in range(1, 41)]


def wait_for_cancels(fleet: Fleet, count: int) -> None:
    """Wait until so many jobs were cancelled."""
    deadline = time.monotonic() + 30
    while len(fleet.cancelled) < count:
        assert time.monotonic() < deadline, f"{len(fleet.cancelled)} of {count}"
        time.sleep(0.01)


@pytest.mark.parametrize("how", ["close", "with", "drop"])
@pytest.mark.parametrize("begun", [False, True])
def test_a_map_that_is_not_read_on_cancels_its_jobs(
    serve: Serve, connect: Connect, how: str, begun: bool
) -> None:
    fleet = Fleet(hold=True)
    results = connect(serve(fleet)).map(int, range(40))
    expected = ALL
    if begun:
        fleet.opened.acquire()
        fleet.finish(ALL[0])
        assert next(results) == 0
        expected = ALL[1:]
    if how == "close":
        results.close()
        results.close()
    elif how == "with":
        with results:
            pass
    if how != "drop":
        assert list(results) == []
    del results
    gc.collect()
    wait_for_cancels(fleet, len(expected))
    assert sorted(fleet.cancelled) == expected


def test_a_map_that_another_thread_closes_submits_no_more(
    serve: Serve, connect: Connect
) -> None:
    fleet = Fleet(hold=True)
    read = []

    def items() -> Iterator[int]:
        for number in range(100_000):
            read.append(number)
            yield number

    results = connect(serve(fleet)).map(int, items())
    begun = len(read)
    results.stop()
    assert list(results) == []
    assert len(read) == begun
    wait_for_cancels(fleet, len(fleet.jobs))


@pytest.mark.parametrize("last", ["results = None", "next(results)", ""])
def test_the_end_of_the_program_cancels_the_jobs_of_a_map(
    serve: Serve, last: str
) -> None:
    fleet = Fleet(hold=True)
    server = serve(fleet)
    program = (
        "import slipway, threading, time\n"
        f"client = slipway.Client({server.url!r}, {KEY!r})\n"
        "results = client.map(int, range(40))\n"
    )
    if last == "next(results)":
        # One that is stopped while it waits.
        program += "import os; threading.Timer(1, os.kill, (os.getpid(), 2)).start()\n"
    subprocess.run([sys.executable, "-c", program + last], check=False, timeout=60)
    assert sorted(fleet.cancelled) == ALL


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("chunksize", [1, 4])
def test_an_iterable_that_fails_is_told_after_what_came_before(
    serve: Serve, connect: Connect, ordered: bool, chunksize: int
) -> None:
    def items() -> Iterator[int]:
        yield from range(150)
        raise LookupError("no more items")

    fleet = Fleet()
    results = connect(serve(fleet)).map(
        int, items(), ordered=ordered, chunksize=chunksize
    )
    found: list[int] = []
    with pytest.raises(LookupError, match="no more items"):
        found.extend(results)
    assert sorted(found) == list(range(150))
    assert list(results) == []
    assert fleet.cancelled == []


def test_an_item_that_cannot_be_pickled_is_told_in_its_place(
    serve: Serve, connect: Connect
) -> None:
    server = serve(Fleet())
    items = [1, 2, threading.Lock(), 3]
    results = connect(server).map(type, items)
    assert [next(results), next(results)] == [int, int]
    with pytest.raises(TypeError, match="pickle"):
        next(results)

    async def main() -> None:
        async with slipway.AsyncClient(server.url, KEY) as client:
            results = client.map(type, items)
            assert [await anext(results), await anext(results)] == [int, int]
            with pytest.raises(TypeError, match="pickle"):
                await anext(results)

    asyncio.run(main())


def test_a_function_that_cannot_be_pickled_is_told_at_once(
    serve: Serve, connect: Connect
) -> None:
    lock = threading.Lock()
    server = serve(Fleet())
    with pytest.raises(TypeError, match="pickle"):
        connect(server).map(lambda x: (x, lock), [1])
    assert server.asked == []


def test_all_jobs_are_cancelled_whatever_the_gateway_says_of_some(
    serve: Serve, connect: Connect
) -> None:
    fleet = Fleet(hold=True)
    together = threading.Barrier(4)

    def script(asked: Asked) -> Answer:
        answer = fleet(asked)
        if not asked.path.endswith("/cancel"):
            return answer
        if len(fleet.cancelled) <= 4:
            # Several at a time, or this waits in vain.
            together.wait(20)
        refusals = [
            problem(404, "not-found"),
            problem(409, "already-terminal"),
            problem(500, "internal"),
        ]
        number = int(asked.path.split("/")[-2][-4:])
        return refusals[number] if number < len(refusals) else answer

    server = serve(script)
    connect(server).map(int, range(40)).close()
    assert sorted(fleet.cancelled) == ALL

    async def main() -> None:
        async with slipway.AsyncClient(server.url, KEY) as client:
            results = client.map(lambda x: 1 // x, range(40))
            fleet.opened.acquire()
            threading.Timer(0.3, fleet.finish, ["job_0041"]).start()
            with pytest.raises(slipway.TaskError, match="ZeroDivisionError"):
                await anext(results)

    together.reset()
    fleet.cancelled.clear()
    asyncio.run(main())
    assert sorted(fleet.cancelled) == [f"job_{n:04}" for n in range(42, 81)]


def test_cancelling_for_a_gateway_that_does_not_answer_ends(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipway._collect._CANCELS_SECONDS", 0.5)
    fleet = Fleet(hold=True)
    server = serve(fleet)

    def script(asked: Asked) -> Answer:
        if asked.path.endswith("/cancel"):
            server.closing.wait(60)
        return fleet(asked)

    server.script = script
    results = connect(server).map(int, range(40))
    began = time.monotonic()
    results.close()
    assert time.monotonic() - began < 10


def test_a_task_maps_in_an_event_loop(serve: Serve, connect: Connect) -> None:
    server = serve(Fleet())
    double = slipway.task(memory="64m")(lambda x: 2 * x)
    power = slipway.task(pow)

    async def main(client: slipway.Client | slipway.AsyncClient) -> None:
        mapped = double.options(client=client).amap(range(30))
        assert [x async for x in mapped] == list(range(0, 60, 2))
        mapped = power.options(client=client).astarmap([(2, 3), (3, 2)], chunksize=2)
        assert [x async for x in mapped] == [8, 9]
        with pytest.raises(slipway.TaskError, match="ZeroDivisionError"):
            await anext(power.options(client=client).amap([0], [-1]))

    async def asynchronous() -> None:
        async with slipway.AsyncClient(server.url, KEY) as client:
            await main(client)
            with pytest.raises(TypeError, match="amap"):
                double.options(client=client).submit(1)

    asyncio.run(main(connect(server)))
    asyncio.run(asynchronous())
    batches = [a.json() for a in server.asked if a.path == "/v1/jobs/batch"]
    assert batches[0]["jobs"][0]["resources"] == {"memory": "64m"}


def test_a_task_that_stops_mapping_in_an_event_loop_cancels(
    serve: Serve, connect: Connect
) -> None:
    fleet = Fleet(hold=True)
    mapped = slipway.task(client=connect(serve(fleet)))(int).amap(range(40))

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(mapped), 1)

    began = time.monotonic()
    asyncio.run(main())
    assert sorted(fleet.cancelled) == ALL
    assert time.monotonic() - began < 20


def test_a_task_awaits_a_call_by_either_client(serve: Serve, connect: Connect) -> None:
    executions = Executions()
    server = serve(lambda asked: Answer(200, executions.submit(asked)))
    task = slipway.task(int)

    async def main() -> None:
        assert await task.options(client=connect(server)).aio("3") == 3
        async with slipway.AsyncClient(server.url, KEY) as client:
            assert await task.options(client=client).aio("4") == 4

    asyncio.run(main())
