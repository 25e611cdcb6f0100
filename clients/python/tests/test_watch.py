"""Waiting for many jobs: over the event stream, when it breaks, and without one."""

from __future__ import annotations

import asyncio
import itertools
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from scripted import Answer, Asked, Scripted, call_of, job, packed, pickled, problem

import slipway

Serve = Callable[[Callable[[Asked], Answer]], Scripted]
Connect = Callable[..., slipway.Client]


class Fleet:
    """A gateway that runs each job at once, or when it is told to.

    Attributes
    ----------
    hold
        Submitted jobs stay queued until `finish`.
    early
        Jobs end, and the stream says so, before the submission is answered.
    stream
        Whether there is a stream of all jobs.
    described
        Whether the last events carry the jobs' descriptions.
    """

    def __init__(
        self,
        hold: bool = False,
        early: bool = False,
        stream: bool = True,
        described: bool = True,
    ) -> None:
        self.hold = hold
        self.early = early
        self.stream = stream
        self.described = described
        self.jobs: dict[str, dict[str, Any]] = {}
        self.tasks: dict[str, Any] = {}
        self.streams: list[queue.Queue[dict[str, Any] | bytes | None | str]] = []
        self.resumed: list[str | None] = []
        self.cancelled: list[str] = []
        self.opened = threading.Semaphore(0)
        self.drop_events = False
        self._numbers = itertools.count(1)
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> Answer:
        """Answer a request."""
        parts = asked.path.split("/")
        if asked.path == "/v1/jobs/batch":
            return self._submit(asked)
        if asked.path == "/v1/events":
            return self._events(asked) if self.stream else problem(404, "not-found")
        if asked.path == "/v1/jobs":
            active = [j for j in self.jobs.values() if j["state"] == "queued"]
            return Answer(200, {"jobs": active, "next_cursor": None})
        if parts[-1] == "cancel":
            self.cancelled.append(parts[-2])
            return Answer(202, self.jobs[parts[-2]])
        if parts[-1] == "events":
            lines = [json.dumps({"type": "log"}).encode() + b"\n"]
            return Answer(200, chunks=iter(lines))
        if parts[-1] == "result":
            return Answer(200, self.jobs[parts[-2]]["result"])
        if parts[-1] not in self.jobs:
            return problem(404, "not-found")
        return Answer(200, self.jobs[parts[-1]])

    def _submit(self, asked: Asked) -> Answer:
        made = []
        for body in asked.json()["jobs"]:
            number = next(self._numbers)
            described = job(number, labels=body["labels"])
            self.jobs[described["id"]] = described
            self.tasks[described["id"]] = body["task"]
            made.append(dict(described))
        if self.early:
            for described in made:
                self.finish(described["id"])
        elif not self.hold:
            for described in made:
                threading.Timer(0.01, self.finish, [described["id"]]).start()
        return Answer(202, {"jobs": made})

    def finish(self, job_id: str) -> None:
        """Run a job and tell the streams."""
        described = dict(self.jobs[job_id])
        event: dict[str, Any] = {"type": "job_update", "job_id": job_id, "attempt": 1}
        try:
            result = pickled(call_of(self.tasks[job_id]))
            described.update(state="completed", result=result)
            event.update(status="completed", result=result)
        except ArithmeticError as error:
            said = {
                "kind": "exception",
                "type": type(error).__name__,
                "message": str(error),
            }
            described.update(state="error", error=said)
            event.update(status="error", error=said)
        self.jobs[job_id] = described
        if self.described:
            event["job"] = {k: v for k, v in described.items() if k != "result"}
        self.tell(event)

    def tell(self, event: dict[str, Any]) -> None:
        """Send an event to whoever listens."""
        with self._lock:
            event = {**event, "stream_id": next(self._ids)}
            if not self.drop_events:
                for stream in self.streams:
                    stream.put(event)

    def break_streams(self) -> None:
        """Cut the connections of all streams."""
        with self._lock:
            for stream in self.streams:
                stream.put("cut")
            self.streams.clear()

    def _events(self, asked: Asked) -> Answer:
        self.resumed.append(asked.headers.get("last-event-id"))
        stream: queue.Queue[Any] = queue.Queue()
        with self._lock:
            self.streams.append(stream)

        def lines() -> Iterator[bytes]:
            yield b"\n"
            self.opened.release()
            while True:
                try:
                    event = stream.get(timeout=0.05)
                except queue.Empty:
                    yield b"\n"
                    continue
                if event == "cut":
                    yield b'{"type": "job_up'
                    return
                if isinstance(event, bytes):
                    yield event
                    continue
                yield json.dumps(event).encode() + b"\n"

        return Answer(200, chunks=lines(), cut="within")


