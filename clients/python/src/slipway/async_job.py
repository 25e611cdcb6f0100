"""A submitted job, for callers with an event loop."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, Literal, cast, overload

from . import _async_streams
from ._calls import deadline_of
from ._description import Description
from ._steps import Json
from ._types import T_co
from .artifact import info_of
from .async_artifact import AsyncArtifact
from .errors import NotFound, WaitTimeout
from .job import Stream

if TYPE_CHECKING:
    from ._async_session import AsyncSession

_log = logging.getLogger("slipway")


class AsyncJob(Description, Generic[T_co]):
    """A submitted job; `Job` with awaitables.

    Parameters
    ----------
    session
        The connection that it came by.
    info
        The job as the gateway describes it.
    """

    def __init__(self, session: AsyncSession, info: Json) -> None:
        super().__init__(info)
        self._session = session

    async def result(self, timeout: float | None = None) -> T_co:
        """Return what the task returned, or raise what it raised.

        Cancelling the waiting does not cancel the job.

        Parameters
        ----------
        timeout
            Seconds to wait; without one, until the job ends.

        Raises
        ------
        WaitTimeout
            When the time is over. The job goes on, and `result` may be called again.
        TaskError
            When the task failed and its own exception is not to be had.
        """
        value, error = await self._outcome(timeout)
        if error is not None:
            raise error
        return cast(T_co, value)

    async def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what `result` would raise for the task, or nothing.

        Parameters
        ----------
        timeout
            Seconds to wait; without one, until the job ends.
        """
        return (await self._outcome(timeout))[1]

    async def _outcome(self, timeout: float | None) -> tuple[Any, BaseException | None]:
        if self._settled is None:
            deadline = deadline_of(timeout)
            if not await self.wait(timeout):
                raise WaitTimeout(f"{self.id} is {self.status} after {timeout} s")
            session = self._session
            steps = session.calls.outcome(self._info, self, session.trusted, deadline)
            self._settle(await session.transport.run(steps))
        assert self._settled is not None
        return self._settled

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait until the job has ended, and tell whether it has.

        Parameters
        ----------
        timeout
            Seconds to wait; without one, until the job ends.
        """
        if not self.ended:
            session = self._session
            info = await session.transport.run(session.calls.ended(self.id, timeout))
            if info is None:
                return False
            self._learn(info)
        return True

    async def done(self) -> bool:
        """Ask whether the job has ended, however it did."""
        return self.ended or (await self.refresh()).ended

    async def refresh(self) -> AsyncJob[T_co]:
        """Ask for the job's present state; return the job."""
        session = self._session
        self._learn(await session.transport.run(session.calls.get(self.id)))
        return self

    async def cancel(self) -> bool:
        """Cancel the job; tell whether it will end, or ended, as cancelled."""
        return await self._cancel(None)

    async def _cancel(self, deadline: float | None) -> bool:
        if self.ended:
            return self.status == "cancelled"
        session = self._session
        steps = session.calls.cancel(self.id, deadline=deadline)
        accepted, info = await session.transport.run(steps)
        if info is not None:
            self._learn(info)
        return accepted

    async def add_done_callback(
        self, callback: Callable[[AsyncJob[T_co]], object]
    ) -> None:
        """Call back once when the job has ended, in the event loop.

        It is also called when the client is closed, or the gateway is away for too long; the
        job's status tells.

        Parameters
        ----------
        callback
            A function, which is given the job.
        """

        def call(_: Description) -> None:
            try:
                callback(self)
            except Exception:  # noqa: BLE001
                # It must not keep the end of other jobs from being told.
                _log.exception("a callback of %s failed", self.id)

        session = self._session
        await session.watcher.watch_from_loop([self], session.relay(call))

    async def delete(self) -> None:
        """Remove the ended job from the gateway, with its results and logs."""
        await self._session.transport.run(self._session.calls.delete(self.id))

    @overload
    def logs(
        self, stream: Stream = "all", follow: Literal[False] = False
    ) -> Awaitable[str]: ...

    @overload
    def logs(
        self, stream: Stream = "all", *, follow: Literal[True]
    ) -> AsyncIterator[str]: ...

    @overload
    def logs(self, stream: Stream, follow: Literal[True]) -> AsyncIterator[str]: ...

    def logs(
        self, stream: Stream = "all", follow: bool = False
    ) -> Awaitable[str] | AsyncIterator[str]:
        """Return what the task has written.

        Parameters
        ----------
        stream
            ``stdout``, ``stderr``, or both.
        follow
            Return an asynchronous iterator, which gives pieces of text until the job ends.
        """
        session = self._session
        if follow:
            return _async_streams.logs(session.transport, self.id, stream)
        return session.transport.run(session.calls.logs(self.id, stream))

    def events(self) -> AsyncIterator[Json]:
        """Return the job's events, those so far and those to come, until it ends."""
        return _async_streams.job_events(self._session.transport, self.id)

    async def artifacts(self) -> list[AsyncArtifact]:
        """Return the files that the task left in ``$SLIPWAY_OUTPUT``, once the job has ended."""
        await self.wait()
        session = self._session
        found = await session.transport.run(session.calls.artifacts(self.id))
        return [AsyncArtifact(session.transport, info_of(item)) for item in found]

    async def artifact(self, name: str) -> AsyncArtifact:
        """Return one of these files.

        Parameters
        ----------
        name
            Its path below the task's output folder.

        Raises
        ------
        NotFound
            When the task left no file of this name.
        """
        for artifact in await self.artifacts():
            if artifact.name == name:
                return artifact
        raise NotFound(f"{self.id} left no file {name!r}", 404)

    def __await__(self) -> Generator[Any, None, T_co]:
        """Await the result."""
        return self.result().__await__()
