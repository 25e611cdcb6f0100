"""Reads streams across broken connections: no input or output happens here."""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping

import httpx

from ._calls import NDJSON, TERMINAL
from ._faults import remedy_of
from ._steps import Json, Request
from .errors import Unavailable

RECONNECT_SECONDS = 0.2
_FAILURES = 20


def is_end(event: Json) -> bool:
    """Tell whether an event says that a job has ended."""
    status = event.get("status")
    return (
        event.get("type") == "job_update"
        and isinstance(status, str)
        and status in TERMINAL
    )


def is_vouched(event: Json) -> bool:
    """Tell whether the end in an event comes with the job, as the gateway sends it.

    Tasks choose what is in the events that they emit. So an end without the job that it is
    the end of is a reason to ask the gateway, and no more.

    Parameters
    ----------
    event
        An event of all jobs that `is_end`, asked for with results.
    """
    job = event.get("job")
    return (
        isinstance(job, dict)
        and job.get("id") == event.get("job_id")
        and job.get("state") == event["status"]
        and job.get("attempt") == event.get("attempt")
    )


class Breaks:
    """Counts how often in a row a stream broke before anything came.

    Parameters
    ----------
    what
        The stream, for people.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._count = 0
        self._may_be_silent = False

    def silent(self) -> None:
        """An answer has begun that may bring nothing for long, as the output of a task may."""
        self._may_be_silent = True

    def heard(self) -> None:
        """Something came."""
        self._count = 0

    def broke(self, error: Exception) -> None:
        """Count a break; raise `Unavailable` when there were too many, or the cause lasts.

        Parameters
        ----------
        error
            How it broke.
        """
        silent, self._may_be_silent = self._may_be_silent, False
        if silent and isinstance(error, httpx.ReadTimeout):
            # Whether the gateway is still there is seen when it is asked again.
            return
        if remedy := remedy_of(error):
            raise Unavailable(f"{self._what}: {error}; {remedy}") from error
        self._count += 1
        if self._count > _FAILURES:
            raise Unavailable(f"{self._what} broke off: {error}") from error


class Feed:
    """Where a stream of events stands, one JSON object on a line.

    Parameters
    ----------
    path, query
        What to read.
    mark
        The field that a reconnect resumes after.

    Attributes
    ----------
    heard
        Whether a line came since this was last set to False.
    """

    def __init__(self, path: str, query: Mapping[str, str], mark: str) -> None:
        self._path = path
        self._query = dict(query)
        self._mark = mark
        self._last: str | None = None
        self._rest = b""
        self.heard = False

    def request(self) -> Request:
        """Return the request that goes on where the last one ended."""
        self._rest = b""
        headers = {"accept": NDJSON}
        if self._last is not None:
            headers["last-event-id"] = self._last
        return Request("GET", self._path, self._query, headers)

    def take(self, data: bytes) -> list[Json | None]:
        """Return the events of some more bytes; nothing for a line that says "still here".

        Parameters
        ----------
        data
            What came.

        Raises
        ------
        ValueError
            A line is no JSON object; nothing of these bytes counts as read then.
        """
        lines = (self._rest + data).split(b"\n")
        # Where a connection is cut within a line, the line comes again.
        rest = lines.pop()
        last = self._last
        events: list[Json | None] = []
        for line in lines:
            if not line.strip():
                events.append(None)
                continue
            event = json.loads(line)
            if not isinstance(event, dict):
                raise ValueError(  # noqa: TRY004 - As for what is no JSON at all.
                    f"an event is no JSON object: {line[:200]!r}"
                )
            if self._mark in event:
                last = str(event[self._mark])
            events.append(event)
        self._rest, self._last = rest, last
        self.heard = self.heard or bool(lines)
        return events


class JobFeed(Feed):
    """The events of one job.

    Parameters
    ----------
    job_id
        The job.

    Attributes
    ----------
    over
        Whether the last event that came says that the job has ended.
    """

    def __init__(self, job_id: str) -> None:
        super().__init__(f"/v1/jobs/{job_id}/events", {}, "seq")
        self.over = False
        self._repeats = Repeats()

    def take_some(self, data: bytes) -> list[Json]:
        """Return the events of some more bytes.

        Parameters
        ----------
        data
            What came.
        """
        events = []
        for event in self.take(data):
            if event is None:
                continue
            # Nothing follows the end of a job: what something follows was none.
            self.over = is_end(event)
            if (news := self._repeats.news(event)) is not None:
                events.append(news)
        return events


class Repeats:
    """Knows which events of a job were told before a restart of the gateway.

    After one the events of a job that runs on have larger numbers, and are told from the
    first on: output in other pieces, but with the same bytes, and all else in its order.
    """

    _STEPS = ("queued", "starting", "running")
    # What the engine says beside the task, and says once.
    _ENGINES = ("preload_error", "output_skipped")

    def __init__(self) -> None:
        self._seq = 0
        self._bytes: dict[str, int] = {}
        self._others = 0
        self._steps: set[tuple[str, str]] = set()
        self._left = dict(self._bytes)
        self._others_left = 0
        self._repeating = False

    def news(self, event: Json) -> Json | None:
        """Return an event, or what is new of it; None when nothing is.

        Parameters
        ----------
        event
            The next event of the stream.
        """
        seq = event.get("seq")
        if isinstance(seq, int):
            if self._seq and seq > self._seq + 1:
                self._left, self._others_left = dict(self._bytes), self._others
                self._repeating = True
            self._seq = seq
        kind = event.get("type")
        if kind == "log":
            return self._output(event)
        if kind == "job_update":
            step = (str(event.get("attempt")), str(event.get("status")))
            known = step in self._steps and step[1] in self._STEPS
            self._steps.add(step)
            return None if self._repeating and known else event
        if kind in self._ENGINES:
            return event
        if self._others_left:
            self._others_left -= 1
            return None
        self._others += 1
        return event

    def _output(self, event: Json) -> Json | None:
        stream, data = str(event.get("stream")), str(event.get("data", "")).encode()
        known = min(self._left.get(stream, 0), len(data))
        if known:
            self._left[stream] -= known
        self._bytes[stream] = self._bytes.get(stream, 0) + len(data) - known
        if not known:
            return event
        rest = data[known:].decode("utf-8", "replace")
        return {**event, "data": rest} if rest else None


class LogFeed:
    """The output of one job, which a new connection sends from its start again.

    Parameters
    ----------
    job_id, stream
        Whose output, and which.
    """

    def __init__(self, job_id: str, stream: str) -> None:
        self._path = f"/v1/jobs/{job_id}/logs"
        self._query = {"stream": stream, "follow": "true"}
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._seen = 0
        self._skip = 0

    def request(self) -> Request:
        """Return the request for the whole output."""
        self._skip = self._seen
        return Request("GET", self._path, self._query)

    def take(self, data: bytes) -> str:
        """Return the text of some more bytes, without what came before.

        Parameters
        ----------
        data
            What came; nothing at the end.
        """
        if not data:
            return self._decoder.decode(b"", final=True)
        piece = data[self._skip :]
        self._skip = max(0, self._skip - len(data))
        self._seen += len(piece)
        return self._decoder.decode(piece)
