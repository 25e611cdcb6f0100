"""What an executor makes of answers that are about one job, and of those that pass."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, wait
from typing import Any

import pytest
from gateway import Gateway
from scripted import Answer, Asked, Scripted, problem
from test_watch import Fleet

import slipway
from slipway import executor_link
from slipway._steps import Patience
from slipway.executor import Executor

Serve = Callable[[Callable[[Asked], Answer]], Scripted]
Connect = Callable[..., slipway.Client]


def submitted(executor: Executor, count: int) -> list[Any]:
    """Submit calls whose numbers are those of their jobs, and wait until they are jobs."""
    futures = [executor.submit(pow, n, 2) for n in range(1, count + 1)]
    while not all(future.job for future in futures):
        time.sleep(0.01)
    return futures


def about(asked: Asked, number: int) -> bool:
    return asked.path.startswith(f"/v1/jobs/job_{number:04}")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_stream_that_is_refused_once_is_opened_again(
    serve: Serve, connect: Connect, status: int
) -> None:
    fleet = Fleet(hold=True)
    refused: list[int] = []

    def script(asked: Asked) -> Answer:
        if asked.path == "/v1/events" and len(refused) < 3:
            refused.append(status)
            return problem(status, "unavailable")
        return fleet(asked)

    with Executor(connect(serve(script))) as executor:
        futures = submitted(executor, 2)
        assert fleet.opened.acquire(timeout=20)
        assert not any(future.done() for future in futures)
        for future in futures:
            fleet.finish(future.job.id)
        assert [future.result(20) for future in futures] == [1, 4]
    assert len(refused) == 3


def test_without_a_stream_for_a_while_jobs_are_asked_for(
    serve: Serve, connect: Connect
) -> None:
    fleet = Fleet()

    def script(asked: Asked) -> Answer:
        if asked.path == "/v1/events":
            return problem(503, "unavailable", Retry_After="1")
        return fleet(asked)

    with Executor(connect(serve(script))) as executor:
        assert [f.result(20) for f in submitted(executor, 3)] == [1, 4, 9]


def test_a_stream_that_the_gateway_does_not_understand_is_as_none(
    serve: Serve, connect: Connect
) -> None:
    fleet = Fleet()

    def script(asked: Asked) -> Answer:
        if asked.path == "/v1/events":
            return problem(400, "bad-request", "unknown parameter: results")
        return fleet(asked)

    server = serve(script)
    with Executor(connect(server)) as executor:
        assert [f.result(20) for f in submitted(executor, 3)] == [1, 4, 9]
    assert server.paths().count("GET /v1/events") == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("list_too", [False, True])
def test_a_job_that_cannot_be_answered_for_fails_alone(
    serve: Serve, connect: Connect, stream: bool, list_too: bool
) -> None:
    # Without their descriptions the ends of jobs have to be asked for.
    fleet = Fleet(hold=True, stream=stream, described=False)
    damaged = threading.Event()

    def script(asked: Asked) -> Answer:
        if damaged.is_set():
            listed = asked.method == "GET" and asked.path == "/v1/jobs"
            if about(asked, 2) or (list_too and listed):
                return problem(500, "artifact-corrupt")
        return fleet(asked)

    with Executor(connect(serve(script))) as executor:
        futures = submitted(executor, 4)
        if stream:
            assert fleet.opened.acquire(timeout=20)
        damaged.set()
        for number in (1, 2, 3):
            fleet.finish(f"job_{number:04}")
        error = futures[1].exception(20)
        assert isinstance(error, slipway.ArtifactCorrupt)
        assert [futures[n].result(20) for n in (0, 2)] == [1, 9]
        assert not futures[3].done()
        fleet.finish("job_0004")
        assert futures[3].result(20) == 16


@pytest.mark.parametrize("status", [404, 500])
def test_a_job_whose_events_are_gone_fails_alone_and_by_its_texts(
    serve: Serve, connect: Connect, status: int
) -> None:
    fleet = Fleet(hold=True)

    def script(asked: Asked) -> Answer:
        if asked.path.endswith("/events") and about(asked, 1):
            return problem(status, "not-found")
        return fleet(asked)

    with Executor(connect(serve(script))) as executor:
        failing = executor.submit(divmod, 1, 0)
        while failing.job is None:
            time.sleep(0.01)
        other = executor.submit(pow, 2, 3)
        while other.job is None:
            time.sleep(0.01)
        assert fleet.opened.acquire(timeout=20)
        fleet.finish("job_0001")
        error = failing.exception(20)
        assert type(error) is slipway.TaskError
        assert error.remote_type == "ZeroDivisionError"
        assert not other.done()
        fleet.finish("job_0002")
        assert other.result(20) == 8


def ended(fleet: Fleet, job_id: str) -> None:
    """Let a job be cancelled as the gateway does it."""
    fleet.jobs[job_id] = {**fleet.jobs[job_id], "state": "cancelled"}
    described = fleet.jobs[job_id]
    fleet.tell(
        {
            "type": "job_update",
            "job_id": job_id,
            "attempt": 1,
            "status": "cancelled",
            "job": described,
        }
    )


@pytest.mark.parametrize(("status", "slug"), [(404, "not-found"), (500, "internal")])
@pytest.mark.parametrize("kill", [False, True])
def test_a_job_that_cannot_be_cancelled_keeps_none_of_the_others(
    serve: Serve, connect: Connect, status: int, slug: str, kill: bool
) -> None:
    fleet = Fleet(hold=True)
    left: set[str] = set()

    def script(asked: Asked) -> Answer:
        if about(asked, 2) and (status == 404 or asked.method == "POST"):
            return problem(status, slug)
        if asked.path.endswith("/cancel"):
            job_id = asked.path.split("/")[-2]
            left.discard(job_id)
            ended(fleet, job_id)
        return fleet(asked)

    with Executor(connect(serve(script))) as executor:
        futures = submitted(executor, 4)
        assert fleet.opened.acquire(timeout=20)
        left.update(fleet.jobs)
        if kill:
            for future in futures:
                executor._core.running(future.job.id)
            executor.terminate_workers()
        else:
            executor.shutdown(wait=False, cancel_futures=True)
        others = [futures[0], *futures[2:]]
        assert len(wait(others, 20).done) == 3
        assert left == {"job_0002"}
        if kill:
            assert isinstance(others[0].exception(), slipway.TaskCancelled)
        else:
            assert all(future.cancelled() for future in others)
        if status == 404:
            assert isinstance(futures[1].exception(20), slipway.NotFound)
        else:
            fleet.finish("job_0002")
            assert futures[1].result(20) == 4


@pytest.mark.parametrize("sized", [True, False])
def test_an_initializer_that_fails_breaks_the_executor_by_its_texts(
    serve: Serve, connect: Connect, sized: bool, caplog: Any
) -> None:
    fleet = Fleet(hold=True)
    text = "('the initializer of the executor failed', 'Traceback: at \\'home\\'')"
    with Executor(connect(serve(fleet), trust="json")) as executor:
        first, second = submitted(executor, 2)
        assert fleet.opened.acquire(timeout=20)
        said = {
            "kind": "exception",
            "type": "concurrent.futures._base.BrokenExecutor",
            "message": text if sized else "of the task's own",
            "traceback": "Traceback (most recent call last): in home",
        }
        fleet.jobs[first.job.id].update(state="error", error=said)
        described = fleet.jobs[first.job.id]
        event = {"type": "job_update", "job_id": first.job.id, "attempt": 1}
        fleet.tell({**event, "status": "error", "error": said, "job": described})
        error = first.exception(20)
        if not sized:
            assert isinstance(error, slipway.TaskError)
            assert "open" in repr(executor)
        else:
            assert isinstance(error, BrokenExecutor)
            with pytest.raises(BrokenExecutor):
                executor.submit(pow, 2, 3)
            assert "in home" in caplog.text
            assert "broken" in repr(executor)
        assert not second.done()
        fleet.finish(second.job.id)
        assert isinstance(second.exception(20), (slipway.TaskError, type(None)))


def test_an_initializer_that_fails_in_a_sandbox_that_is_not_trusted(
    gateway: Gateway,
) -> None:
    def prepare() -> None:
        raise LookupError("no such place")

    with (
        slipway.Client(gateway.url, gateway.key, trust="json") as client,
        Executor(client, initializer=prepare) as executor,
    ):
        error = executor.submit(pow, 2, 3).exception(60)
        assert isinstance(error, BrokenExecutor)
        assert "LookupError: no such place" in str(error.__cause__)
        with pytest.raises(BrokenExecutor):
            executor.submit(pow, 2, 3)


def test_what_an_executor_is_shown_as(serve: Serve, connect: Connect) -> None:
    fleet = Fleet(hold=True)
    with Executor(connect(serve(fleet)), max_workers=2) as executor:
        assert repr(executor).startswith(f"<Executor {executor.label} open, 0 waiting")
        futures = [executor.submit(pow, n, 2) for n in (1, 2, 3)]
        while not (futures[0].job and futures[1].job):
            time.sleep(0.01)
        executor._core.running("job_0001")
        assert "1 waiting, 1 queued, 1 running" in repr(executor)
        executor.shutdown(wait=False)
        assert "shut down" in repr(executor)
        for number in (1, 2, 3):
            while f"job_{number:04}" not in fleet.jobs:
                time.sleep(0.01)
            fleet.finish(f"job_{number:04}")


@pytest.mark.parametrize(
    ("status", "slug"),
    [(408, "timeout"), (409, "key-in-flight"), (429, "queue-full")],
)
def test_calls_that_may_be_jobs_already_are_not_sent_under_another_key(
    serve: Serve,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    slug: str,
) -> None:
    monkeypatch.setattr(executor_link, "_PATIENCE", Patience(0.3))
    keys: set[str] = set()
    begun, go = threading.Event(), threading.Event()

    def script(asked: Asked) -> Answer:
        if asked.path != "/v1/jobs/batch":
            return problem(404, "not-found")
        if len(asked.json()["jobs"]) == 1 and not begun.is_set():
            begun.set()
            go.wait(20)
            return problem(422, "invalid", "the first call, while the others gather")
        keys.add(asked.headers["idempotency-key"])
        return problem(status, slug, Retry_After="0.05")

    with Executor(connect(serve(script))) as executor:
        executor.submit(pow, 1, 1)
        assert begun.wait(20)
        futures = [executor.submit(pow, n, 2) for n in range(3)]
        go.set()
        errors = [future.exception(20) for future in futures]
    assert all(isinstance(error, slipway.APIError) for error in errors)
    assert [error.status for error in errors] == [status] * 3  # type: ignore[union-attr]
    assert len(keys) == 1
