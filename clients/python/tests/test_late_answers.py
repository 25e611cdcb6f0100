"""Answers that come late or never: what is sent again, and for how long the caller waits."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from scripted import KEY, Answer, Asked, Executions, Scripted, job, packed, problem

import slipway

Serve = Callable[[Callable[[Asked], Answer]], Scripted]
Connect = Callable[..., slipway.Client]

LARGE = "x" * 200_000
COMMAND = {"kind": "command", "exit_code": 0}
ERROR = {"error": {"kind": "exception", "type": "ValueError", "message": "no"}}


class Late:
    """Runs each submission once for each key, and answers the first try never."""

    def __init__(self, tries: int = 1) -> None:
        self.executions = Executions()
        self.tries = tries
        self.over = threading.Event()
        self._numbers = itertools.count()

    def __call__(self, asked: Asked) -> Answer:
        """Answer a request."""
        if next(self._numbers) < self.tries:
            if asked.method == "POST":
                self.executions.submit(asked)
            self.over.wait(20)
        if asked.method == "GET":
            return Answer(200, job(1, "completed", result=packed("got")))
        return Answer(200, self.executions.submit(asked))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are waited for longer than a client of `retry_seconds=1` tries again."""
    monkeypatch.setattr("slipway._calls._SPARE_SECONDS", 1.5)
    monkeypatch.setattr("slipway._calls._WAIT_SECONDS", 0.2)


def test_an_answer_later_than_the_patience_runs_the_job_once(
    serve: Serve, connect: Connect, impatient: None
) -> None:
    late = Late()
    server = serve(late)
    client = connect(server, retry_seconds=1)
    assert client.submit(lambda: "once").result() == "once"
    late.over.set()
    assert late.executions.count == 1
    assert server.paths() == ["POST /v1/jobs"] * 2
    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 1


def test_an_event_loop_sends_it_again_too(serve: Serve, impatient: None) -> None:
    late = Late()
    server = serve(late)

    async def main() -> str:
        async with slipway.AsyncClient(server.url, KEY, retry_seconds=1) as client:
            submitted = await client.submit(lambda: "once")
            return str(await submitted)

    assert asyncio.run(main()) == "once"
    late.over.set()
    assert late.executions.count == 1
    assert server.paths() == ["POST /v1/jobs"] * 2


def test_a_wait_whose_answer_never_comes_is_asked_for_again(
    serve: Serve, connect: Connect, impatient: None
) -> None:
    late = Late(tries=0)
    client = connect(serve(late), retry_seconds=1)
    submitted = client.job("job_0001")
    submitted._info = job(1, "running")
    late.tries = 2  # The next one is the second request.
    assert submitted.result() == "got"
    late.over.set()


def test_late_answers_have_an_end(
    serve: Serve, connect: Connect, impatient: None
) -> None:
    late = Late(tries=100)
    server = serve(late)
    began = time.monotonic()
    with pytest.raises(slipway.Unavailable, match="no answer after 2 tries") as caught:
        connect(server, retry_seconds=1).submit(lambda: "once")
    assert time.monotonic() - began < 30
    late.over.set()
    # By hand, with the same key.
    again = connect(server, retry_seconds=1)
    late.tries = 0
    key = caught.value.idempotency_key
    assert key is not None
    submitted = again.options(idempotency_key=key).submit(lambda: "once")
    assert submitted.result() == "once"
    assert {asked.headers["idempotency-key"] for asked in server.asked} == {key}
    assert late.executions.count == 1
    first, *_, last = server.asked
    assert first.json()["labels"] == last.json()["labels"]


def test_a_key_of_the_callers_own(serve: Serve, connect: Connect) -> None:
    executions = Executions()
    server = serve(lambda asked: Answer(202, executions.submit(asked)))
    for _ in range(2):
        # Another client, as of another process.
        client = connect(server, trust="json").options(idempotency_key="order-17")
        client.submit(int)
    assert executions.count == 1
    first, second = server.asked
    assert first.headers["idempotency-key"] == "order-17"
    assert first.body == second.body

    async def main() -> None:
        async with slipway.AsyncClient(server.url, KEY, trust="json") as client:
            await client.options(idempotency_key="order-17").submit(int)

    asyncio.run(main())
    assert server.asked[-1].body == first.body
    for wrong in ("", "a b", "ä", "x" * 241):
        with pytest.raises(ValueError, match="no idempotency key"):
            connect(server).options(idempotency_key=wrong)


