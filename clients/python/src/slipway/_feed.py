"""Reads streams across broken connections: no input or output happens here."""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping

from ._calls import NDJSON, TERMINAL
from ._steps import Json, Request
from .errors import Unavailable

RECONNECT_SECONDS = 0.2
_FAILURES = 20


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

    def heard(self) -> None:
        """Something came."""
        self._count = 0

    def broke(self, error: Exception) -> None:
        """Count a break; raise `Unavailable` when there were too many.

        Parameters
        ----------
        error
            How it broke.
        """
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
        """
        lines = (self._rest + data).split(b"\n")
        # Where a connection is cut within a line, the line comes again.
        self._rest = lines.pop()
        self.heard = self.heard or bool(lines)
        events: list[Json | None] = []
        for line in lines:
            if not line.strip():
                events.append(None)
                continue
            event = json.loads(line)
            if self._mark in event:
                self._last = str(event[self._mark])
            events.append(event)
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
        Whether the job's last event came.
    """

    def __init__(self, job_id: str) -> None:
        super().__init__(f"/v1/jobs/{job_id}/events", {}, "seq")
        self.over = False

    def take_some(self, data: bytes) -> list[Json]:
        """Return the events of some more bytes.

        Parameters
        ----------
        data
            What came.
        """
        events = [event for event in self.take(data) if event is not None]
        for event in events:
            if event.get("type") == "job_update" and event.get("status") in TERMINAL:
                self.over = True
        return events


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
