"""Waits for many jobs at a time, in an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from ._async_session import AsyncSession
from ._calls import deadline_of
from ._description import Description
from ._progress import Bar, Progress
from ._types import T
from .async_job import AsyncJob
from .errors import SlipwayError, WaitTimeout

_log = logging.getLogger("slipway")
_CANCELS_AT_A_TIME = 8
_CANCELS_SECONDS = 30.0


async def as_completed(
    jobs: Sequence[AsyncJob[T]], timeout: float | None
) -> AsyncIterator[AsyncJob[T]]:
    """Yield jobs as they end; `WaitTimeout` when the time is over.

    Parameters
    ----------
    jobs
        The jobs.
    timeout
        Seconds in all.
    """
    deadline = deadline_of(timeout)
    ended: asyncio.Queue[Description] = asyncio.Queue()
    left = {id(job): job for job in jobs}
    watches = [
        (session, theirs, session.relay(ended.put_nowait))
        for session, theirs in _by_session(left.values())
    ]
    try:
        for session, theirs, relay in watches:
            # What has ended by then is handed out first.
            with contextlib.suppress(WaitTimeout):
                await session.watcher.watch_from_loop(theirs, relay, deadline=deadline)
        while left:
            job = await _next(ended, deadline, len(left))
            # The watcher may have given up: asking here says why.
            if not job.ended and not await job.wait(_seconds_until(deadline)):
                raise WaitTimeout(f"{len(left)} jobs have not ended")
            left.pop(id(job))
            yield job
    finally:
        for session, theirs, relay in watches:
            session.watcher.forget(theirs, relay)


def _by_session(
    jobs: Iterable[AsyncJob[T]],
) -> list[tuple[AsyncSession, list[AsyncJob[T]]]]:
    found: dict[int, tuple[AsyncSession, list[AsyncJob[T]]]] = {}
    for job in jobs:
        session = job._session
        found.setdefault(id(session), (session, []))[1].append(job)
    return list(found.values())


async def _next(
    ended: asyncio.Queue[Description], deadline: float | None, left: int
) -> AsyncJob[Any]:
    # With no time left `wait_for` would not even look, so what is there is taken first.
    await asyncio.sleep(0)
    try:
        job = ended.get_nowait()
    except asyncio.QueueEmpty:
        try:
            job = await asyncio.wait_for(ended.get(), _seconds_until(deadline))
        except asyncio.TimeoutError:
            raise WaitTimeout(f"{left} jobs have not ended") from None
    assert isinstance(job, AsyncJob)
    return job


def _seconds_until(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


async def gather(jobs: Sequence[AsyncJob[T]], progress: Progress) -> list[T]:
    """Return the results of jobs in their order; raise the first failure that is seen.

    Parameters
    ----------
    jobs
        The jobs.
    progress
        Whether to draw a bar.
    """
    with Bar(progress, len(jobs)) as bar:
        async for job in as_completed(jobs, None):
            await job.result()
            bar.advance()
    return [await job.result() for job in jobs]


async def cancel_all(jobs: Sequence[AsyncJob]) -> None:
    """Cancel jobs that nobody will ask for any more, as far as that goes.

    Parameters
    ----------
    jobs
        The jobs.
    """
    deadline = time.monotonic() + _CANCELS_SECONDS
    waiting = iter(jobs)

    async def work() -> None:
        for job in waiting:
            if time.monotonic() >= deadline:
                _log.info("%s was not cancelled: no time is left", job.id)
                continue
            try:
                await job._cancel(deadline)
            except (SlipwayError, RuntimeError) as error:
                # It is gone, the gateway is away, or the client closed: the others count, too.
                _log.info("%s was not cancelled: %s", job.id, error)

    workers = min(_CANCELS_AT_A_TIME, len(jobs))
    await asyncio.gather(*(work() for _ in range(workers)))
