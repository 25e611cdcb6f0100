"""Reads logs and events while they grow, for callers with an event loop."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import httpx

from ._feed import RECONNECT_SECONDS, Breaks, Feed, JobFeed, LogFeed
from ._steps import Json
from ._streams import refusal_of
from ._transport import AsyncTransport
from .errors import Unavailable

# httpx leaves errors of TLS as they are when they come after the handshake.
_BROKEN = (httpx.TransportError, ssl.SSLError, Unavailable)


async def logs(
    transport: AsyncTransport, job_id: str, stream: str
) -> AsyncIterator[str]:
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
            async with transport.stream(feed.request()) as response:
                await refuse(response)
                breaks.silent()
                async for data in response.aiter_bytes():
                    breaks.heard()
                    if text := feed.take(data):
                        yield text
            if text := feed.take(b""):
                yield text
            return
        except _BROKEN as error:
            breaks.broke(error)
            await asyncio.sleep(RECONNECT_SECONDS)


async def job_events(transport: AsyncTransport, job_id: str) -> AsyncIterator[Json]:
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
            async with transport.stream(feed.request()) as response:
                await refuse(response)
                async for data in response.aiter_bytes():
                    breaks.heard()
                    for event in feed.take_some(data):
                        yield event
                # An end that the gateway does not close the stream after may be the task's word.
                if feed.over or response.status_code == 204:
                    return
        except _BROKEN as error:
            breaks.broke(error)
        await asyncio.sleep(RECONNECT_SECONDS)


async def events(transport: AsyncTransport, feed: Feed) -> AsyncIterator[Json]:
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
            async with transport.stream(feed.request()) as response:
                await refuse(response)
                async for data in response.aiter_bytes():
                    breaks.heard()
                    for event in feed.take(data):
                        if event is not None:
                            yield event
        except _BROKEN as error:
            breaks.broke(error)
        await asyncio.sleep(RECONNECT_SECONDS)


async def refuse(response: httpx.Response) -> None:
    """Raise what a refused stream means.

    Parameters
    ----------
    response
        An answer that was not read yet.
    """
    if response.status_code >= 300:
        raise refusal_of(response, await response.aread())
