"""How the executor learns what became of its jobs: from the event stream, when that breaks, and without one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from scripted import Answer, Asked, Scripted, problem
from test_watch import Fleet

import slipway
from slipway import executor_link
from slipway._steps import Patience
from slipway.executor import Executor

Serve = Callable[[Callable[[Asked], Answer]], Scripted]
Connect = Callable[..., slipway.Client]


def asked_for_jobs(server: Scripted) -> list[str]:
    return [path for path in server.paths() if path.startswith("GET /v1/jobs")]


def watched(executor: Executor, fleet: Fleet) -> None:
    """Wait until the executor's stream is open and it has asked for what was before."""
    assert fleet.opened.acquire(timeout=20)
    pause = threading.Event()
    watcher = executor._threads.threads[1]
    assert watcher.is_alive()
    pause.wait(0.2)


@pytest.mark.parametrize("early", [False, True])
def test_results_come_over_one_stream(
    serve: Serve, connect: Connect, early: bool
) -> None:
    fleet = Fleet(early=early)
    server = serve(fleet)
    with Executor(connect(server)) as executor:
        assert list(executor.map(pow, range(200), [2] * 200)) == [
            n * n for n in range(200)
        ]
        if not early:
            watched(executor, fleet)
        before = len(server.asked)
        futures = [executor.submit(pow, n, 3) for n in range(50)]
        assert [f.result(20) for f in futures] == [n**3 for n in range(50)]
        later = server.paths()[before:]
        assert not [p for p in later if p != "POST /v1/jobs/batch"] or early
    assert server.paths().count("GET /v1/events") == 1
    # The shutdown ended the stream: nothing is left that reads it.
    assert not any(thread.is_alive() for thread in executor._threads.threads)


def test_a_job_that_ends_before_the_stream_and_the_answer_to_its_submission(
    serve: Serve, connect: Connect
) -> None:
    fleet = Fleet(hold=True)
    batches: list[str] = []

    def script(asked: Asked) -> Answer:
        answer = fleet(asked)
        if asked.path == "/v1/jobs/batch":
            batches.append(asked.path)
            if len(batches) == 2:
                # It has ended before the stream begins, and the answer comes after that.
                fleet.finish("job_0002")
                assert fleet.opened.acquire(timeout=20)
                threading.Event().wait(0.3)
        if asked.path == "/v1/events":
            while len(batches) < 2 or "queued" in fleet.jobs["job_0002"]["state"]:
                threading.Event().wait(0.01)
            # Made before: it must not have heard of that end.
            fleet.streams.clear()
            answer = fleet(asked)
        return answer

    with Executor(connect(serve(script))) as executor:
        first = executor.submit(pow, 2, 3)
        while first.job is None:
            threading.Event().wait(0.01)
        second = executor.submit(pow, 2, 4)
        assert second.result(20) == 16
        fleet.finish("job_0001")
        assert first.result(20) == 8


def test_a_broken_stream_is_opened_again_and_misses_nothing(
    serve: Serve, connect: Connect
) -> None:
    fleet = Fleet(hold=True)
    server = serve(fleet)
    with Executor(connect(server)) as executor:
        futures = [executor.submit(pow, n, 2) for n in range(5)]
        watched(executor, fleet)
        fleet.finish("job_0001")
        assert futures[0].result(20) == 0
        fleet.break_streams()
        fleet.finish("job_0002")
        assert futures[1].result(20) == 1
        watched(executor, fleet)
        for number in (3, 4, 5):
            fleet.finish(f"job_{number:04}")
        assert [f.result(20) for f in futures] == [0, 1, 4, 9, 16]
    assert fleet.resumed[0] is None and fleet.resumed[1] is not None


def test_after_a_gap_everything_is_asked_for(serve: Serve, connect: Connect) -> None:
    fleet = Fleet(hold=True)
    with Executor(connect(serve(fleet))) as executor:
        futures = [executor.submit(pow, n, 2) for n in range(3)]
        watched(executor, fleet)
        fleet.drop_events = True
        for number in (1, 2, 3):
            fleet.finish(f"job_{number:04}")
        fleet.drop_events = False
        fleet.tell({"type": "gap"})
        assert [f.result(20) for f in futures] == [0, 1, 4]


