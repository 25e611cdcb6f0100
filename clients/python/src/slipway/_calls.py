"""The calls of the REST interface as steps, in the order that an operation needs them."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import _results
from ._steps import Json, Patience, Request, Steps, answered
from .errors import ArtifactCorrupt, WaitTimeout

if TYPE_CHECKING:
    from ._description import Description

TERMINAL = frozenset(("completed", "error", "cancelled"))
NDJSON = "application/x-ndjson"
_WAIT_SECONDS = 30.0  # The gateway's own limit is 60; proxies cut silent answers.
_SPARE_SECONDS = 30.0
_GET_SECONDS = 15.0
_QUEUE_FULL = "queue-full"
_CANCEL_SECONDS = 5.0  # Somebody may stand still for it, such as an event loop.


@dataclass(frozen=True)
class CommandResult:
    """What a command left behind that ended with 0.

    Attributes
    ----------
    exit_code
        Always 0; another one is raised as `TaskExit`.
    stdout, stderr
        What it wrote, as far as the gateway keeps it.
    """

    exit_code: int
    stdout: str
    stderr: str


class Calls:
    """Makes the steps of each operation.

    Parameters
    ----------
    patience
        For how long requests are tried again.
    """

    def __init__(self, patience: Patience) -> None:
        self.patience = patience

    def submit(
        self, body: Json, wait: float = 0, key: str | None = None
    ) -> Steps[Json]:
        """``POST /v1/jobs``; return the job, with its result if it ended meanwhile."""
        key = key or uuid.uuid4().hex
        headers = {"idempotency-key": key}
        if wait > 0:
            headers["prefer"] = f"wait={int(min(wait, _WAIT_SECONDS))}"
        request = Request(
            "POST",
            "/v1/jobs",
            headers=headers,
            body=_encoded(body),
            patience=wait + _SPARE_SECONDS,
            key=key,
        )
        reply = yield from answered(request, self.patience)
        return reply.json()

    def batch(
        self,
        bodies: Sequence[bytes],
        key: str | None = None,
        number: int = 0,
        offset: int = 0,
        deadline: float | None = None,
    ) -> Steps[list[Json]]:
        """``POST /v1/jobs/batch`` of encoded jobs; return them in the same order.

        Parameters
        ----------
        bodies
            The jobs.
        key
            By which they can be sent again.
        number
            Which of the batches with this key it is, from 0 on.
        offset
            How many jobs of that batch were sent before, where the queue has no room for it as a whole.
        deadline
            When to stop trying.
        """
        request = _batch(bodies, key, number, offset, deadline)
        reply = yield from answered(request, self.patience)
        jobs: list[Json] = reply.json()["jobs"]
        return jobs

    def batch_if_room(
        self, bodies: Sequence[bytes], key: str, number: int, offset: int
    ) -> Steps[list[Json] | None]:
        """As `batch`; return nothing, at once, where the queue has no room for so many.

        Parameters
        ----------
        bodies, key, number, offset
            As for `batch`.
        """
        request = _batch(bodies, key, number, offset)
        reply = yield from answered(request, self.patience, accept=(_QUEUE_FULL,))
        return None if reply.status == 429 else reply.json()["jobs"]

    def get(
        self, job_id: str, wait: float = 0, deadline: float | None = None
    ) -> Steps[Json]:
        """``GET /v1/jobs/{id}``; return the job, with its result if it ended while waiting."""
        query = {"wait": f"{wait:.3f}"} if wait > 0 else {}
        # Who does not wait for a gateway that is away does not wait for a late answer.
        spare = min(_GET_SECONDS, max(self.patience.seconds, _CANCEL_SECONDS))
        request = Request(
            "GET", _path(job_id), query, patience=wait + spare, deadline=deadline
        )
        reply = yield from answered(request, self.patience, late=1)
        return reply.json()

    def ended(self, job_id: str, timeout: float | None) -> Steps[Json | None]:
        """Wait for a job; return it when it ended, or nothing when the time is over."""
        deadline = deadline_of(timeout)
        while True:
            wait = _WAIT_SECONDS
            if deadline is not None:
                # A wait of the gateway's of nothing at all would leave out the result.
                wait = max(0.001, min(wait, deadline - time.monotonic()))
            request = Request(
                "GET",
                _path(job_id),
                {"wait": f"{wait:.3f}"},
                patience=wait + _SPARE_SECONDS,
                deadline=deadline,
            )
            try:
                reply = yield from answered(request, self.patience)
            except WaitTimeout:
                return None
            info = reply.json()
            if info["state"] in TERMINAL:
                return info
            if deadline is not None and time.monotonic() >= deadline:
                return None

    def cancel(
        self, job_id: str, queued: bool = False, deadline: float | None = None
    ) -> Steps[tuple[bool, Json | None]]:
        """``POST /v1/jobs/{id}/cancel``; tell whether it was in time, and the job.

        Parameters
        ----------
        job_id
            Which job.
        queued
            Only if it has not started: one that has is left alone, and the answer is no.
        deadline
            When to stop trying.
        """
        request = Request(
            "POST",
            _path(job_id, "/cancel"),
            {"only": "queued"} if queued else {},
            patience=_CANCEL_SECONDS,
            deadline=deadline,
        )
        reply = yield from answered(request, self.patience, accept=(409,), late=1)
        return (False, None) if reply.status == 409 else (True, reply.json())

    def delete(self, job_id: str) -> Steps[None]:
        """``DELETE /v1/jobs/{id}``; one that is gone is no error."""
        request = Request("DELETE", _path(job_id))
        yield from answered(request, self.patience, accept=(404,))

    def page(
        self, query: Mapping[str, str], deadline: float | None = None
    ) -> Steps[Json]:
        """``GET /v1/jobs``; return one page."""
        request = Request("GET", "/v1/jobs", query, deadline=deadline)
        reply = yield from answered(request, self.patience)
        return reply.json()

    def logs(
        self, job_id: str, stream: str, deadline: float | None = None
    ) -> Steps[str]:
        """``GET /v1/jobs/{id}/logs``; return what is there."""
        query = {"stream": stream}
        request = Request("GET", _path(job_id, "/logs"), query, deadline=deadline)
        reply = yield from answered(request, self.patience)
        return reply.body.decode(errors="replace")

    def artifacts(self, job_id: str) -> Steps[list[Json]]:
        """``GET /v1/jobs/{id}/artifacts`` of a job that has ended."""
        request = Request("GET", _path(job_id, "/artifacts"))
        reply = yield from answered(request, self.patience)
        found: list[Json] = reply.json()["artifacts"]
        return found

    def past_events(
        self, job_id: str, deadline: float | None = None
    ) -> Steps[list[Json]]:
        """``GET /v1/jobs/{id}/events`` of a job that has ended."""
        headers = {"accept": NDJSON}
        path = _path(job_id, "/events")
        request = Request("GET", path, headers=headers, deadline=deadline)
        reply = yield from answered(request, self.patience)
        return [json.loads(line) for line in reply.body.splitlines() if line.strip()]

    def result(self, job_id: str, deadline: float | None = None) -> Steps[Json]:
        """``GET /v1/jobs/{id}/result`` of a job that has ended."""
        path = _path(job_id, "/result")
        request = Request("GET", path, patience=120, deadline=deadline)
        reply = yield from answered(request, self.patience)
        return reply.json()

    def outcome(
        self,
        info: Json,
        job: Description,
        trusted: bool,
        deadline: float | None = None,
    ) -> Steps[tuple[Any, BaseException | None]]:
        """Return the value of a job that has ended, or its exception.

        Parameters
        ----------
        info
            The job as the gateway describes it.
        job
            The same for the caller.
        trusted
            Whether pickles may be loaded.
        deadline
            When the caller's time is over, if it is limited.
        """
        try:
            return (yield from self._outcome(info, job, trusted, deadline))
        except ArtifactCorrupt as error:
            error.job = job
            return None, error

    def _outcome(
        self, info: Json, job: Description, trusted: bool, deadline: float | None
    ) -> Steps[tuple[Any, BaseException | None]]:
        if info["state"] == "completed":
            if info.get("kind") == "command":
                return (yield from self._command(info, deadline)), None
            result = info.get("result")
            if result is None:
                result = yield from self.result(info["id"], deadline)
            try:
                return _results.value_of(result, trusted, job), None
            except Exception as error:
                return None, error
        failure = _results.failure_of(info, job)
        if not trusted or failure.kind != "exception" or info.get("kind") != "callable":
            return None, failure
        events = yield from self.past_events(info["id"], deadline)
        return None, _results.exception_of(events, info, failure)

    def _command(self, info: Json, deadline: float | None) -> Steps[CommandResult]:
        out = yield from self.logs(info["id"], "stdout", deadline)
        err = yield from self.logs(info["id"], "stderr", deadline)
        return CommandResult(int(info.get("exit_code") or 0), out, err)


def deadline_of(timeout: float | None) -> float | None:
    """Return when so many seconds are over, on the clock of `time.monotonic`."""
    return None if timeout is None else time.monotonic() + max(0.0, timeout)


def _batch(
    bodies: Sequence[bytes],
    key: str | None,
    number: int,
    offset: int,
    deadline: float | None = None,
) -> Request:
    key = key or uuid.uuid4().hex
    # The first part has the key of the whole: sent again as a whole it is refused, not run twice.
    part = (f"/{number}" if number or offset else "") + (f".{offset}" if offset else "")
    return Request(
        "POST",
        "/v1/jobs/batch",
        headers={"idempotency-key": key + part},
        body=b'{"jobs":[' + b",".join(bodies) + b"]}",
        patience=120,
        deadline=deadline,
        key=key,
    )


def _encoded(body: Json) -> bytes:
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode()


def _path(job_id: str, more: str = "") -> str:
    # An id of the caller's must not become another path.
    if not job_id.replace("_", "").isalnum() or not job_id.isascii():
        raise ValueError(f"{job_id!r} is no job's id")
    return f"/v1/jobs/{job_id}{more}"
