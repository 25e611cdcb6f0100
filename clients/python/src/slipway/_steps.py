"""Requests as values, and what is tried again: no input or output happens here.

An operation is a generator. It yields a `Request` and is sent a `Reply`, or a `Fault` when no
answer came; it yields a `Pause` and is sent nothing. So the blocking and the asynchronous
client share every decision and differ only in who waits.
"""

from __future__ import annotations

import json
import logging
import random
import re
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ._faults import remedy_of
from .errors import (
    APIError,
    ArtifactCorrupt,
    AuthenticationError,
    NotFound,
    SlipwayError,
    Unavailable,
    WaitTimeout,
)

T = TypeVar("T")
Json = dict[str, Any]

_log = logging.getLogger("slipway")
# A kept connection that the gateway has closed meanwhile is nothing to tell.
_TELL_AFTER = 3
# What an answer may come late that was asked for right before the caller's time was over.
_GRACE_SECONDS = 1.0
# The same request may be taken later.
_BUSY = (408, 429, 502, 503, 504)


@dataclass(frozen=True)
class Request:
    """One request; all of ours may be sent twice without harm.

    Attributes
    ----------
    method, path, query, headers, body
        As they go out.
    patience
        Seconds to wait for the answer.
    deadline
        When the caller's own time is over, on the clock of `time.monotonic`, if it is limited.
    key
        By which the caller can send the same submission again.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    patience: float = 60
    deadline: float | None = None
    key: str | None = None

    def seconds(self) -> float:
        """Return how long its answer may take from now on."""
        if self.deadline is None:
            return self.patience
        left = max(0.0, self.deadline - time.monotonic())
        return min(self.patience, left + _GRACE_SECONDS)


@dataclass(frozen=True)
class Reply:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Json:
        """Return the body as a JSON object."""
        try:
            value = json.loads(self.body)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise SlipwayError(f"the gateway sent no JSON object: {self.body[:200]!r}")
        return value


@dataclass(frozen=True)
class Fault:
    """No answer came.

    Attributes
    ----------
    error
        Why.
    """

    error: Exception


@dataclass(frozen=True)
class Pause:
    """A wait before the next request."""

    seconds: float


Steps = Generator[Request | Pause, Reply | Fault | None, T]


@dataclass(frozen=True)
class Patience:
    """For how long a request is tried again when the gateway is away or busy.

    Attributes
    ----------
    seconds
        In all, from the first try on.
    first, longest
        The first pause and the longest; each is twice the one before, varied at random.
    """

    seconds: float = 30.0
    first: float = 0.1
    longest: float = 5.0

    def pause(self, number: int, reply: Reply | Fault) -> float:
        """Return the seconds before another try; `number` counts from 0."""
        if isinstance(reply, Reply):
            try:
                return max(0.0, float(reply.headers["retry-after"]))
            except (KeyError, ValueError):
                pass  # Left out, or a date: as for any other fault.
        longest = min(self.longest, self.first * 2.0 ** min(number, 16))
        return longest * random.uniform(0.5, 1.0)


def answered(
    request: Request,
    patience: Patience,
    accept: tuple[int | str, ...] = (),
    late: float = 0.5,
) -> Steps[Reply]:
    """Send a request until it is answered, within the patience.

    Parameters
    ----------
    request
        What to send.
    patience
        How long to try again.
    accept
        Codes of 300 and more, and kinds of problems, that are no error here.
    late
        The part of the patience that one try may use up: an answer may be waited for longer
        than the patience lasts, and if it does not come there is room for another try.

    Raises
    ------
    APIError
        When it was refused, or nobody answered.
    WaitTimeout
        When the request has a deadline and nobody answered until then.
    """
    spent = 0.0
    number = 0
    while True:
        began = time.monotonic()
        reply = yield request
        assert reply is not None
        if isinstance(reply, Reply) and _accepted(reply, accept):
            return reply
        number += 1
        if not _passes(reply):
            raise refusal(request, reply, number)
        spent += min(time.monotonic() - began, late * patience.seconds)
        pause = _in_time(request, patience.pause(number - 1, reply))
        if spent + pause > patience.seconds:
            raise refusal(request, reply, number)
        spent += pause
        if isinstance(reply, Fault) and number == _TELL_AFTER:
            what = (request.method, request.path, reply.error, patience.seconds)
            _log.warning("%s %s: no answer (%s); trying for up to %.0f s", *what)
        yield Pause(pause)


def _accepted(reply: Reply, accept: tuple[int | str, ...]) -> bool:
    if reply.status < 300 or reply.status in accept:
        return True
    return bool(accept) and _slug(_problem(reply)) in accept


def _in_time(request: Request, pause: float) -> float:
    """Return a pause that ends before the caller's time does."""
    if request.deadline is None:
        return pause
    left = request.deadline - time.monotonic()
    if left <= 0:
        what = f"{request.method} {request.path}"
        raise WaitTimeout(f"{what}: no answer before the caller's time was over")
    return min(pause, left)


def _passes(reply: Reply | Fault) -> bool:
    """Tell whether the same request may succeed later."""
    if isinstance(reply, Fault):
        return remedy_of(reply.error) is None
    if reply.status in _BUSY:
        return True
    return reply.status == 409 and _slug(_problem(reply)) == "key-in-flight"


def _problem(reply: Reply) -> Json:
    try:
        value = json.loads(reply.body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _slug(problem: Json) -> str:
    return str(problem.get("type", "")).rsplit("/", 1)[-1]


def refusal(request: Request, reply: Reply | Fault, tries: int = 1) -> SlipwayError:
    """Return the exception for a request that was refused, or not answered.

    Parameters
    ----------
    request, reply
        What was sent, and what came.
    tries
        How often it was sent.
    """
    if isinstance(reply, Fault):
        return _unanswered(request, reply, tries)
    problem = _problem(reply)
    detail = (
        _redirected(reply)
        or problem.get("detail")
        or problem.get("title")
        or reply.body[:200].decode(errors="replace")
    )
    faults = "".join(
        f"\n  {fault.get('pointer', '')}: {fault.get('detail', fault.get('code'))}"
        for fault in problem.get("errors") or ()
        if isinstance(fault, dict)
    )
    what = f"{request.method} {request.path}"
    message = f"{what}: {reply.status}: {detail}{faults}"
    if _slug(problem) == "artifact-corrupt":
        job_id = re.match("/v1/jobs/([^/]+)/", request.path)
        return ArtifactCorrupt(
            message, job_id=job_id and job_id[1], kind="artifact_corrupt"
        )
    kind: type[APIError] = APIError
    if reply.status in (401, 403):
        kind = AuthenticationError
    elif reply.status == 404:
        kind = NotFound
    elif reply.status in _BUSY:
        kind = Unavailable
    error = kind(message, reply.status, problem)
    error.idempotency_key = request.key
    return error


def _redirected(reply: Reply) -> str:
    """Return for people where an answer points to, if it is a redirect."""
    if not 300 <= reply.status < 400:
        return ""
    place = reply.headers.get("location") or "nowhere"
    return f"redirected to {place}; give the client the address behind the redirect"


def _unanswered(request: Request, fault: Fault, tries: int) -> Unavailable:
    text = str(fault.error) or type(fault.error).__name__
    if remedy := remedy_of(fault.error):
        text += f"; {remedy}"
    after = f" after {tries} tries" if tries > 1 else ""
    what = f"{request.method} {request.path}"
    error = Unavailable(f"{what}: no answer{after}: {text}")
    error.__cause__ = fault.error
    error.idempotency_key = request.key
    return error
