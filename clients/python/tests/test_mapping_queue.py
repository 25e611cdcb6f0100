"""Maps where the gateway's queue is short: they wait for their own jobs, and go on in smaller batches."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
from scripted import KEY, Answer, Asked, Scripted, problem
from test_watch import Fleet

import slipway

Serve = Callable[[Callable[[Asked], Answer]], Scripted]
Connect = Callable[..., slipway.Client]


class Short:
    """A gateway whose queue takes few jobs.

    Parameters
    ----------
    most
        How many unfinished ones.
    """

    def __init__(self, most: int) -> None:
        self.fleet = Fleet()
        self.most = most
        self.bodies: dict[str, bytes] = {}
        self.refused = 0
        self._lock = threading.Lock()

    def unfinished(self) -> int:
        """Return how many jobs are in the queue."""
        return sum(job["state"] == "queued" for job in list(self.fleet.jobs.values()))

    def __call__(self, asked: Asked) -> Answer:
        """Answer a request."""
        if asked.path != "/v1/jobs/batch":
            return self.fleet(asked)
        with self._lock:
            if self.unfinished() + len(asked.json()["jobs"]) > self.most:
                self.refused += 1
                return problem(429, "queue-full", Retry_After="60")
            assert asked.headers["idempotency-key"] not in self.bodies
            self.bodies[asked.headers["idempotency-key"]] = asked.body
            return self.fleet(asked)


@pytest.mark.parametrize("most", [1, 7, 100, 110])
@pytest.mark.parametrize("ordered", [False, True])
def test_a_map_goes_on_where_the_queue_is_short(
    serve: Serve, connect: Connect, most: int, ordered: bool
) -> None:
    gateway = Short(most)
    count = 40 if most == 1 else 300
    found = list(connect(serve(gateway)).map(int, range(count), ordered=ordered))
    assert (found if ordered else sorted(found)) == list(range(count))
    assert len(gateway.fleet.jobs) == count
    # Neither one by one, nor asking for room all the time.
    assert len(gateway.bodies) <= 2 + max(8 * count // most, count // 6)
    assert 0 < gateway.refused <= 8 + len(gateway.bodies)


def test_a_map_goes_on_in_an_event_loop_where_the_queue_is_short(serve: Serve) -> None:
    gateway = Short(7)

    async def main() -> list[int]:
        async with slipway.AsyncClient(serve(gateway).url, KEY) as client:
            return [value async for value in client.map(int, range(150))]

    assert asyncio.run(main()) == list(range(150))
    assert len(gateway.fleet.jobs) == 150 and gateway.refused


def test_the_first_result_of_a_map_does_not_keep_a_short_queue_empty(
    serve: Serve, connect: Connect
) -> None:
    gateway = Short(10)
    gateway.fleet.hold = True
    results = connect(serve(gateway)).map(int, range(60))
    found: list[int] = []
    reader = threading.Thread(target=lambda: found.extend(results))
    reader.start()
    deadline = time.monotonic() + 30
    while len(gateway.fleet.jobs) < 60 or gateway.unfinished() > 1:
        assert time.monotonic() < deadline, len(gateway.fleet.jobs)
        for job, info in list(gateway.fleet.jobs.items())[1:]:
            if info["state"] == "queued":
                gateway.fleet.finish(job)
        time.sleep(0.01)
    gateway.fleet.finish("job_0001")
    reader.join(20)
    assert found == list(range(60))


def test_a_map_does_not_wait_for_ever_for_a_queue_that_others_fill(
    serve: Serve, connect: Connect
) -> None:
    gateway = Short(0)
    client = connect(serve(gateway), retry_seconds=0.5)
    with pytest.raises(slipway.Unavailable, match="429"):
        client.map(int, range(20))


def test_a_map_goes_on_when_others_have_left_the_queue(
    serve: Serve, connect: Connect
) -> None:
    gateway = Short(1)
    gateway.fleet.hold = True
    results = connect(serve(gateway)).map(int, range(20), ordered=False)
    gateway.fleet.hold = False
    # The first job goes on while the queue gets room for others.
    threading.Timer(0.5, setattr, [gateway, "most", 50]).start()
    found = [next(results) for _ in range(19)]
    gateway.fleet.finish("job_0001")
    assert sorted([*found, next(results)]) == list(range(20))
