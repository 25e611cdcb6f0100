"""The blocking client."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, overload

from . import _collect, _credentials, _streams
from ._calls import CommandResult
from ._mapping import Mapping as JobMapping
from ._mapping import Results
from ._payload import ByValue
from ._progress import Bar, Progress, total_of
from ._query import Several, events_feed, jobs_query
from ._session import Call, Protocol, Session, Trust, batches
from ._steps import Json, Patience
from ._transport import Verify
from ._types import MapOptions, P, T
from .job import Job
from .options import OptionFields, Options

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack


class Client:
    """Submits work to a gateway.

    It may be used from many threads, and holds its connections open until `close`.

    Parameters
    ----------
    url, key
        Where the gateway is and the key to it; by default from ``SLIPWAY_URL`` and
        ``SLIPWAY_KEY``, else from the credentials file that the gateway writes.
    options
        What jobs ask for where nothing else is said.
    trust
        ``"pickle"``: results that JSON does not hold come back as pickles, and exceptions as
        themselves; so the sandbox can run code here. ``"json"``: nothing is unpickled, and
        exceptions are `TaskError` with texts.
    by_value
        What the caller's functions need and the sandbox does not have: modules, or their
        names, are pickled with the functions; a `pathlib.Path` to a folder travels as it is
        and can be imported from.
    retry_seconds
        For how long a request is tried again while the gateway is away or busy. A request
        that is sent again never runs a job a second time.
    verify
        How certificates are checked: a file or a folder with the authorities to trust, an SSL
        context, or False for not at all. By default ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` say,
        else the authorities that httpx brings.
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
        self._session = Session(credentials, trust, by_value, patience, verify)
        self._options = options or Options()

    @property
    def url(self) -> str:
        """Where the gateway is."""
        return self._session.url

    @property
    def defaults(self) -> Options:
        """What jobs of this client ask for."""
        return self._options

    def options(self, **changes: Unpack[OptionFields]) -> Client:
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
    def submit(
        self,
        fn: Callable[P, Coroutine[Any, Any, T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Job[T]: ...

    @overload
    def submit(
        self,
        fn: Callable[P, T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Job[T]: ...

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Job[Any]:
        """Submit a call; return its job as soon as the gateway has it on disk.

        Parameters
        ----------
        fn
            A function, coroutine function, or anything else that can be called and pickled.
        args, kwargs
            Its arguments.
        """
        body = self._session.drafts.call(self._options, Call(fn, args, kwargs))
        return self._submit(body)

    @overload
    def run(
        self,
        fn: Callable[P, Coroutine[Any, Any, T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T: ...

    @overload
    def run(
        self,
        fn: Callable[P, T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T: ...

    def run(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Submit a call, wait, and return what it returns, in one request where it is short.

        Parameters
        ----------
        fn, args, kwargs
            As for `submit`.
        """
        body = self._session.drafts.call(self._options, Call(fn, args, kwargs))
        return self._submit(body, wait=30).result()

    def submit_source(
        self, code: str, /, *args: Any, entrypoint: str = "main", **kwargs: Any
    ) -> Job:
        """Submit Python source; the sandbox may have another version of Python.

        Parameters
        ----------
        code
            A module's text.
        args, kwargs
            What its function is called with: JSON.
        entrypoint
            The function's name.
        """
        drafts = self._session.drafts
        return self._submit(
            drafts.source(self._options, code, entrypoint, args, kwargs)
        )

    def submit_command(
        self,
        argv: Sequence[str],
        stdin: str | bytes | None = None,
        files: Mapping[str, str | bytes] | None = None,
        protocol: Protocol | None = None,
    ) -> Job[CommandResult]:
        """Submit a command; its result is a `CommandResult`.

        Parameters
        ----------
        argv
            The program and its arguments; no shell reads them.
        stdin
            What it reads.
        files
            What lies in its working folder, by relative name.
        protocol
            ``"jsonl"``: lines of its output that are JSON objects become events.
        """
        drafts = self._session.drafts
        body = drafts.command(self._options, argv, stdin, files, protocol)
        return self._submit(body)

    def submit_handler(self, name: str, value: Any = None) -> Job:
        """Submit a call of a handler that the service has which the gateway is part of.

        Parameters
        ----------
        name
            The handler's name.
        value
            Its input: JSON.
        """
        return self._submit(self._session.drafts.handler(self._options, name, value))

    def submit_many(self, calls: Iterable[Call[T]]) -> list[Job[T]]:
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
        jobs: list[Job[T]] = []
        # All of them before the first goes out: one that cannot be made leaves no jobs behind.
        for number, batch in enumerate(list(batches(bodies))):
            steps = session.calls.batch(batch, key, number)
            jobs.extend(Job(session, info) for info in session.transport.run(steps))
        return jobs

    def _submit(self, body: Json, wait: float = 0) -> Job:
        session = self._session
        key = self._options.idempotency_key or session.drafts.new_key()
        steps = session.calls.submit(body, wait, key)
        return Job(session, session.transport.run(steps))

    @overload
    def map(
        self,
        fn: Callable[..., Coroutine[Any, Any, T]],
        /,
        *iterables: Iterable[Any],
        **how: Unpack[MapOptions],
    ) -> Results[T]: ...

    @overload
    def map(
        self,
        fn: Callable[..., T],
        /,
        *iterables: Iterable[Any],
        **how: Unpack[MapOptions],
    ) -> Results[T]: ...

    def map(
        self,
        fn: Any,
        /,
        *iterables: Iterable[Any],
        progress: Progress = False,
        chunksize: int = 1,
        ordered: bool = True,
    ) -> Results[Any]:
        """Call a function once for each item, many at a time; return an iterator of results.

        Jobs go out in batches from this call on, up to 10,000 or 64 MiB of results ahead of
        those that were taken. The first failure is raised where its result would stand, and
        ends the map; that, or closing the iterator, cancels what has not ended.

        Parameters
        ----------
        fn
            What to call; pickled once.
        iterables
            As for the built-in `map`.
        progress
            Draw a bar; a text stands before it. Needs tqdm.
        chunksize
            How many items one job takes; more are worth it where a call takes under 10 ms.
        ordered
            Give results in the order of the items, else as they come.
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
    ) -> Results[T]: ...

    @overload
    def starmap(
        self,
        fn: Callable[..., T],
        arguments: Iterable[Iterable[Any]],
        /,
        **how: Unpack[MapOptions],
    ) -> Results[T]: ...

    def starmap(
        self,
        fn: Any,
        arguments: Iterable[Iterable[Any]],
        /,
        *,
        progress: Progress = False,
        chunksize: int = 1,
        ordered: bool = True,
    ) -> Results[Any]:
        """Call a function once for each tuple of arguments, otherwise as `map` does.

        Parameters
        ----------
        fn
            What to call.
        arguments
            The positional arguments of each call.
        progress, chunksize, ordered
            As for `map`.
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
    ) -> Results[Any]:
        session = self._session
        bodies = session.drafts.map(self._options, fn, items, chunksize)
        bar = Bar(progress, total)
        key = self._options.idempotency_key
        try:
            mapping = JobMapping(session, bodies, ordered, key)
        except BaseException:
            bar.close()
            raise
        return Results(mapping, chunksize > 1, bar)

    def gather(self, jobs: Iterable[Job[T]], progress: Progress = False) -> list[T]:
        """Return the results of jobs in their order; the first failure is raised at once.

        Parameters
        ----------
        jobs
            Jobs, also of other clients.
        progress
            Draw a bar; a text stands before it. Needs tqdm.
        """
        return _collect.gather(jobs, progress)

    def as_completed(
        self, jobs: Iterable[Job[T]], timeout: float | None = None
    ) -> Iterator[Job[T]]:
        """Yield jobs as they end.

        Parameters
        ----------
        jobs
            Jobs, also of other clients.
        timeout
            Seconds until `WaitTimeout`.
        """
        return _collect.as_completed(list(jobs), timeout)

    def job(self, job_id: str) -> Job:
        """Return a job by its id, whoever of the tenant submitted it.

        Parameters
        ----------
        job_id
            The id.
        """
        session = self._session
        return Job(session, session.transport.run(session.calls.get(job_id)))

    def jobs(
        self,
        *,
        state: Several = None,
        label: Several = None,
        name: str | None = None,
    ) -> Iterator[Job]:
        """Yield the tenant's jobs, the newest first.

        Parameters
        ----------
        state
            One state or several.
        label
            ``key:value``, one or several.
        name
            The name.
        """
        asked = jobs_query(state, label, name)
        cursor: str | None = None
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = self._session.transport.run(
                self._session.calls.page({**asked, **more})
            )
            for info in page["jobs"]:
                yield Job(self._session, info)
            cursor = page["next_cursor"]
            if not cursor:
                return

    def events(self, label: Several = None, results: bool = False) -> Iterator[Json]:
        """Yield what happens to the tenant's jobs from now on, until the iterator is closed.

        An event of the type ``gap`` says that some were missed.

        Parameters
        ----------
        label
            ``key:value``, one or several.
        results
            Put the results of completed jobs in, where they are not large.
        """
        return _streams.events(self._session.transport, events_feed(label, results))

    def close(self) -> None:
        """Close the connections; jobs go on."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"
