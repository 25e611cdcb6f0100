"""A submitted job, for callers that block."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, Generic, Literal, cast, overload

from . import _streams
from ._calls import deadline_of
from ._description import Description
from ._steps import Json
from ._types import T_co
from .artifact import Artifact, info_of
from .errors import NotFound, WaitTimeout

if TYPE_CHECKING:
    from ._session import Session

_log = logging.getLogger("slipway")
Stream = Literal["all", "stdout", "stderr"]


class Job(Description, Generic[T_co]):
    """A submitted job.

    It may be used from many threads. Dropping it does not end the job.

    Parameters
    ----------
    session
        The connection that it came by.
    info
        The job as the gateway describes it.
    """

    def __init__(self, session: Session, info: Json) -> None:
        super().__init__(info)
        self._session = session

    def result(self, timeout: float | None = None) -> T_co:
        """Return what the task returned, or raise what it raised.

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
        value, error = self._outcome(timeout)
        if error is not None:
            raise error
        return cast(T_co, value)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what `result` would raise for the task, or nothing.

        Parameters
        ----------
        timeout
            Seconds to wait; without one, until the job ends.
        """
        return self._outcome(timeout)[1]

    def _outcome(self, timeout: float | None) -> tuple[Any, BaseException | None]:
        if self._settled is None:
            deadline = deadline_of(timeout)
            if not self.wait(timeout):
                raise WaitTimeout(f"{self.id} is {self.status} after {timeout} s")
            session = self._session
            steps = session.calls.outcome(self._info, self, session.trusted, deadline)
            self._settle(session.transport.run(steps))
        assert self._settled is not None
        return self._settled

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the job has ended, and tell whether it has.

        Parameters
        ----------
        timeout
            Seconds to wait; without one, until the job ends.
        """
        if not self.ended:
            info = self._session.transport.run(
                self._session.calls.ended(self.id, timeout)
            )
            if info is None:
                return False
            self._learn(info)
        return True

    def done(self) -> bool:
        """Ask whether the job has ended, however it did."""
        return self.ended or self.refresh().ended

    def refresh(self) -> Job[T_co]:
        """Ask for the job's present state; return the job."""
        self._learn(self._session.transport.run(self._session.calls.get(self.id)))
        return self

    def cancel(self) -> bool:
        """Cancel the job; tell whether it will end, or ended, as cancelled."""
        return self._cancel(None)

    def _cancel(self, deadline: float | None) -> bool:
        if self.ended:
            return self.status == "cancelled"
        steps = self._session.calls.cancel(self.id, deadline=deadline)
        accepted, info = self._session.transport.run(steps)
        if info is not None:
            self._learn(info)
        return accepted

    def delete(self) -> None:
        """Remove the ended job from the gateway, with its results and logs."""
        self._session.transport.run(self._session.calls.delete(self.id))

    @overload
    def logs(self, stream: Stream = "all", follow: Literal[False] = False) -> str: ...

    @overload
    def logs(
        self, stream: Stream = "all", *, follow: Literal[True]
    ) -> Iterator[str]: ...

    @overload
    def logs(self, stream: Stream, follow: Literal[True]) -> Iterator[str]: ...

    def logs(self, stream: Stream = "all", follow: bool = False) -> str | Iterator[str]:
        """Return what the task has written.

        Parameters
        ----------
        stream
            ``stdout``, ``stderr``, or both.
        follow
            Return an iterator instead, which gives pieces of text until the job ends.
        """
        if follow:
            return _streams.logs(self._session.transport, self.id, stream)
        return self._session.transport.run(self._session.calls.logs(self.id, stream))

    def events(self) -> Iterator[Json]:
        """Return the job's events, those so far and those to come, until it ends."""
        return _streams.job_events(self._session.transport, self.id)

    def artifacts(self) -> list[Artifact]:
        """Return the files that the task left in ``$SLIPWAY_OUTPUT``, once the job has ended."""
        self.wait()
        session = self._session
        found = session.transport.run(session.calls.artifacts(self.id))
        return [Artifact(session.transport, info_of(item)) for item in found]

    def artifact(self, name: str) -> Artifact:
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
        for artifact in self.artifacts():
            if artifact.name == name:
                return artifact
        raise NotFound(f"{self.id} left no file {name!r}", 404)

    def add_done_callback(self, callback: Callable[[Job[T_co]], object]) -> None:
        """Call back once when the job has ended, in a thread of the client.

        It is also called when the client is closed, or the gateway is away for too long; the
        job's status tells.

        Parameters
        ----------
        callback
            Is given the job; it must not block for long. What it raises is logged.
        """

        def call(_: Description) -> None:
            try:
                callback(self)
            except BaseException:
                # Not even `sys.exit` may end the thread that others wait for.
                _log.exception("a callback of %s failed", self.id)

        self._session.watcher.watch([self], call)

    def __await__(self) -> Generator[Any, None, T_co]:
        """Await the result without blocking the event loop."""
        return self._awaited().__await__()

    async def _awaited(self) -> T_co:
        # However many are awaited, one thread of the client waits for them all.
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def tell(_: Description) -> None:
            with contextlib.suppress(RuntimeError):  # The loop may be closed by now.
                loop.call_soon_threadsafe(ended.set)

        watcher = self._session.watcher
        await watcher.watch_from_loop([self], tell)
        try:
            await ended.wait()
        finally:
            # Who stops waiting leaves nothing behind.
            watcher.forget([self], tell)
        return await asyncio.to_thread(self.result)
