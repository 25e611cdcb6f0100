"""Reads logs and events while they grow, for callers that block."""

from __future__ import annotations

import codecs
import time
from collections.abc import Iterator, Mapping

import httpx

from ._calls import TERMINAL
from ._feed import RECONNECT_SECONDS, Feed
from ._steps import Json, Reply, Request, refusal
from ._transport import Transport
from .errors import Unavailable

_FAILURES = 20


def logs(transport: Transport, job_id: str, stream: str) -> Iterator[str]:
    """Follow the output of a job; after a broken connection, from where it broke.

    Parameters
    ----------
    transport
        The connections.
    job_id, stream
        Whose output, and which.
    """
    seen = 0
    failures = 0
    query = {"stream": stream, "follow": "true"}
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while True:
        skip = seen
        try:
            with transport.stream(
                Request("GET", f"/v1/jobs/{job_id}/logs", query)
            ) as response:
                refuse(response)
                for data in response.iter_bytes():
                    failures = 0
                    # The text comes from its start again.
                    piece, skip = data[skip:], max(0, skip - len(data))
                    seen += len(piece)
                    if text := decoder.decode(piece):
                        yield text
                if text := decoder.decode(b"", final=True):
                    yield text
                return
        except (httpx.TransportError, Unavailable) as error:
            failures += 1
            if failures > _FAILURES:
                raise Unavailable(f"the logs of {job_id} broke off: {error}") from error
            time.sleep(RECONNECT_SECONDS)


def job_events(transport: Transport, job_id: str) -> Iterator[Json]:
    """Follow the events of a job until it ends.

    Parameters
    ----------
    transport
        The connections.
    job_id
        Whose events.
    """
    feed = Feed(f"/v1/jobs/{job_id}/events", {}, "seq")
    for event in follow(transport, feed):
        if event is None:
            continue
        yield event
        if event.get("type") == "job_update" and event.get("status") in TERMINAL:
            return


def follow(transport: Transport, feed: Feed) -> Iterator[Json | None]:
    """Yield the events of a feed, and nothing for each sign of life, across reconnects.

    Parameters
    ----------
    transport
        The connections.
    feed
        Where to read, and from where on.
    """
    failures = 0
    while True:
        try:
            with transport.stream(feed.request()) as response:
                if response.status_code == 204:
                    return
                refuse(response)
                for data in response.iter_bytes():
                    failures = 0
                    yield from feed.take(data)
        except (httpx.TransportError, Unavailable) as error:
            failures += 1
            if failures > _FAILURES:
                raise Unavailable(f"the event stream broke off: {error}") from error
        time.sleep(RECONNECT_SECONDS)


def refuse(response: httpx.Response) -> None:
    """Raise what a refused stream means.

    Parameters
    ----------
    response
        An answer that was not read yet.
    """
    if response.status_code >= 400:
        request = Request(response.request.method, response.request.url.path)
        raise refusal(
            request, Reply(response.status_code, response.headers, response.read())
        )