def test_without_a_stream_jobs_are_polled(serve: Serve, connect: Connect) -> None:
    server = serve(Fleet(stream=False))
    with Executor(connect(server)) as executor:
        assert list(executor.map(pow, range(40), [2] * 40)) == [
            n * n for n in range(40)
        ]
    assert server.paths().count("GET /v1/events") == 1
    assert asked_for_jobs(server)


def test_a_job_that_somebody_deletes_is_not_found(
    serve: Serve, connect: Connect
) -> None:
    fleet = Fleet(hold=True, stream=False)
    with Executor(connect(serve(fleet))) as executor:
        future = executor.submit(pow, 2, 3)
        while future.job is None:
            threading.Event().wait(0.01)
        del fleet.jobs[future.job.id]
        assert isinstance(future.exception(20), slipway.NotFound)


def test_a_key_that_is_revoked_fails_what_is_outstanding(
    serve: Serve, connect: Connect
) -> None:
    fleet = Fleet(hold=True, stream=False)
    revoked = threading.Event()

    def script(asked: Asked) -> Answer:
        return problem(401, "unauthorized") if revoked.is_set() else fleet(asked)

    with Executor(connect(serve(script))) as executor:
        first = executor.submit(pow, 2, 3)
        while first.job is None:
            threading.Event().wait(0.01)
        revoked.set()
        assert isinstance(first.exception(20), slipway.AuthenticationError)
        second: Any = executor.submit(pow, 2, 3)
        assert isinstance(second.exception(20), slipway.AuthenticationError)


def test_a_lost_answer_to_a_batch_submits_nothing_twice(
    serve: Serve, connect: Connect
) -> None:
    fleet = Fleet()
    keys: list[str] = []
    answers: dict[str, Answer] = {}

    def script(asked: Asked) -> Answer:
        if asked.path != "/v1/jobs/batch":
            return fleet(asked)
        key = asked.headers["idempotency-key"]
        keys.append(key)
        if key not in answers:
            answers[key] = fleet(asked)
            return Answer(cut="before")
        return answers[key]

    with Executor(connect(serve(script))) as executor:
        assert executor.submit(pow, 2, 3).result(30) == 8
    assert len(keys) == 2 and len(fleet.jobs) == 1


def test_a_job_that_starts_or_ends_during_a_cancel_is_noticed(
    serve: Serve, connect: Connect
) -> None:
    fleet = Fleet(hold=True)

    def script(asked: Asked) -> Answer:
        if asked.method == "POST" and asked.path.endswith("/cancel"):
            # Its end is told while the cancel is on its way, and the stream says nothing more.
            fleet.finish(asked.path.split("/")[-2])
            threading.Event().wait(0.2)
            return problem(409, "already-terminal")
        return fleet(asked)

    with Executor(connect(serve(script))) as executor:
        future = executor.submit(pow, 2, 3)
        watched(executor, fleet)
        assert not future.cancel()
        assert future.done() and future.result() == 8


def test_a_gateway_that_is_away_does_not_hold_up_a_cancel_of_many(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_link, "_CANCEL_PATIENCE", Patience(seconds=0.2))
    fleet = Fleet(hold=True)
    away = threading.Event()
    asked_while_away: list[str] = []

    def script(asked: Asked) -> Answer:
        if away.is_set() and asked.path != "/v1/events":
            asked_while_away.append(asked.path)
            return problem(503, "unavailable")
        return fleet(asked)

    with Executor(connect(serve(script))) as executor:
        futures = [executor.submit(pow, n, 2) for n in range(50)]
        watched(executor, fleet)
        away.set()
        executor.shutdown(wait=False, cancel_futures=True)
        assert not any(future.done() for future in futures)
        assert len(set(asked_while_away)) == 1
        away.clear()
        for future in futures:
            assert future.job is not None
            fleet.finish(future.job.id)
        assert [f.result(20) for f in futures] == [n * n for n in range(50)]
