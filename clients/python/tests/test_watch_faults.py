"""What must not end the threads that others wait for: callbacks, and lines that are no events."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from scripted import KEY, Answer, Asked, Scripted
from scripted import job as made
from test_watch import Fleet, submit_held

import slipway

Serve = Callable[[Callable[[Asked], Answer]], Scripted]
Connect = Callable[..., slipway.Client]


@pytest.mark.parametrize("stream", [True, False])
def test_a_callback_that_exits_ends_no_thread_of_the_client(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture, stream: bool
) -> None:
    fleet = Fleet(hold=True, stream=stream)
    client = connect(serve(fleet))
    first, second = submit_held(client, 2)
    told = threading.Event()

    def leave(_: slipway.Job) -> None:
        told.set()
        sys.exit(3)

    first.add_done_callback(leave)
    with caplog.at_level(logging.ERROR, "slipway"):
        fleet.finish(first.id)
        assert told.wait(20)
        ended = threading.Event()
        second.add_done_callback(lambda _: ended.set())
        fleet.finish(second.id)
        assert ended.wait(20)
    assert second.result() == 1
    assert "SystemExit: 3" in caplog.text


@pytest.mark.parametrize("line", [b"[]\n", b"7\n", b"no JSON\n"])
def test_a_line_that_is_no_event_makes_the_watcher_read_again(
    serve: Serve, connect: Connect, line: bytes
) -> None:
    fleet = Fleet(hold=True)
    client = connect(serve(fleet))
    first, second = submit_held(client, 2)
    ended = {job.id: threading.Event() for job in (first, second)}
    first.add_done_callback(lambda job: ended[job.id].set())
    assert fleet.opened.acquire(timeout=20)
    with fleet._lock:
        (stream,) = fleet.streams
        fleet.streams.clear()
        stream.put(line)
    second.add_done_callback(lambda job: ended[job.id].set())
    fleet.finish(first.id)
    fleet.finish(second.id)
    assert ended[first.id].wait(20)
    assert ended[second.id].wait(20)


def test_an_error_of_the_client_itself_releases_who_waits(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = Fleet(hold=True)
    client = connect(serve(fleet))
    first, second = submit_held(client, 2)
    released = threading.Event()
    first.add_done_callback(lambda _: released.set())
    assert fleet.opened.acquire(timeout=20)
    watcher = client._session.watcher
    with monkeypatch.context() as patch:
        patch.setattr(threading, "excepthook", lambda _: None)
        patch.setattr(watcher._own, "hear", lambda _: [].nothing)  # type: ignore[attr-defined]
        fleet.tell({"type": "job_update"})
        assert released.wait(20)
    ended = threading.Event()
    second.add_done_callback(lambda _: ended.set())
    fleet.finish(second.id)
    assert ended.wait(20)


def watches(client: slipway.Client | slipway.AsyncClient) -> int:
    """Return how many waits a client knows of."""
    watcher = client._session.watcher
    boards = (watcher._own, watcher._others)
    return sum(len(waits) for board in boards for waits in board._watched.values())


@pytest.mark.parametrize("own", [True, False])
def test_awaiting_a_job_for_a_while_leaves_nothing_behind(
    serve: Serve, connect: Connect, own: bool
) -> None:
    fleet = Fleet(hold=True)
    server = serve(fleet)
    client = connect(server)
    (job,) = submit_held(client if own else connect(server), 1)
    job = client.job(job.id)

    async def main() -> None:
        for _ in range(20):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(job, 0.02)  # type: ignore[arg-type]

    asyncio.run(main())
    assert watches(client) == 0


@pytest.mark.parametrize("how", ["job", "as_completed", "callback"])
def test_a_wait_that_is_cancelled_before_it_began_leaves_nothing_behind(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    under_way, cancelled, over = (threading.Event() for _ in range(3))

    def slow(original: Callable[..., None]) -> Callable[..., None]:
        def watch(*args: Any, **more: Any) -> None:
            under_way.set()
            cancelled.wait(20)
            original(*args, **more)
            over.set()

        return watch

    async def cancel(client: Any, waiting: Any) -> None:
        watcher = client._session.watcher
        monkeypatch.setattr(watcher, "watch", slow(watcher.watch))
        task = asyncio.ensure_future(waiting)
        assert await asyncio.to_thread(under_way.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        cancelled.set()
        assert await asyncio.to_thread(over.wait, 20)
        while watches(client):
            await asyncio.sleep(0.01)

    async def main() -> None:
        async with slipway.AsyncClient(server.url, KEY) as client:
            job = await client.submit(int)
            if how == "callback":
                waiting: Any = job.add_done_callback(lambda _: None)
            else:
                waiting = anext(client.as_completed([job]))
            await asyncio.wait_for(cancel(client, waiting), 30)

    async def blocking() -> None:
        client = connect(server)
        (job,) = submit_held(client, 1)
        await asyncio.wait_for(cancel(client, job), 30)

    def script(asked: Asked) -> Answer:
        if asked.path == "/v1/jobs" and asked.method == "POST":
            described = made(1, labels=asked.json()["labels"])
            fleet.jobs[described["id"]] = described
            return Answer(202, described)
        return fleet(asked)

    fleet = Fleet(hold=True)
    server = serve(script)
    asyncio.run(blocking() if how == "job" else main())
