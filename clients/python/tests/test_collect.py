"""Who waits for the same jobs, for jobs of several clients, and with a limit of time."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable

import pytest
from scripted import KEY, Answer, Asked, Scripted, job, problem
from test_watch import Fleet, submit_held

import slipway
from slipway import _watch

Serve = Callable[[Callable[[Asked], Answer]], Scripted]
Connect = Callable[..., slipway.Client]


def test_a_wait_that_is_over_ends_no_other(serve: Serve, connect: Connect) -> None:
    fleet = Fleet(hold=True)
    client = connect(serve(fleet))
    jobs = submit_held(client, 2)
    called: queue.SimpleQueue[slipway.Job] = queue.SimpleQueue()
    jobs[0].add_done_callback(called.put)
    other = client.as_completed(jobs)
    found: list[slipway.Job] = []
    waiter = threading.Thread(target=lambda: found.extend(other))
    waiter.start()
    fleet.opened.acquire()
    with pytest.raises(slipway.WaitTimeout):
        next(client.as_completed(jobs, timeout=0.1))
    for each in jobs:
        fleet.finish(each.id)
    assert called.get(timeout=10) is jobs[0]
    waiter.join(10)
    assert not waiter.is_alive()
    assert found == jobs


def test_the_first_failure_of_a_gather_leaves_other_waits_alone(
    serve: Serve, connect: Connect
) -> None:
    fleet = Fleet(hold=True)
    client = connect(serve(fleet))
    jobs = client.submit_many(slipway.Call(divmod, (1, n)) for n in (0, 1))
    called: queue.SimpleQueue[slipway.Job] = queue.SimpleQueue()
    jobs[1].add_done_callback(called.put)
    threading.Timer(0.05, fleet.finish, [jobs[0].id]).start()
    with pytest.raises(slipway.TaskError, match="ZeroDivisionError"):
        client.gather(jobs)
    fleet.finish(jobs[1].id)
    assert called.get(timeout=10) is jobs[1]


def test_closing_reaches_who_waits_after_another_wait(
    serve: Serve, connect: Connect
) -> None:
    client = connect(serve(Fleet(hold=True)))
    jobs = submit_held(client, 1)
    called: queue.SimpleQueue[slipway.Job] = queue.SimpleQueue()
    jobs[0].add_done_callback(called.put)
    with pytest.raises(slipway.WaitTimeout):
        next(client.as_completed(jobs, timeout=0.1))
    client.close()
    assert called.get(timeout=10) is jobs[0]


def test_an_awaited_job_survives_the_end_of_another_wait(serve: Serve) -> None:
    fleet = Fleet(hold=True)
    server = serve(fleet)

    async def main() -> None:
        async with slipway.AsyncClient(server.url, KEY) as client:
            (submitted,) = await client.submit_many([slipway.Call(int, (7,))])
            called: asyncio.Queue[slipway.AsyncJob] = asyncio.Queue()
            await submitted.add_done_callback(called.put_nowait)
            with pytest.raises(slipway.WaitTimeout):
                async for _ in client.as_completed([submitted], timeout=0.1):
                    pass
            fleet.finish(submitted.id)
            assert await asyncio.wait_for(called.get(), 10) is submitted
            assert submitted.ended
            assert await submitted == 7

    asyncio.run(main())


def test_what_has_ended_is_handed_out_when_no_time_is_left(serve: Serve) -> None:
    fleet = Fleet(hold=True)
    server = serve(fleet)

    async def main() -> None:
        async with slipway.AsyncClient(server.url, KEY) as client:
            jobs = await client.submit_many([slipway.Call(int, (n,)) for n in (1, 2)])
            fleet.finish(jobs[0].id)
            await jobs[0]
            found = []
            with pytest.raises(slipway.WaitTimeout):
                async for job in client.as_completed(jobs, timeout=0):
                    found.append(job)
            assert found == jobs[:1]

    asyncio.run(main())


def test_a_callback_of_an_event_loop_that_fails_hurts_nobody(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    fleet = Fleet(hold=True)
    server = serve(fleet)

    async def main() -> None:
        async with slipway.AsyncClient(server.url, KEY) as client:
            (submitted,) = await client.submit_many([slipway.Call(int, (7,))])
            called: asyncio.Queue[slipway.AsyncJob] = asyncio.Queue()
            await submitted.add_done_callback(lambda _: 1 / 0)
            await submitted.add_done_callback(called.put_nowait)
            fleet.finish(submitted.id)
            assert await asyncio.wait_for(called.get(), 10) is submitted

    asyncio.run(main())
    assert "ZeroDivisionError" in caplog.text


def test_jobs_of_several_clients(serve: Serve, connect: Connect) -> None:
    fleets = [Fleet(hold=True), Fleet(hold=True)]
    clients = [connect(serve(fleet)) for fleet in fleets]
    # Ids that only their own gateways know.
    submit_held(clients[1], 2)
    jobs = [submit_held(client, 3)[-1] for client in clients]
    for fleet, each in zip(fleets, jobs, strict=True):
        threading.Timer(0.05, fleet.finish, [each.id]).start()
    assert slipway.gather(jobs) == [2, 2]
    assert slipway.gather([]) == []
    assert clients[0].gather(reversed(jobs)) == [2, 2]
    fleets[0].jobs["job_0001"] = job(1, "error", error={"kind": "oom"})
    with pytest.raises(slipway.TaskOOM):
        slipway.gather([*jobs, clients[0].job("job_0001")])


def test_gather_names_what_takes_jobs_of_an_event_loop(serve: Serve) -> None:
    server = serve(lambda _: Answer(202, job(1)))

    async def main() -> None:
        async with slipway.AsyncClient(server.url, KEY) as client:
            submitted = await client.submit(int)
            with pytest.raises(TypeError, match=r"AsyncClient\.gather"):
                slipway.gather([submitted])  # type: ignore[list-item]

    asyncio.run(main())


def test_no_job_that_has_not_ended_is_handed_out(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway answers single requests, but its stream of events is never there."""
    monkeypatch.setattr(_watch, "_READY_SECONDS", 0.01)
    fleet = Fleet(hold=True)
    server = serve(
        lambda asked: (
            problem(503, "draining") if asked.path == "/v1/events" else fleet(asked)
        )
    )
    client = connect(server, retry_seconds=0.2)
    jobs = submit_held(client, 2)
    began = time.monotonic()
    with pytest.raises(slipway.WaitTimeout, match="2 jobs"):
        list(client.as_completed(jobs, timeout=1))
    assert time.monotonic() - began < 10

    async def main() -> None:
        async with slipway.AsyncClient(server.url, KEY, retry_seconds=0.2) as client:
            jobs = await client.submit_many([slipway.Call(int)] * 2)
            with pytest.raises(slipway.WaitTimeout, match="2 jobs"):
                async for _ in client.as_completed(jobs, timeout=1):
                    pass

    asyncio.run(main())


