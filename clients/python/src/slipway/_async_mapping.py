"""Maps functions over many items in an event loop: submits ahead, and hands results out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterable

from ._async_collect import cancel_all
from ._async_session import AsyncSession
from ._board import Callback
from ._calls import deadline_of
from ._description import Description
from ._ledger import TAKE_BACK_SECONDS, Backlog, Batch, Ledger, Source
from ._progress import Bar
from ._steps import Json
from ._types import T
from .async_job import AsyncJob
from .errors import SlipwayError

_log = logging.getLogger("slipway")


class AsyncMapping:
    """The jobs of a map: submitted ahead in batches, and handed out as they end.

    Parameters
    ----------
    session
        Where they go.
    bodies
        The submissions; read no further than needed. A failure to make one is raised after
        the jobs before it.
    ordered
        Whether the results come in the order of the submissions.
    key
        By which the submissions can be sent again.
    """

    def __init__(
        self,
        session: AsyncSession,
        bodies: Iterable[Json],
        ordered: bool,
        key: str | None = None,
    ) -> None:
        self._session = session
        self._source = Source(bodies)
        self._backlog = Backlog(self._source)
        self._key = key or session.drafts.new_key()
        self._ledger = Ledger(ordered)
        self._news = asyncio.Event()

    async def _submit(self, relay: Callback) -> None:
        batch = self._backlog.next(self._ledger)
        if batch is None:
            self._ledger.complete = True
            return
        session = self._session
        with session.watcher.expecting():
            await asyncio.to_thread(session.watcher.ready)
            try:
                steps = batch.steps(session.calls, self._key)
                infos = await session.transport.run(steps)
            except asyncio.CancelledError:
                await self._take_back(batch)
                raise
            if infos is None:
                self._ledger.refuse(batch)
                return
            self._backlog.sent(batch)
            jobs = [AsyncJob(session, info) for info in infos]
            self._ledger.add(jobs)
            await session.watcher.watch_from_loop(jobs, relay, fresh=True)

    async def _take_back(self, batch: Batch) -> None:
        """Cancel the jobs of a cancelled submission, which the gateway may have."""
        session = self._session
        deadline = deadline_of(TAKE_BACK_SECONDS)
        try:
            # The same key brings the same jobs.
            steps = batch.again(session.calls, self._key, deadline)
            infos = await session.transport.run(steps)
        except (SlipwayError, RuntimeError) as error:
            _log.info("jobs of a cancelled map may go on: %s", error)
            return
        await cancel_all([AsyncJob(session, info) for info in infos])

    def _note(self, job: Description) -> None:
        self._ledger.note(job)
        self._news.set()

    async def jobs(self) -> AsyncGenerator[AsyncJob, None]:
        """Yield the jobs when they have ended."""
        ledger = self._ledger
        relay = self._session.relay(self._note)
        try:
            while True:
                while ledger.wants_more and not ledger.ready:
                    await self._submit(relay)
                if ledger.wants_more:
                    await self._submit(relay)
                if ledger.complete and not ledger.pending:
                    self._source.check()
                    return
                while not (ledger.ready or ledger.wants_more):
                    self._news.clear()
                    try:
                        await asyncio.wait_for(self._news.wait(), ledger.pause)
                    except asyncio.TimeoutError:
                        ledger.probe()
                if not ledger.ready:
                    continue
                job = ledger.take()
                assert isinstance(job, AsyncJob)
                if not job.ended:
                    await job.wait()
                yield job
        finally:
            left = [job for job in ledger.left() if isinstance(job, AsyncJob)]
            self._session.watcher.forget(left, relay)
            await cancel_all(left)


async def results(mapping: AsyncMapping, chunked: bool, bar: Bar) -> AsyncIterator[T]:
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
