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
from .errors import Unavailable

if TYPE_CHECKING:
    from ._description import Description

TERMINAL = frozenset(("completed", "error", "cancelled"))
NDJSON = "application/x-ndjson"
_WAIT_SECONDS = 30.0  # The gateway's own limit is 60; proxies cut silent answers.
_SPARE_SECONDS = 30.0


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

    def submit(self, body: Json, wait: float = 0) -> Steps[Json]:
        """``POST /v1/jobs``; return the job, with its result if it ended meanwhile."""
        headers = _idempotent()
        if wait > 0:
            headers["prefer"] = f"wait={int(min(wait, _WAIT_SECONDS))}"
        request = Request(
            "POST",
            "/v1/jobs",
            headers=headers,
            body=_encoded(body),
            patience=wait + _SPARE_SECONDS,
        )
        reply = yield from answered(request, self.patience)
        return reply.json()

    def batch(self, bodies: Sequence[bytes]) -> Steps[list[Json]]:
        """``POST /v1/jobs/batch`` of encoded jobs; return them in the same order."""
        request = Request(
            "POST",
            "/v1/jobs/batch",
            headers=_idempotent(),
            body=b'{"jobs":[' + b",".join(bodies) + b"]}",
            patience=120,
        )
        reply = yield from answered(request, self.patience)
        jobs: list[Json] = reply.json()["jobs"]
        return jobs

    def get(self, job_id: str, wait: float = 0) -> Steps[Json]:
        """``GET /v1/jobs/{id}``; return the job, with its result if it ended while waiting."""
        query = {"wait": f"{wait:.3f}"} if wait > 0 else {}
        request = Request("GET", _path(job_id), query, patience=wait + _SPARE_SECONDS)
        reply = yield from answered(request, self.patience)
        return reply.json()

    def ended(self, job_id: str, timeout: float | None) -> Steps[Json | None]:
        """Wait for a job; return it when it ended, or nothing when the time is over."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            wait = _WAIT_SECONDS if left is None else min(left, _WAIT_SECONDS)
            # A wait of the gateway's of nothing at all would leave out the result.
            wait = max(wait, 0.001)
            request = Request(
                "GET",
                _path(job_id),
                {"wait": f"{wait:.3f}"},
                patience=wait + _SPARE_SECONDS,
            )
            patience = self.patience
            if left is not None and left < patience.seconds:
                patience = Patience(left, patience.first, patience.longest)
            try:
                reply = yield from answered(request, patience)
            except Unavailable:
                if deadline is not None and time.monotonic() >= deadline - 0.001:
                    return None
                if patience is not self.patience:
                    return None
                raise
            info = reply.json()
            if info["state"] in TERMINAL:
                return info
            if deadline is not None and time.monotonic() >= deadline:
                return None

    def cancel(
        self, job_id: str, queued: bool = False
    ) -> Steps[tuple[bool, Json | None]]:
        """``POST /v1/jobs/{id}/cancel``; tell whether it was in time, and the job.

        Parameters
        ----------
        job_id
            Which job.
        queued
            Only if it has not started: one that has is left alone, and the answer is no.
        """
        query = {"only": "queued"} if queued else {}
        request = Request("POST", _path(job_id, "/cancel"), query)
        reply = yield from answered(request, self.patience, accept=(409,))
        return (False, None) if reply.status == 409 else (True, reply.json())

    def delete(self, job_id: str) -> Steps[None]:
        """``DELETE /v1/jobs/{id}``; one that is gone is no error."""
        request = Request("DELETE", _path(job_id))
        yield from answered(request, self.patience, accept=(404,))

    def page(self, query: Mapping[str, str]) -> Steps[Json]:
        """``GET /v1/jobs``; return one page."""
        request = Request("GET", "/v1/jobs", query)
        reply = yield from answered(request, self.patience)
        return reply.json()

    def logs(self, job_id: str, stream: str, tail: int | None = None) -> Steps[str]:
        """``GET /v1/jobs/{id}/logs``; return what is there."""
        query = {"stream": stream}
        if tail is not None:
            query["tail"] = str(tail)
        request = Request("GET", _path(job_id, "/logs"), query)
        reply = yield from answered(request, self.patience)
        return reply.body.decode(errors="replace")

    def artifacts(self, job_id: str) -> Steps[list[Json]]:
        """``GET /v1/jobs/{id}/artifacts`` of a job that has ended."""
        request = Request("GET", _path(job_id, "/artifacts"))
        reply = yield from answered(request, self.patience)
        found: list[Json] = reply.json()["artifacts"]
        return found

    def past_events(self, job_id: str) -> Steps[list[Json]]:
        """``GET /v1/jobs/{id}/events`` of a job that has ended."""
        headers = {"accept": NDJSON}
        request = Request("GET", _path(job_id, "/events"), headers=headers)
        reply = yield from answered(request, self.patience)
        return [json.loads(line) for line in reply.body.splitlines() if line.strip()]

    def result(self, job_id: str) -> Steps[Json]:
        """``GET /v1/jobs/{id}/result`` of a job that has ended."""
        request = Request("GET", _path(job_id, "/result"), patience=120)
        reply = yield from answered(request, self.patience)
        return reply.json()

    def outcome(
        self, info: Json, job: Description, trusted: bool
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
        """
        if info["state"] == "completed":
            if info.get("kind") == "command":
                return (yield from self._command(info)), None
            result = info.get("result")
            if result is None:
                result = yield from self.result(info["id"])
            try:
                return _results.value_of(result, trusted, job), None
            except Exception as error:
                return None, error
        failure = _results.failure_of(info, job)
        if not trusted or failure.kind != "exception" or info.get("kind") != "callable":
            return None, failure
        events = yield from self.past_events(info["id"])
        return None, _results.exception_of(events, info, failure)

    def _command(self, info: Json) -> Steps[CommandResult]:
        out = yield from self.logs(info["id"], "stdout")
        err = yield from self.logs(info["id"], "stderr")
        return CommandResult(int(info.get("exit_code") or 0), out, err)


def _encoded(body: Json) -> bytes:
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode()


def _idempotent() -> dict[str, str]:
    return {"idempotency-key": uuid.uuid4().hex}


def _path(job_id: str, more: str = "") -> str:
    # An id of the caller's must not become another path.
    if not job_id.replace("_", "").isalnum() or not job_id.isascii():
        raise ValueError(f"{job_id!r} is no job's id")
    return f"/v1/jobs/{job_id}{more}"