def submit_held(client: slipway.Client, count: int) -> list[slipway.Job]:
    """Submit jobs that return their number."""
    return client.submit_many(slipway.Call(int, (n,)) for n in range(count))


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("ordered", [False, True])
def test_a_map_reads_its_results_from_the_stream(
    serve: Serve, connect: Connect, early: bool, ordered: bool
) -> None:
    fleet = Fleet(early=early)
    server = serve(fleet)
    found = list(connect(server).map(lambda x: x * x, range(250), ordered=ordered))
    assert (found if ordered else sorted(found)) == [x * x for x in range(250)]
    assert server.paths().count("POST /v1/jobs/batch") == 2
    assert server.paths().count("GET /v1/events") == 1
    assert not [p for p in server.paths() if p.startswith("GET /v1/jobs")]


def test_without_a_stream_jobs_are_asked_for(serve: Serve, connect: Connect) -> None:
    server = serve(Fleet(stream=False))
    client = connect(server)
    assert list(client.map(str, range(30))) == [str(x) for x in range(30)]
    assert list(client.map(str, range(30))) == [str(x) for x in range(30)]
    assert server.paths().count("GET /v1/events") == 1


def test_chunks(serve: Serve, connect: Connect) -> None:
    server = serve(Fleet())
    client = connect(server)
    assert list(client.map(pow, range(25), itertools.repeat(2), chunksize=10)) == [
        x * x for x in range(25)
    ]
    (batch,) = [a for a in server.asked if a.path == "/v1/jobs/batch"]
    assert len(batch.json()["jobs"]) == 3
    with pytest.raises(ValueError, match="chunksize"):
        client.map(int, [1], chunksize=0)


def test_an_empty_map(serve: Serve, connect: Connect) -> None:
    server = serve(Fleet())
    assert list(connect(server).map(int, [])) == []
    assert server.asked == []


def test_a_map_reads_an_endless_iterable_no_further_than_needed(
    serve: Serve, connect: Connect
) -> None:
    numbers = itertools.count()
    fleet = Fleet()
    results = connect(serve(fleet)).map(int, numbers)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    results.close()  # type: ignore[attr-defined]
    assert next(numbers) < 4000


