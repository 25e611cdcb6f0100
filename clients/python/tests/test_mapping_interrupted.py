"""Maps that are interrupted while a submission is under way: its jobs are cancelled, too."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from scripted import KEY, Answer, Asked, Scripted
from test_watch import Fleet

import slipway

Serve = Callable[[Callable[[Asked], Answer]], Scripted]
Connect = Callable[..., slipway.Client]


class Hesitating:
    """A gateway that has a batch, and does not answer before the caller was interrupted.

    Parameters
    ----------
    number
        Which of the batches, from 0 on.
    interrupt
        Interrupts the caller.
    """

    def __init__(self, number: int, interrupt: Callable[[], object]) -> None:
        self.fleet = Fleet(hold=True)
        self._number = number
        self._interrupt = interrupt
        self._answers: dict[str, Answer] = {}
        self._over = threading.Event()

    def __call__(self, asked: Asked) -> Answer:
        """Answer a request."""
        if asked.path != "/v1/jobs/batch":
            return self.fleet(asked)
        key = asked.headers["idempotency-key"]
        if key in self._answers:
            self._over.set()
            return self._answers[key]
        answer = self._answers[key] = self.fleet(asked)
        if len(self._answers) == self._number + 1:
            self._interrupt()
            self._over.wait(10)
        return answer

    def check(self, count: int) -> None:
        """Wait until all of so many jobs were cancelled."""
        expected = set(self.fleet.jobs)
        assert len(expected) == count
        deadline = time.monotonic() + 20
        while set(self.fleet.cancelled) != expected:
            assert time.monotonic() < deadline, len(self.fleet.cancelled)
            time.sleep(0.01)


@pytest.fixture(autouse=True)
def interrupts() -> Iterator[None]:
    """Have SIGINT raise KeyboardInterrupt, also where a shell began the tests in its background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [0, 1])
def test_an_interrupted_map_cancels_what_the_gateway_has(
    serve: Serve, connect: Connect, number: int
) -> None:
    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    gateway = Hesitating(number, interrupt)
    client = connect(serve(gateway))
    with pytest.raises(KeyboardInterrupt):
        list(client.map(int, range(130)))
    gateway.check(100 + 30 * number)


@pytest.mark.parametrize("number", [0, 1])
def test_a_cancelled_map_cancels_what_the_gateway_has(
    serve: Serve, number: int
) -> None:
    async def main() -> None:
        async with slipway.AsyncClient(server.url, KEY) as client:

            async def read() -> list[Any]:
                return [value async for value in client.map(int, range(130))]

            reading = asyncio.create_task(read())
            await asyncio.to_thread(hesitates.wait, 20)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            assert not client._session.watcher._own._expected

    hesitates = threading.Event()
    gateway = Hesitating(number, hesitates.set)
    server = serve(gateway)
    asyncio.run(main())
    gateway.check(100 + 30 * number)


def test_an_interrupted_map_does_not_wait_for_a_gateway_that_went_away(
    serve: Serve, connect: Connect
) -> None:
    def script(asked: Asked) -> Answer:
        if asked.path == "/v1/jobs/batch":
            if not interrupted.is_set():
                interrupted.set()
                os.kill(os.getpid(), signal.SIGINT)
            server.closing.wait(60)
        return fleet(asked)

    fleet = Fleet(hold=True)
    interrupted = threading.Event()
    server = serve(script)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        connect(server).map(int, range(40))
    assert time.monotonic() - began < 15
