"""Requests that fail, and that no job runs twice for it."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable

import pytest
from scripted import KEY, Answer, Asked, Executions, Scripted, job, packed, problem

import slipway

Serve = Callable[[Callable[[Asked], Answer]], Scripted]
Connect = Callable[..., slipway.Client]


def test_a_connection_cut_after_the_request_runs_the_job_once(
    serve: Serve, connect: Connect
) -> None:
    executions = Executions()
    numbers = itertools.count()

    def script(asked: Asked) -> Answer:
        submitted = executions.submit(asked)
        return Answer(cut="before") if next(numbers) < 2 else Answer(200, submitted)

    server = serve(script)
    assert connect(server).run(lambda a, b: a * b, 6, b=7) == 42
    assert executions.count == 1
    assert server.paths() == ["POST /v1/jobs"] * 3
    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 1
    assert len({asked.body for asked in server.asked}) == 1


def test_an_answer_that_comes_too_late_runs_the_job_once(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipway._calls._SPARE_SECONDS", 0.3)
    executions = Executions()
    numbers = itertools.count()
    late = threading.Event()

    def script(asked: Asked) -> Answer:
        submitted = executions.submit(asked)
        if next(numbers) == 0:
            late.wait(20)
        else:
            late.set()
        return Answer(200, submitted)

    assert connect(serve(script)).submit(lambda: "once").result() == "once"
    assert executions.count == 1


def test_each_submission_has_a_key_of_its_own(serve: Serve, connect: Connect) -> None:
    executions = Executions()
    server = serve(lambda asked: Answer(202, executions.submit(asked)))
    client = connect(server)
    client.submit(int)
    client.submit(int)
    assert executions.count == 2


@pytest.mark.parametrize(
    "refusal",
    [
        problem(503, "unavailable", Retry_After="0"),
        problem(503, "unavailable", Retry_After="not a number"),
        problem(429, "too-many-jobs", Retry_After="0"),
        problem(409, "key-in-flight", Retry_After="0"),
        problem(502, "bad-gateway"),
    ],
    ids=["503", "503-odd", "429", "409", "502"],
)
def test_a_gateway_that_is_busy_is_asked_again(
    serve: Serve, connect: Connect, refusal: Answer
) -> None:
    executions = Executions()
    numbers = itertools.count()
    server = serve(
        lambda asked: (
            refusal if next(numbers) == 0 else Answer(202, executions.submit(asked))
        )
    )
    assert connect(server).submit(lambda: 1).result() == 1
    assert len(server.asked) == 2


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_patience_ends(serve: Serve, connect: Connect, status: int) -> None:
    server = serve(lambda _: problem(status, "any", "draining", Retry_After="1"))
    with pytest.raises(slipway.Unavailable, match="draining") as caught:
        connect(server, retry_seconds=0.5).submit(int)
    assert caught.value.status == status
    assert len(server.asked) == 1  # The gateway asked for more time than there is.


REDIRECTED: list[Callable[[slipway.Client], object]] = [
    lambda client: client.submit(int),
    lambda client: list(client.map(int, [1])),
    lambda client: client._session.transport.run(client._session.calls.delete("job_1")),
    lambda client: client._session.transport.run(
        client._session.calls.logs("job_1", "stdout")
    ),
    lambda client: next(client.events()),
]


@pytest.mark.parametrize("call", REDIRECTED)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_refusal(
    serve: Serve,
    connect: Connect,
    call: Callable[[slipway.Client], object],
    status: int,
) -> None:
    moved = Answer(status, b"<html>moved</html>", {"Location": "https://gw.example/"})
    server = serve(lambda _: moved)
    with pytest.raises(slipway.APIError, match="to https://gw.example/;") as caught:
        call(connect(server))
    assert caught.value.status == status


def test_nobody_there() -> None:
    with (
        slipway.Client("http://127.0.0.1:9", KEY, retry_seconds=0.3) as client,
        pytest.raises(slipway.Unavailable, match="no answer after") as caught,
    ):
        client.submit(int)
    assert caught.value.status == 0
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused(serve: Serve, connect: Connect, status: int) -> None:
    server = serve(lambda _: problem(status, "unauthorized", "The key is unknown."))
    with pytest.raises(slipway.AuthenticationError, match="The key is unknown"):
        connect(server).submit(int)
    assert len(server.asked) == 1


def test_a_problem_document_says_every_fault(serve: Serve, connect: Connect) -> None:
    faults = [
        {
            "pointer": "/env/LD_PRELOAD",
            "code": "not-allowed",
            "detail": "cannot be set",
        },
        {"pointer": "/timeout", "code": "out-of-range"},
    ]
    body = {
        "type": "/problems/invalid-request",
        "detail": "2 faults.",
        "errors": faults,
    }
    server = serve(lambda _: Answer(422, body))
    with pytest.raises(slipway.APIError) as caught:
        connect(server).submit(int)
    assert caught.value.status == 422
    assert caught.value.problem == body
    assert "/env/LD_PRELOAD: cannot be set" in str(caught.value)
    assert "/timeout: out-of-range" in str(caught.value)


def test_an_answer_that_is_no_json(serve: Serve, connect: Connect) -> None:
    server = serve(lambda _: Answer(200, b"<html>a proxy</html>"))
    with pytest.raises(slipway.SlipwayError, match="no JSON object"):
        connect(server).submit(int)
    server = serve(lambda _: Answer(500, b"<html>a proxy</html>"))
    with pytest.raises(slipway.APIError, match="a proxy"):
        connect(server).submit(int)


def test_a_missing_job(serve: Serve, connect: Connect) -> None:
    server = serve(lambda _: problem(404, "not-found"))
    with pytest.raises(slipway.NotFound):
        connect(server).job("job_0001")
    with pytest.raises(ValueError, match="no job's id"):
        connect(server).job("../admin/tenants")


def test_connections_are_kept_alive(serve: Serve, connect: Connect) -> None:
    server = serve(lambda _: Answer(200, job(1)))
    client = connect(server)
    for _ in range(5):
        client.job("job_0001")
    view = client.options(memory="1g")
    view.job("job_0001")
    assert server.connections == 1


def test_the_end_of_a_callers_wait_runs_nothing_again(
    serve: Serve, connect: Connect
) -> None:
    executions = Executions()
    ended = threading.Event()

    def script(asked: Asked) -> Answer:
        if asked.method == "POST":
            executions.submit(asked)
            return Answer(202, job(1))
        if ended.is_set():
            return Answer(200, job(1, "completed", result=packed("late")))
        return Answer(200, job(1, "running"))

    server = serve(script)
    submitted = connect(server).submit(int)
    with pytest.raises(slipway.WaitTimeout):
        submitted.result(timeout=0)
    with pytest.raises(TimeoutError):
        submitted.exception(timeout=0.05)
    assert submitted.wait(0) is False
    ended.set()
    assert submitted.result() == "late"
    assert executions.count == 1
    assert server.paths().count("POST /v1/jobs") == 1


def test_a_wait_ends_in_time_while_the_gateway_is_away(
    serve: Serve, connect: Connect
) -> None:
    server = serve(
        lambda asked: (
            Answer(202, job(1)) if asked.method == "POST" else Answer(cut="before")
        )
    )
    submitted = connect(server, retry_seconds=60).submit(int)
    with pytest.raises(slipway.WaitTimeout):
        submitted.result(timeout=0.3)


def test_a_wait_goes_on_across_a_restart(serve: Serve, connect: Connect) -> None:
    numbers = itertools.count()

    def script(asked: Asked) -> Answer:
        if asked.method == "POST":
            return Answer(202, job(1))
        if next(numbers) < 2:
            return Answer(cut="before")
        return Answer(200, job(1, "completed", result=packed([1])))

    assert connect(serve(script)).submit(int).result() == [1]


def test_cancel(serve: Serve, connect: Connect) -> None:
    def script(asked: Asked) -> Answer:
        if asked.path == "/v1/jobs/job_0002/cancel":
            return problem(409, "already-terminal")
        if asked.path.endswith("/cancel"):
            return Answer(202, job(1, "running", cancel_requested=True))
        return Answer(200, job(2 if "0002" in asked.path else 1, "running"))

    client = connect(serve(script))
    assert client.job("job_0001").cancel() is True
    assert client.job("job_0002").cancel() is False


def test_the_asynchronous_client_shares_all_that(serve: Serve) -> None:
    executions = Executions()
    numbers = itertools.count()

    def script(asked: Asked) -> Answer:
        submitted = executions.submit(asked)
        if next(numbers) == 0:
            return Answer(cut="before")
        if next(numbers) == 2:
            return problem(503, "unavailable", Retry_After="0")
        return Answer(200, submitted)

    server = serve(script)

    async def main() -> int:
        async with slipway.AsyncClient(server.url, KEY) as client:
            return int(await client.run(lambda: 7))

    assert asyncio.run(main()) == 7
    assert executions.count == 1


def test_a_proxy_of_the_environment_is_not_used_for_loopback(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert (
        connect(serve(lambda _: Answer(200, job(1)))).job("job_0001").id == "job_0001"
    )