@pytest.mark.parametrize("described", [False, True])
def test_a_failure_ends_a_map_and_cancels_the_rest(
    serve: Serve, connect: Connect, described: bool
) -> None:
    fleet = Fleet(hold=True, described=described)
    results = connect(serve(fleet)).map(lambda x: 1 // (x - 1), range(4))
    fleet.opened.acquire()
    fleet.finish("job_0001")
    fleet.finish("job_0002")
    assert next(results) == -1
    with pytest.raises(slipway.TaskError, match="ZeroDivisionError"):
        next(results)
    assert sorted(fleet.cancelled) == ["job_0003", "job_0004"]


def test_jobs_come_as_they_end(serve: Serve, connect: Connect) -> None:
    fleet = Fleet(hold=True)
    client = connect(serve(fleet))
    jobs = submit_held(client, 3)
    ended = client.as_completed(jobs)
    for number in (3, 1, 2):
        threading.Timer(0.02, fleet.finish, [f"job_{number:04}"]).start()
        found = next(ended)
        assert found is jobs[number - 1]
        assert found.result() == number - 1
    assert next(ended, None) is None


def test_jobs_that_ended_before_the_stream_began(
    serve: Serve, connect: Connect
) -> None:
    fleet = Fleet(hold=True)
    client = connect(serve(fleet))
    jobs = submit_held(client, 30)
    for each in jobs:
        fleet.finish(each.id)
    assert client.gather(jobs) == list(range(30))


def test_a_job_that_is_there_twice(serve: Serve, connect: Connect) -> None:
    fleet = Fleet(hold=True)
    client = connect(serve(fleet))
    (first,) = submit_held(client, 1)
    second = client.job(first.id)
    threading.Timer(0.05, fleet.finish, [first.id]).start()
    assert set(client.as_completed([first, second])) == {first, second}
    assert second.result() == 0


def test_jobs_of_another_client(serve: Serve, connect: Connect) -> None:
    fleet = Fleet(hold=True)
    server = serve(fleet)
    jobs = submit_held(connect(server), 3)
    other = connect(server)
    theirs = [other.job(each.id) for each in jobs]
    threading.Timer(0.05, lambda: [fleet.finish(each.id) for each in jobs]).start()
    assert other.gather(theirs) == [0, 1, 2]


def test_a_broken_stream_goes_on_where_it_was(serve: Serve, connect: Connect) -> None:
    fleet = Fleet(hold=True)
    client = connect(serve(fleet))
    jobs = submit_held(client, 3)
    ended = client.as_completed(jobs)
    threading.Timer(0.05, fleet.finish, ["job_0001"]).start()
    assert next(ended).result() == 0
    fleet.opened.acquire()
    fleet.break_streams()
    fleet.finish("job_0002")  # While nobody listens.
    assert next(ended).result() == 1
    fleet.opened.acquire()
    fleet.finish("job_0003")
    assert next(ended).result() == 2
    assert fleet.resumed == [None, "1"]


def test_after_a_gap_jobs_are_asked_for(serve: Serve, connect: Connect) -> None:
    fleet = Fleet(hold=True)
    client = connect(serve(fleet))
    jobs = submit_held(client, 25)
    ended = client.as_completed(jobs)
    threading.Timer(0.05, fleet.finish, ["job_0001"]).start()
    next(ended)
    fleet.drop_events = True
    fleet.finish("job_0002")
    fleet.drop_events = False
    fleet.tell({"type": "gap"})
    assert next(ended) is jobs[1]


def test_events_of_others_and_unknown_ones_are_passed_over(
    serve: Serve, connect: Connect
) -> None:
    fleet = Fleet(hold=True)
    client = connect(serve(fleet))
    jobs = submit_held(client, 1)
    callback: queue.SimpleQueue[slipway.Job] = queue.SimpleQueue()
    jobs[0].add_done_callback(callback.put)
    fleet.opened.acquire()
    fleet.tell({"type": "job_update", "job_id": "job_9999", "status": "completed"})
    fleet.tell({"type": "job_update", "job_id": "job_0001", "status": "running"})
    fleet.tell({"type": "of_a_later_gateway"})
    fleet.finish("job_0001")
    assert callback.get(timeout=10) is jobs[0]
    assert jobs[0].ended


def test_a_large_result_is_fetched(serve: Serve, connect: Connect) -> None:
    fleet = Fleet(hold=True)
    server = serve(fleet)
    client = connect(server)
    (submitted,) = submit_held(client, 1)
    ended = client.as_completed([submitted])
    described = {**fleet.jobs["job_0001"], "state": "completed"}
    fleet.jobs["job_0001"] = {**described, "result": packed("large")}
    threading.Timer(
        0.05,
        fleet.tell,
        [{"type": "job_update", "job_id": "job_0001", "status": "completed"}],
    ).start()
    next(ended)
    assert submitted.result() == "large"


def test_a_wait_for_many_ends(serve: Serve, connect: Connect) -> None:
    fleet = Fleet(hold=True)
    client = connect(serve(fleet))
    jobs = submit_held(client, 2)
    with pytest.raises(slipway.WaitTimeout, match="2 jobs"):
        next(client.as_completed(jobs, timeout=0.1))


def test_a_gateway_that_goes_away_for_good(serve: Serve, connect: Connect) -> None:
    fleet = Fleet(hold=True)
    away = threading.Event()
    server = serve(
        lambda asked: Answer(cut="before") if away.is_set() else fleet(asked)
    )
    client = connect(server, retry_seconds=0.3)
    ended = client.as_completed(submit_held(client, 1))
    threading.Timer(0.1, lambda: (away.set(), fleet.break_streams())).start()
    with pytest.raises(slipway.Unavailable):
        next(ended)


def test_closing_ends_what_waits(serve: Serve, connect: Connect) -> None:
    fleet = Fleet(hold=True)
    client = connect(serve(fleet))
    jobs = submit_held(client, 1)
    called: queue.SimpleQueue[slipway.Job] = queue.SimpleQueue()
    jobs[0].add_done_callback(called.put)
    fleet.opened.acquire()
    client.close()
    assert called.get(timeout=10) is jobs[0]
    assert not jobs[0].ended
    jobs[0].add_done_callback(called.put)
    assert called.get(timeout=10) is jobs[0]
    with pytest.raises(slipway.ClientClosed):
        client.gather(jobs)


def test_a_callback_that_fails_hurts_nobody(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    fleet = Fleet(hold=True)
    client = connect(serve(fleet))
    jobs = submit_held(client, 2)
    jobs[0].add_done_callback(lambda _: 1 / 0)
    ended = client.as_completed(jobs)
    fleet.opened.acquire()
    for each in jobs:
        fleet.finish(each.id)
    assert len(list(ended)) == 2
    # The watcher calls back after it has told of the end.
    deadline = time.monotonic() + 60
    while "ZeroDivisionError" not in caplog.text:
        assert time.monotonic() < deadline, "the failure of a callback was not logged"
        time.sleep(0.01)


def test_events_of_all_jobs(serve: Serve, connect: Connect) -> None:
    fleet = Fleet(hold=True)
    server = serve(fleet)
    events = connect(server).events(label=["team:a", "k:v"], results=True)
    teller = threading.Thread(
        target=lambda: (fleet.opened.acquire(), fleet.tell({"type": "node_update"}))
    )
    teller.start()
    assert next(events)["type"] == "node_update"
    teller.join()
    assert server.asked[0].query == {"label": "team:a,k:v", "results": "true"}


def test_many_jobs_are_awaited_at_a_time(serve: Serve, connect: Connect) -> None:
    fleet = Fleet(hold=True)
    client = connect(serve(fleet))
    jobs = submit_held(client, 60)

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, fleet.opened.acquire)
        waiting = asyncio.gather(*jobs)
        # The last first: no wait may stand in the way of another.
        for each in reversed(jobs):
            loop.call_later(0.2, fleet.finish, each.id)
        return await waiting

    assert asyncio.run(main()) == list(range(60))


def test_the_end_of_a_job_brings_its_description(
    serve: Serve, connect: Connect
) -> None:
    fleet = Fleet(hold=True)
    server = serve(fleet)
    client = connect(server)
    (submitted,) = submit_held(client, 1)
    ended = client.as_completed([submitted])
    threading.Timer(0.05, fleet.finish, ["job_0001"]).start()
    next(ended)
    asked = len(server.asked)
    assert submitted.result() == 0
    assert submitted.info["timings"] == {"run": 0.001, "total": 0.002}
    assert len(server.asked) == asked