def test_a_key_for_many_calls(serve: Serve, connect: Connect) -> None:
    def script(asked: Asked) -> Answer:
        bodies = asked.json()["jobs"]
        if asked.headers["idempotency-key"] != "k":
            return problem(422, "invalid")
        return Answer(202, {"jobs": [job(n) for n in range(len(bodies))]})

    server = serve(script)
    client = connect(server).options(idempotency_key="k")
    with pytest.raises(slipway.APIError) as caught:
        client.submit_many([slipway.Call(int)] * 1001)
    assert [asked.headers["idempotency-key"] for asked in server.asked] == ["k", "k/1"]
    assert caught.value.idempotency_key == "k"
    with pytest.raises(slipway.APIError) as caught:
        connect(server).submit_many([slipway.Call(int)])
    assert caught.value.idempotency_key == server.asked[-1].headers["idempotency-key"]
    with pytest.raises(slipway.NotFound) as missing:
        connect(serve(lambda _: problem(404, "not-found"))).job("job_0001")
    assert missing.value.idempotency_key is None


def stalling(server: Scripted, where: str, **more: Any) -> Callable[[Asked], Answer]:
    """Return a gateway that ends a job at once and then stands still at an address."""

    def drip() -> Iterator[bytes]:
        yield b'{"media_type": "application/json", "value": "'
        while not server.closing.wait(0.2):
            yield b"x" * 10

    def script(asked: Asked) -> Answer:
        if asked.path.endswith(where):
            if where == "/result":
                return Answer(200, chunks=drip())
            server.closing.wait(20)
        if asked.path.endswith("/logs"):
            return Answer(200, b"text")
        if asked.method == "POST":
            return Answer(202, job(1, "running"))
        return Answer(200, job(1, **{"state": "completed", **more}))

    return script


@pytest.mark.parametrize(
    ("where", "more"),
    [
        ("/v1/jobs/job_0001", {}),
        ("/result", {}),
        ("/logs", COMMAND),
        ("/events", {"state": "error", **ERROR}),
    ],
    ids=["job", "result", "logs", "events"],
)
def test_the_callers_time_holds_whatever_stands_still(
    serve: Serve, connect: Connect, where: str, more: dict[str, Any]
) -> None:
    server = serve(lambda _: Answer(500))
    server.script = stalling(server, where, **more)
    submitted = connect(server, retry_seconds=30).submit(int)
    began = time.monotonic()
    with pytest.raises(slipway.WaitTimeout):
        submitted.result(timeout=0.5)
    assert time.monotonic() - began < 15, "a second more than asked for"

    async def main() -> None:
        async with slipway.AsyncClient(server.url, KEY) as client:
            submitted = await client.submit(int)
            began = time.monotonic()
            with pytest.raises(slipway.WaitTimeout):
                await submitted.result(timeout=0.5)
            assert time.monotonic() - began < 15

    asyncio.run(main())


