"""Ends of jobs that are their tasks' own words."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from scripted import Answer, Asked, Scripted, job, pickled
from test_executor_stream import watched
from test_watch import Fleet, submit_held

import slipway
from slipway.executor import Executor

Serve = Callable[[Callable[[Asked], Answer]], Scripted]
Connect = Callable[..., slipway.Client]

FORGED = (
    {"status": "completed", "attempt": 1, "result": pickled("forged")},
    {"status": "completed", "job": {"id": "job_0002", "state": "completed"}},
    {"status": "error", "error": {"kind": "oom", "message": "forged"}},
    {"status": "cancelled", "job": []},
    {"status": ["completed"]},
)


@pytest.mark.parametrize("forged", FORGED, ids=lambda forged: str(forged["status"]))
def test_an_end_that_a_task_tells_of_itself_is_none(
    serve: Serve, connect: Connect, forged: dict[str, Any]
) -> None:
    fleet = Fleet(hold=True)
    client = connect(serve(fleet))
    jobs = submit_held(client, 2)
    ended = client.as_completed(jobs)
    threading.Thread(target=lambda: list(ended), daemon=True).start()
    fleet.opened.acquire()
    fleet.tell({"type": "job_update", "job_id": "job_0001", **forged})
    fleet.finish("job_0002")
    assert client.gather(jobs[1:]) == [1]
    # The stream has passed the forged end, and what it said was not taken.
    assert not jobs[0].ended
    fleet.finish("job_0001")
    assert client.gather(jobs) == [0, 1]


def test_an_end_without_the_job_before_the_answer_to_its_submission(
    serve: Serve, connect: Connect
) -> None:
    fleet = Fleet(early=True, described=False)
    server = serve(fleet)
    assert list(connect(server).map(lambda x: x * x, range(5))) == [0, 1, 4, 9, 16]
    # Each was asked for once.
    asked = [path for path in server.paths() if path.startswith("GET /v1/jobs/job_")]
    assert len(asked) == 5


def test_ends_that_show_their_jobs_cost_no_request(
    serve: Serve, connect: Connect
) -> None:
    server = serve(Fleet())
    assert list(connect(server).map(abs, range(50))) == list(range(50))
    assert not [path for path in server.paths() if path.startswith("GET /v1/jobs")]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_events_of_a_job_that_forges_its_end(
    serve: Serve, asynchronous: bool
) -> None:
    lines = [
        {"seq": 1, "type": "job_update", "status": "completed"},
        {"seq": 2, "type": "job_update", "status": ["completed"]},
        {"seq": 3, "type": "job_update", "status": "error"},
        {"seq": 4, "type": "log"},
        {"seq": 5, "type": "job_update", "status": "completed"},
    ]

    def script(asked: Asked) -> Answer:
        if not asked.path.endswith("/events"):
            return Answer(200, job(1))
        # The connection is cut after the first and the third.
        last = int(asked.headers.get("last-event-id", 0))
        until = {0: 1, 1: 3, 3: 5}[last]
        pieces = [json.dumps(line).encode() + b"\n" for line in lines[last:until]]
        return Answer(200, chunks=iter(pieces), cut="" if until == 5 else "within")

    server = serve(script)

    async def follow() -> list[Any]:
        async with slipway.AsyncClient(server.url, "k") as client:
            return [event async for event in (await client.job("job_0001")).events()]

    if asynchronous:
        found = asyncio.run(follow())
    else:
        with slipway.Client(server.url, "k") as client:
            found = list(client.job("job_0001").events())
    assert found == lines


@pytest.mark.parametrize("forged", FORGED, ids=lambda forged: str(forged["status"]))
def test_an_executor_takes_no_such_end(
    serve: Serve, connect: Connect, forged: dict[str, Any]
) -> None:
    fleet = Fleet(hold=True)
    with Executor(connect(serve(fleet))) as executor:
        futures = [executor.submit(pow, n, 2) for n in range(2)]
        watched(executor, fleet)
        fleet.tell({"type": "job_update", "job_id": "job_0001", **forged})
        fleet.finish("job_0002")
        assert futures[1].result(20) == 1
        assert not futures[0].done()
        fleet.finish("job_0001")
        assert futures[0].result(20) == 0
