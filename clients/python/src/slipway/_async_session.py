"""What an asynchronous client, its views and its jobs share."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncGenerator, Callable, Sequence

from ._credentials import Credentials
from ._description import Description
from ._session import Session
from ._steps import Json
from ._transport import AsyncTransport, Verify


class AsyncSession:
    """A session whose requests are awaited.

    Only the stream of events is read by a thread, as for the blocking client; it hands what
    it hears to the event loop.

    Parameters
    ----------
    session
        What submissions and the stream are made with.
    credentials
        Address and key.
    verify
        How certificates are checked.
    """

    def __init__(
        self, session: Session, credentials: Credentials, verify: Verify
    ) -> None:
        self.url = session.url
        self.calls = session.calls
        self.drafts = session.drafts
        self.trusted = session.trusted
        self.transport = AsyncTransport(credentials, verify)
        self.watcher = session.watcher
        self._session = session

    async def watch(
        self, jobs: Sequence[Description], callback: Callable[[Description], object]
    ) -> None:
        """Call back in the event loop once for each job when it has ended.

        Parameters
        ----------
        jobs
            The jobs.
        callback
            What to call.
        """
        relay = self._relay(callback)
        # It may have to ask for jobs that ended before.
        await asyncio.to_thread(self.watcher.watch, jobs, relay)

    async def submit_watched(
        self,
        batch: Sequence[bytes],
        made: Callable[[Json], Description],
        add: Callable[[list[Description]], object],
        callback: Callable[[Description], object],
    ) -> None:
        """Submit a batch; call back in the event loop once for each job that has ended.

        Parameters
        ----------
        batch
            The encoded submissions.
        made
            Makes a job of its description.
        add
            Is given the jobs before any callback.
        callback
            Is given each job.
        """
        expecting = self.watcher.expecting()
        await asyncio.to_thread(expecting.__enter__)
        try:
            infos = await self.transport.run(self.calls.batch(batch))
            jobs = [made(info) for info in infos]
            add(jobs)
            relay = self._relay(callback)
            await asyncio.to_thread(self.watcher.watch, jobs, relay, True)
        finally:
            expecting.__exit__(None, None, None)

    def _relay(
        self, callback: Callable[[Description], object]
    ) -> Callable[[Description], object]:
        """Return a callback for any thread.

        What comes while the loop is busy is handed over at once, since each hand-over wakes
        the loop up.
        """
        loop = asyncio.get_running_loop()
        heard: queue.SimpleQueue[Description] = queue.SimpleQueue()

        def drain() -> None:
            while not heard.empty():
                callback(heard.get())

        def relay(job: Description) -> None:
            first = heard.empty()
            heard.put(job)
            if first:
                try:
                    loop.call_soon_threadsafe(drain)
                except RuntimeError:
                    return  # The loop is closed: nobody waits any more.

        return relay

    async def close(self) -> None:
        """Close all connections."""
        await self.transport.close()
        self._session.close()


async def each_ended(
    session: AsyncSession, jobs: Sequence[Description]
) -> AsyncGenerator[Description, None]:
    """Yield jobs as they end, or when nothing will be heard of them.

    Parameters
    ----------
    session
        Where the jobs are.
    jobs
        The jobs.
    """
    ended: asyncio.Queue[Description] = asyncio.Queue()
    left = {id(job): job for job in jobs}
    await session.watch(list(left.values()), ended.put_nowait)
    try:
        while left:
            job = await ended.get()
            left.pop(id(job), None)
            yield job
    finally:
        session.watcher.forget(left.values())
