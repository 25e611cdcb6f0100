"""Reads logs and events while they grow, for callers that block."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx

from ._feed import RECONNECT_SECONDS, Breaks, Feed, JobFeed, LogFeed
from ._steps import Json, Reply, Request, refusal
from ._transport import Transport
from .errors import Unavailable

_BROKEN = (httpx.TransportError, Unavailable)


def logs(transport: Transport, job_id: str, stream: str) -> Iterator[str]:
    """Follow the output of a job; after a broken connection, from where it broke.

    Parameters
    ----------
    transport
        The connections.
    job_id, stream
        Whose output, and which.
    """
    feed = LogFeed(job_id, stream)
    breaks = Breaks(f"the output of {job_id}")
    while True:
        try:
            with transport.stream(feed.request()) as response:
                refuse(response)
                breaks.silent()
                for data in response.iter_bytes():
                    breaks.heard()
                    if text := feed.take(data):
                        yield text
            if text := feed.take(b""):
                yield text
            return
        except _BROKEN as error:
            breaks.broke(error)
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
    feed = JobFeed(job_id)
    breaks = Breaks(f"the event stream of {job_id}")
    while True:
        try:
            with transport.stream(feed.request()) as response:
                refuse(response)
                for data in response.iter_bytes():
                    breaks.heard()
                    yield from feed.take_some(data)
                # An end that the gateway does not close the stream after may be the task's word.
                if feed.over or response.status_code == 204:
                    return
        except _BROKEN as error:
            breaks.broke(error)
        time.sleep(RECONNECT_SECONDS)


def events(transport: Transport, feed: Feed) -> Iterator[Json]:
    """Follow the events of many jobs for ever.

    Parameters
    ----------
    transport
        The connections.
    feed
        Where to read, and from where on.
    """
    breaks = Breaks("the event stream")
    while True:
        try:
            with transport.stream(feed.request()) as response:
                refuse(response)
                for data in response.iter_bytes():
                    breaks.heard()
                    yield from (event for event in feed.take(data) if event is not None)
        except _BROKEN as error:
            breaks.broke(error)
        time.sleep(RECONNECT_SECONDS)


def refuse(response: httpx.Response) -> None:
    """Raise what a refused stream means.

    Parameters
    ----------
    response
        An answer that was not read yet.
    """
    if response.status_code >= 300:
        raise refusal_of(response, response.read())


def refusal_of(response: httpx.Response, body: bytes) -> Exception:
    """Return the exception for an answer of 300 or more.

    Parameters
    ----------
    response, body
        The answer.
    """
    request = Request(response.request.method, response.request.url.path)
    return refusal(request, Reply(response.status_code, response.headers, body))
