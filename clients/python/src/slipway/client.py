"""The blocking client."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from . import _collect, _credentials, _streams
from ._feed import Feed
from ._payload import ByValue
from ._session import Call, Session, Trust, batches
from ._steps import Json, Patience
from .job import Job
from .options import Options


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
        How certificates are checked: False, or an SSL context.
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
        verify: ssl.SSLContext | bool = True,
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

    def options(self, **changes: Any) -> Client:
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

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Job:
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
    ) -> Job:
        """Submit a command; its result is a `CommandResult`.

        Parameters
        ----------
        argv
            The program and its arguments; no shell reads them.
        stdin
            What it reads.
        files
            What lies in its working folder, by relative name.
        """
        drafts = self._session.drafts
        return self._submit(drafts.command(self._options, argv, stdin, files))

    def submit_many(self, calls: Iterable[Call]) -> list[Job]:
        """Submit many calls, up to 1000 in a request; return their jobs in order.

        Parameters
        ----------
        calls
            The calls.
        """
        drafts = self._session.drafts
        return list(self._submit_all(drafts.call(self._options, c) for c in calls))

    def _submit(self, body: Json, wait: float = 0) -> Job:
        session = self._session
        return Job(session, session.transport.run(session.calls.submit(body, wait)))

    def _submit_all(self, bodies: Iterable[Json]) -> Iterator[Job]:
        session = self._session
        for batch in batches(bodies):
            for info in session.transport.run(session.calls.batch(batch)):
                yield Job(session, info)

    def gather(self, jobs: Iterable[Job]) -> list[Any]:
        """Return the results of jobs in their order; the first failure is raised.

        Parameters
        ----------
        jobs
            Jobs of this client.
        """
        return _collect.gather(list(jobs))

    def as_completed(
        self, jobs: Iterable[Job], timeout: float | None = None
    ) -> Iterator[Job]:
        """Yield jobs as they end.

        Parameters
        ----------
        jobs
            Jobs of this client.
        timeout
            Seconds until `WaitTimeout`.
        """
        return _collect.as_completed(self._session, list(jobs), timeout)

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
        state: str | Iterable[str] | None = None,
        label: str | Iterable[str] | None = None,
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
        query = {"state": _listed(state), "label": _listed(label), "name": name}
        asked = {key: value for key, value in query.items() if value is not None}
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

    def events(
        self, label: str | Iterable[str] | None = None, results: bool = False
    ) -> Iterator[Json]:
        """Yield what happens to the tenant's jobs from now on, until the iterator is closed.

        An event of the type ``gap`` says that some were missed.

        Parameters
        ----------
        label
            ``key:value``, one or several.
        results
            Put the results of completed jobs in, where they are not large.
        """
        query = {"label": _listed(label), "results": "true" if results else None}
        feed = Feed(
            "/v1/events",
            {key: value for key, value in query.items() if value is not None},
            "stream_id",
        )
        return (
            e for e in _streams.follow(self._session.transport, feed) if e is not None
        )

    def close(self) -> None:
        """Close the connections; jobs go on."""
        self._session.close()

    def __enter__(self) -> Client:
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


def _listed(values: str | Iterable[str] | None) -> str | None:
    if values is None or isinstance(values, str):
        return values
    return ",".join(values)
