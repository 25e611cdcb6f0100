"""Waits for many jobs at a time, and maps functions over many items, in an event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from typing import Any

from ._async_session import AsyncSession, each_ended
from ._description import Description
from ._ledger import FIRST_BATCH, Ledger
from ._progress import Bar, Progress
from ._session import batches
from ._steps import Json
from .async_job import AsyncJob
from .errors import SlipwayError, WaitTimeout


async def as_completed(
    session: AsyncSession, jobs: Sequence[AsyncJob], timeout: float | None
) -> AsyncIterator[AsyncJob]:
    """Yield jobs as they end; `WaitTimeout` when the time is over.

    Parameters
    ----------
    session
        Where the jobs are.
    jobs
        The jobs.
    timeout
        Seconds in all.
    """
    loop = asyncio.get_running_loop()
    deadline = None if timeout is None else loop.time() + timeout
    ended = each_ended(session, jobs)
    number = 0
    async with contextlib.aclosing(ended):
        while number < len(jobs):
            left = None if deadline is None else deadline - loop.time()
            try:
                job = await asyncio.wait_for(anext(ended), left)
            except asyncio.TimeoutError:
                message = f"{len(jobs) - number} jobs have not ended"
                raise WaitTimeout(message) from None
            except StopAsyncIteration:
                return
            assert isinstance(job, AsyncJob)
            if not job.ended:
                # The watcher gave up: asking here says why.
                await job.wait(None if deadline is None else deadline - loop.time())
            number += 1
            yield job


async def gather(
    session: AsyncSession, jobs: Sequence[AsyncJob], progress: Progress
) -> list[Any]:
    """Return the results of jobs in their order; raise the first failure that is seen.

    Parameters
    ----------
    session
        Where the jobs are.
    jobs
        The jobs.
    progress
        Whether to draw a bar.
    """
    with Bar(progress, len(jobs)) as bar:
        async for job in as_completed(session, jobs, None):
            await job.result()
            bar.advance()
    return [await job.result() for job in jobs]


class AsyncMapping:
    """The jobs of a map: submitted ahead in batches, and handed out as they end.

    Parameters
    ----------
    session
        Where they go.
    bodies
        The submissions; read no further than needed.
    ordered
        Whether the results come in the order of the submissions.
    """

    def __init__(
        self, session: AsyncSession, bodies: Iterable[Json], ordered: bool
    ) -> None:
        self._session = session
        self._batches = batches(bodies, FIRST_BATCH)
        self._ledger = Ledger(ordered)
        self._news = asyncio.Event()

    async def _submit(self) -> None:
        batch = next(self._batches, None)
        if batch is None:
            self._ledger.complete = True
            return
        session = self._session
        await session.submit_watched(
            batch,
            lambda info: AsyncJob(session, info),
            self._ledger.add,
            self._note,
        )

    def _note(self, job: Description) -> None:
        self._ledger.note(job)
        self._news.set()

    async def jobs(self) -> AsyncGenerator[AsyncJob, None]:
        """Yield the jobs when they have ended."""
        ledger = self._ledger
        try:
            while True:
                while ledger.wants_more and not ledger.ready:
                    await self._submit()
                if ledger.wants_more:
                    await self._submit()
                if not ledger.pending:
                    return
                while not ledger.ready:
                    self._news.clear()
                    await self._news.wait()
                job = ledger.take()
                assert isinstance(job, AsyncJob)
                if not job.ended:
                    await job.wait()
                yield job
        finally:
            await self._cancel()

    async def _cancel(self) -> None:
        """Cancel what nobody will ask for any more."""
        left = self._ledger.left()
        self._session.watcher.forget(left)
        for job in left:
            try:
                if isinstance(job, AsyncJob):
                    await job.cancel()
            except (SlipwayError, RuntimeError):
                return  # The gateway is away, or the client closed.


async def results(mapping: AsyncMapping, chunked: bool, bar: Bar) -> AsyncIterator[Any]:
    """Yield the results of a map; the first failure ends it.

    Parameters
    ----------
    mapping
        The jobs.
    chunked
        Whether each job has the results of many items.
    bar
        Counts the items.
    """
    with bar:
        async with contextlib.aclosing(mapping.jobs()) as jobs:
            async for job in jobs:
                value = await job.result()
                bar.advance(len(value) if chunked else 1)
                for item in value if chunked else (value,):
                    yield item