def test_a_handler_of_the_service(serve: Serve, connect: Connect) -> None:
    value = {"media_type": "application/json", "value": [6, 7]}
    server = serve(
        lambda _: Answer(202, job(1, "completed", kind="handler", result=value))
    )
    submitted = connect(server).submit_handler("resize", {"width": 6})
    assert submitted.result() == [6, 7]
    body = server.asked[0].json()
    assert body["task"] == {"type": "handler", "name": "resize", "input": {"width": 6}}
    assert body["name"] == "resize"


def test_the_protocol_of_a_command(serve: Serve, connect: Connect) -> None:
    server = serve(lambda _: Answer(202, job(1)))

    async def main() -> None:
        async with slipway.AsyncClient(server.url, KEY) as client:
            await client.submit_command(["make"], protocol="jsonl")

    connect(server).submit_command(["make"], protocol="jsonl")
    connect(server).submit_command(["make"])
    asyncio.run(main())
    said = [asked.json()["task"].get("protocol") for asked in server.asked]
    assert said == ["jsonl", None, "jsonl"]


def test_a_call_that_cannot_be_pickled_leaves_no_jobs_of_others(
    serve: Serve, connect: Connect
) -> None:
    server = serve(lambda asked: Answer(202, {"jobs": [job()] * 1000}))
    calls = [slipway.Call(int)] * 1000 + [slipway.Call(int, (threading.Lock(),))]
    with pytest.raises(TypeError):
        connect(server).submit_many(calls)

    async def submit() -> None:
        async with slipway.AsyncClient(server.url, KEY) as client:
            await client.submit_many(calls)

    with pytest.raises(TypeError):
        asyncio.run(submit())
    assert server.asked == []