def test_the_callers_time_holds_behind_a_proxy(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """httpx reads what comes over a proxy."""
    server = serve(lambda _: Answer(500))
    server.script = stalling(server, "/result")
    monkeypatch.setenv("HTTP_PROXY", server.url)
    with slipway.Client("http://gateway.invalid", KEY) as client:
        submitted = client.submit(int)
        began = time.monotonic()
        with pytest.raises(slipway.WaitTimeout):
            submitted.result(timeout=0.5)
        assert time.monotonic() - began < 15


def test_what_comes_in_time_is_there(serve: Serve, connect: Connect) -> None:
    def script(asked: Asked) -> Answer:
        if asked.path.endswith("/result"):
            return Answer(200, {"media_type": "application/json", "value": LARGE})
        return Answer(200, job(1, "completed"))

    server = serve(script)
    client = connect(server)
    assert client.job("job_0001").result(timeout=30) == LARGE
    # No connection was given up.
    assert client.job("job_0001").result(timeout=30) == LARGE
    assert server.connections == 1


def test_the_gateway_is_asked_up_to_the_callers_time(
    serve: Serve, connect: Connect
) -> None:
    """A gateway that asks for more patience than the caller has is tried once more."""
    busy = threading.Event()

    def script(asked: Asked) -> Answer:
        if asked.method == "POST":
            return Answer(202, job(1, "running"))
        if busy.is_set():
            return problem(503, "draining", Retry_After="20")
        return Answer(200, job(1, "completed", result=packed("there")))

    submitted = connect(serve(script), retry_seconds=30).submit(int)
    busy.set()
    threading.Timer(0.5, busy.clear).start()
    assert submitted.result(timeout=1) == "there"


def test_a_cancel_waits_five_seconds_for_its_answer(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    from slipway import _calls

    assert _calls._CANCEL_SECONDS == 5
    monkeypatch.setattr(_calls, "_CANCEL_SECONDS", 0.3)
    numbers = itertools.count()
    server = serve(lambda _: Answer(500))

    def script(asked: Asked) -> Answer:
        if asked.path.endswith("/cancel") and next(numbers) == 0:
            server.closing.wait(20)
        return Answer(202, job(1, "running"))

    server.script = script
    client = connect(server)
    submitted = client.submit(int)
    began = time.monotonic()
    assert submitted.cancel()
    assert time.monotonic() - began < 15


def test_a_stored_result_that_is_damaged(serve: Serve, connect: Connect) -> None:
    def script(asked: Asked) -> Answer:
        if asked.path.endswith(("/result", "/logs")):
            return problem(500, "artifact-corrupt", "They do not match.")
        return Answer(200, job(1, "completed"))

    server = serve(script)
    found = connect(server).job("job_0001")
    with pytest.raises(slipway.ArtifactCorrupt, match="do not match") as caught:
        found.logs()
    assert caught.value.job_id == found.id
    with pytest.raises(slipway.ArtifactCorrupt, match="do not match") as caught:
        next(found.logs(follow=True))
    with pytest.raises(slipway.ArtifactCorrupt, match="do not match") as caught:
        found.result()
    assert caught.value.job is found
    assert caught.value.kind == "artifact_corrupt"
    assert isinstance(found.exception(), slipway.ArtifactCorrupt)

    async def main() -> None:
        async with slipway.AsyncClient(server.url, KEY) as client:
            with pytest.raises(slipway.ArtifactCorrupt):
                await (await client.job("job_0001")).result()

    asyncio.run(main())


def test_output_that_does_not_come_for_long_is_waited_for(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipway._transport._STREAM_SECONDS", 0.05)
    for module in ("_streams", "_async_streams"):
        monkeypatch.setattr(f"slipway.{module}.RECONNECT_SECONDS", 0.001)
    asked = itertools.count()
    over = threading.Event()

    def output() -> Iterator[bytes]:
        if next(asked) % 30 != 29:
            over.wait(0.2)
        yield b"late\n"

    def script(request: Asked) -> Answer:
        if request.path.endswith("/logs"):
            return Answer(chunks=output())
        return Answer(200, job(1, "running"))

    server = serve(script)
    with slipway.Client(server.url, KEY) as client:
        assert "".join(client.job("job_0001").logs(follow=True)) == "late\n"

    async def follow() -> list[str]:
        async with slipway.AsyncClient(server.url, KEY) as client:
            found = await client.job("job_0001")
            return [text async for text in found.logs(follow=True)]

    assert "".join(asyncio.run(follow())) == "late\n"
    over.set()


def test_output_of_a_gateway_that_answers_no_more_is_unavailable(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipway._transport._STREAM_SECONDS", 0.02)
    monkeypatch.setattr("slipway._streams.RECONNECT_SECONDS", 0.001)
    over = threading.Event()

    def script(request: Asked) -> Answer:
        if request.path.endswith("/logs"):
            over.wait(10)
        return Answer(200, job(1, "running"))

    found = connect(serve(script)).job("job_0001")
    with pytest.raises(slipway.Unavailable):
        next(found.logs(follow=True))
    over.set()
