"""What must not end the threads that others wait for: callbacks, and lines that are no events."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable

import pytest
from scripted import Answer, Asked, Scripted
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
