"""The client for callers with an event loop."""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from types import TracebackType
from typing import TYPE_CHECKING, Any, overload

from . import _async_collect, _async_streams, _credentials
from ._async_mapping import AsyncMapping, results
from ._async_session import AsyncSession
from ._calls import CommandResult
from ._payload import ByValue
from ._progress import Bar, Progress, total_of
from ._query import Several, events_feed, jobs_query
from ._session import Call, Protocol, Session, Trust, batches
from ._steps import Json, Patience
from ._transport import Verify
from ._types import MapOptions, P, T
from .async_job import AsyncJob
from .options import OptionFields, Options

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack


class AsyncClient:
    """Submits work to a gateway without blocking the event loop; `Client` with awaitables.

    It belongs to the event loop that first uses it. Cancelling a wait cancels no job.

    Parameters
    ----------
    url, key, options, trust, by_value, retry_seconds, verify
        As for `Client`.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        options: Options | None = None,
        trust: Trust = "pickle",
        by_value: Iterable[ByValue] = (),
        retry_seconds: float = 30.0,
        verify: Verify = True,
    ) -> None:
        credentials = _credentials.find(url, key)
        patience = Patience(seconds=retry_seconds)
        session = Session(credentials, trust, by_value, patience, verify)
        self._session = AsyncSession(session, credentials, verify)
        self._options = options or Options()

    @property
    def url(self) -> str:
        """Where the gateway is."""
        return self._session.url

    @property
    def defaults(self) -> Options:
        """What jobs of this client ask for."""
        return self._options

    def options(self, **changes: Unpack[OptionFields]) -> AsyncClient:
        """Return a view of this client whose jobs ask for something else.

        It shares the connections; closing one closes both.

        Parameters
        ----------
        changes
            Fields of `Options`.
        """
        view = object.__new__(type(self))
        view._session = self._session
        view._options = self._options.merge(**changes)
        return view

    @overload
    async def submit(
        self,
        fn: Callable[P, Coroutine[Any, Any, T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> AsyncJob[T]: ...

    @overload
    async def submit(
        self,
        fn: Callable[P, T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> AsyncJob[T]: ...

    async def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> AsyncJob[Any]:
        """Submit a call; return its job as soon as the gateway has it on disk.

        Parameters
        ----------
        fn, args, kwargs
            As for `Client.submit`.
        """
        body = self._session.drafts.call(self._options, Call(fn, args, kwargs))
        return await self._submit(body)

    @overload
    async def run(
        self,
        fn: Callable[P, Coroutine[Any, Any, T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T: ...

    @overload
    async def run(
        self,
        fn: Callable[P, T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T: ...

    async def run(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Submit a call, wait, and return what it returns, in one request where it is short.

        Parameters
        ----------
        fn, args, kwargs
            As for `Client.submit`.
        """
        body = self._session.drafts.call(self._options, Call(fn, args, kwargs))
        return await (await self._submit(body, wait=30)).result()

    async def submit_source(
        self, code: str, /, *args: Any, entrypoint: str = "main", **kwargs: Any
    ) -> AsyncJob:
        """Submit Python source; the sandbox may have another version of Python.

        Parameters
        ----------
        code, args, entrypoint, kwargs
            As for `Client.submit_source`.
        """
        drafts = self._session.drafts
        body = drafts.source(self._options, code, entrypoint, args, kwargs)
        return await self._submit(body)

    async def submit_command(
        self,
        argv: Sequence[str],
        stdin: str | bytes | None = None,
        files: Mapping[str, str | bytes] | None = None,
        protocol: Protocol | None = None,
    ) -> AsyncJob[CommandResult]:
        """Submit a command; its result is a `CommandResult`.

        Parameters
        ----------
        argv, stdin, files, protocol
            As for `Client.submit_command`.
        """
        drafts = self._session.drafts
        body = drafts.command(self._options, argv, stdin, files, protocol)
        return await self._submit(body)

    async def submit_handler(self, name: str, value: Any = None) -> AsyncJob:
        """Submit a call of a handler that the service has which the gateway is part of.

        Parameters
        ----------
        name
            The handler's name.
        value
            Its input: JSON.
        """
        return await self._submit(
            self._session.drafts.handler(self._options, name, value)
        )

    async def submit_many(self, calls: Iterable[Call[T]]) -> list[AsyncJob[T]]:
        """Submit many calls, up to 1000 in a request; return their jobs in order.

        All are pickled before the first is sent; for more than memory holds there is `map`.

        Parameters
        ----------
        calls
            The calls.
        """
        session = self._session
        key = self._options.idempotency_key or session.drafts.new_key()
        bodies = (session.drafts.call(self._options, call) for call in calls)
        jobs: list[AsyncJob[T]] = []
        # All of them before the first goes out: one that cannot be made leaves no jobs behind.
        for number, batch in enumerate(list(batches(bodies))):
            infos = await session.transport.run(session.calls.batch(batch, key, number))
            jobs.extend(AsyncJob(session, info) for info in infos)
        return jobs

    async def _submit(self, body: Json, wait: float = 0) -> AsyncJob:
        session = self._session
        key = self._options.idempotency_key or session.drafts.new_key()
        info = await session.transport.run(session.calls.submit(body, wait, key))
        return AsyncJob(session, info)

    @overload
    def map(
        self,
        fn: Callable[..., Coroutine[Any, Any, T]],
        /,
        *iterables: Iterable[Any],
        **how: Unpack[MapOptions],
    ) -> AsyncIterator[T]: ...

    @overload
    def map(
        self,
        fn: Callable[..., T],
        /,
        *iterables: Iterable[Any],
        **how: Unpack[MapOptions],
    ) -> AsyncIterator[T]: ...

    def map(
        self,
        fn: Any,
        /,
        *iterables: Iterable[Any],
        progress: Progress = False,
        chunksize: int = 1,
        ordered: bool = True,
    ) -> AsyncIterator[Any]:
        """Call a function once for each item, many at a time; return an iterator of results.

        Jobs go out when the first result is asked for.

        Parameters
        ----------
        fn, iterables, progress, chunksize, ordered
            As for `Client.map`.
        """
        total = total_of(iterables)
        items = zip(*iterables)
        return self._map(fn, items, total, progress, chunksize, ordered)

    @overload
    def starmap(
        self,
        fn: Callable[..., Coroutine[Any, Any, T]],
        arguments: Iterable[Iterable[Any]],
        /,
        **how: Unpack[MapOptions],
    ) -> AsyncIterator[T]: ...

    @overload
    def starmap(
        self,
        fn: Callable[..., T],
        arguments: Iterable[Iterable[Any]],
        /,
        **how: Unpack[MapOptions],
    ) -> AsyncIterator[T]: ...

    def starmap(
        self,
        fn: Any,
        arguments: Iterable[Iterable[Any]],
        /,
        *,
        progress: Progress = False,
        chunksize: int = 1,
        ordered: bool = True,
    ) -> AsyncIterator[Any]:
        """Call a function once for each tuple of arguments, otherwise as `map` does.

        Parameters
        ----------
        fn, arguments, progress, chunksize, ordered
            As for `Client.starmap`.
        """
        total = total_of([arguments])
        items = (tuple(args) for args in arguments)
        return self._map(fn, items, total, progress, chunksize, ordered)

    def _map(
        self,
        fn: Any,
        items: Iterable[tuple[Any, ...]],
        total: int | None,
        progress: Progress,
        chunksize: int,
        ordered: bool,
    ) -> AsyncIterator[Any]:
        session = self._session
        bodies = session.drafts.map(self._options, fn, items, chunksize)
        bar = Bar(progress, total)
        key = self._options.idempotency_key
        mapping = AsyncMapping(session, bodies, ordered, key)
        return results(mapping, chunksize > 1, bar)

    async def gather(
        self, jobs: Iterable[AsyncJob[T]], progress: Progress = False
    ) -> list[T]:
        """Return the results of jobs in their order; the first failure is raised at once.

        Parameters
        ----------
        jobs, progress
            As for `Client.gather`.
        """
        return await _async_collect.gather(list(jobs), progress)

    def as_completed(
        self, jobs: Iterable[AsyncJob[T]], timeout: float | None = None
    ) -> AsyncIterator[AsyncJob[T]]:
        """Yield jobs as they end.

        Parameters
        ----------
        jobs, timeout
            As for `Client.as_completed`.
        """
        return _async_collect.as_completed(list(jobs), timeout)

    async def job(self, job_id: str) -> AsyncJob:
        """Return a job by its id, whoever of the tenant submitted it.

        Parameters
        ----------
        job_id
            The id.
        """
        session = self._session
        return AsyncJob(session, await session.transport.run(session.calls.get(job_id)))

    async def jobs(
        self,
        *,
        state: Several = None,
        label: Several = None,
        name: str | None = None,
    ) -> AsyncIterator[AsyncJob]:
        """Yield the tenant's jobs, the newest first.

        Parameters
        ----------
        state, label, name
            As for `Client.jobs`.
        """
        session = self._session
        asked = jobs_query(state, label, name)
        cursor: str | None = None
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = await session.transport.run(session.calls.page({**asked, **more}))
            for info in page["jobs"]:
                yield AsyncJob(session, info)
            cursor = page["next_cursor"]
            if not cursor:
                return

    def events(
        self, label: Several = None, results: bool = False
    ) -> AsyncIterator[Json]:
        """Yield what happens to the tenant's jobs from now on, until the iterator is closed.

        Parameters
        ----------
        label, results
            As for `Client.events`.
        """
        feed = events_feed(label, results)
        return _async_streams.events(self._session.transport, feed)

    async def close(self) -> None:
        """Close the connections; jobs go on."""
        await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"
