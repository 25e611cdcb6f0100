"""Reads streams of events, one JSON object on a line, across broken connections."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ._calls import NDJSON
from ._steps import Json, Request

RECONNECT_SECONDS = 0.2


class Feed:
    """Where a stream of events stands; no input or output happens here.

    Parameters
    ----------
    path, query
        What to read.
    mark
        The field that a reconnect resumes after.
    """

    def __init__(self, path: str, query: Mapping[str, str], mark: str) -> None:
        self._path = path
        self._query = dict(query)
        self._mark = mark
        self._last: str | None = None
        self._rest = b""

    def request(self) -> Request:
        """Return the request that goes on where the last one ended."""
        self._rest = b""
        headers = {"accept": NDJSON}
        if self._last is not None:
            headers["last-event-id"] = self._last
        return Request("GET", self._path, self._query, headers)

    def take(self, data: bytes) -> list[Json | None]:
        """Return the events of some more bytes; nothing for a line that says "still here"."""
        lines = (self._rest + data).split(b"\n")
        # Where a connection is cut within a line, the line comes again.
        self._rest = lines.pop()
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
