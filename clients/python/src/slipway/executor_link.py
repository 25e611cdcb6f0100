"""The way of an executor to the gateway: what it asks, in terms of the client's own steps."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from . import _results, _streams
from ._calls import TERMINAL, Calls
from ._feed import Feed
from ._steps import Json, Patience
from .errors import (
    APIError,
    AuthenticationError,
    NotFound,
    SlipwayError,
    TaskProtocolError,
    Unavailable,
)
from .job import Job

if TYPE_CHECKING:
    from .client import Client

logger = logging.getLogger("slipway.executor")

LABEL_KEY = "slipway.executor"
# Long enough for a gateway that restarts. The same request is repeated, so nothing is submitted twice.
_PATIENCE = Patience(seconds=300)
# Somebody waits for the answer to a cancel, perhaps an event loop.
_CANCEL_PATIENCE = Patience(seconds=5)
_PAGE = 500
_SHORTEST_WAIT = 0.001
_TOO_BUSY = (408, 429)


class StreamMissing(Exception):
    """The gateway has no event stream of all jobs."""


class StreamBroken(Exception):
    """The event stream ended; what happened since has to be asked for."""


def concerns_one(error: SlipwayError) -> bool:
    """Tell whether an answer is about the job that was asked for, and others may be answered well.

    Parameters
    ----------
    error
        What became of a request about one job, after all tries.
    """
    if isinstance(error, (AuthenticationError, Unavailable)):
        return False
    if isinstance(error, APIError):
        return error.status not in _TOO_BUSY
    # An answer that cannot be read; a client that was closed is one for all.
    return not isinstance(error, RuntimeError)


@dataclass
class Outcome:
    """How a job ended.

    Attributes
    ----------
    value
        What it returned.
    error
        Or what it raised.
    cancelled
        Or that it was cancelled; ``error`` says so, too.
    """

    value: Any = None
    error: BaseException | None = None
    cancelled: bool = False


@dataclass(frozen=True)
class Prepared:
    """A call as it is sent: one job of a batch, encoded."""

    body: bytes


class Link:
    """The requests that an executor makes; may be used by many threads.

    Parameters
    ----------
    client
        The client to use; nothing for one of its own.
    options
        What the jobs ask for.
    """

    def __init__(self, client: Client | None, options: dict[str, Any]) -> None:
        from .client import Client

        self._own = Client() if client is None else None
        base = client or self._own
        assert base is not None
        value = uuid.uuid4().hex
        self.label = f"{LABEL_KEY}:{value}"
        labels = {**(base.defaults.labels or {}), **(options.pop("labels", None) or {})}
        self._client = base.options(**options, labels={**labels, LABEL_KEY: value})
        self._session = self._client._session
        self._drafts = self._session.drafts
        self._calls = Calls(_PATIENCE)
        self._cancels = Calls(_CANCEL_PATIENCE)
        self._feed = Feed(
            "/v1/events",
            {"label": self.label, "type": "job_update", "results": "true"},
            "stream_id",
        )
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._interrupted = False

    def prepare(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str | None,
    ) -> Prepared:
        """Pickle a call and encode its submission."""
        return self._encoded(self._drafts.pickler.task(fn, args, kwargs), name)

    def prepare_all(
        self,
        fn: Callable[..., Any],
        arguments: Iterable[tuple[Any, ...]],
        name: str | None,
    ) -> Iterator[Prepared]:
        """Pickle a function once, and encode a submission for each of the argument tuples."""
        for task in self._drafts.pickler.tasks(fn, arguments):
            yield self._encoded(task, name)

    def _encoded(self, task: Json, name: str | None) -> Prepared:
        body = self._drafts.body(self._client.defaults, task, name)
        return Prepared(json.dumps(body, separators=(",", ":")).encode())

    def send(self, calls: Sequence[Prepared]) -> list[Job]:
        """Submit calls in one request: all or none."""
        steps = self._calls.batch([call.body for call in calls])
        jobs = self._session.transport.run(steps)
        return [Job(self._session, info) for info in jobs]

    def unfinished(self) -> dict[str, str]:
        """Return the states of all jobs of the executor that have not ended, by id.

        They are none where the gateway cannot list them, so that whoever asks looks at each by itself.
        """
        states: dict[str, str] = {}
        query = {
            "label": self.label,
            "state": "queued,starting,running",
            "limit": str(_PAGE),
        }
        while True:
            page = self._page(query)
            if page is None:
                return {}
            states.update((job["id"], job["state"]) for job in page["jobs"])
            if not page.get("next_cursor"):
                return states
            query["cursor"] = page["next_cursor"]

    def _page(self, query: Mapping[str, str]) -> Json | None:
        """Ask for some jobs; nothing where a fault of one of them may spoil the answer."""
        try:
            return self._session.transport.run(self._calls.page(query))
        except SlipwayError as error:
            if not concerns_one(error):
                raise
            logger.warning("jobs are asked for one by one: %s", error)
            return None

    def fetch(self, job_id: str, wait: float = 0) -> Outcome | str:
        """Ask for one job; return its outcome, or its state when it has not ended.

        Parameters
        ----------
        job_id
            Which job.
        wait
            Seconds that the gateway may wait for its end.
        """
        # Without any wait the answer would leave out the result.
        return self._asked(self._calls, job_id, max(wait, _SHORTEST_WAIT))

    def look(self, job_id: str) -> Outcome | str:
        """As `fetch`, for somebody who does not wait for a gateway that is away."""
        return self._asked(self._cancels, job_id, _SHORTEST_WAIT)

    def _asked(self, calls: Calls, job_id: str, wait: float) -> Outcome | str:
        try:
            info = self._session.transport.run(calls.get(job_id, wait))
        except SlipwayError as error:
            if not concerns_one(error):
                raise
            return Outcome(error=error)
        if info["state"] not in TERMINAL:
            return str(info["state"])
        return self._outcome(info)

    def outcome_of_event(self, event: Json) -> Outcome | None:
        """Return the outcome that an event of the stream brought, or nothing if it has to be asked for."""
        result = event.get("result")
        if event.get("status") != "completed" or not isinstance(result, dict):
            return None
        return self._outcome(
            {
                "id": event["job_id"],
                "state": "completed",
                "kind": "callable",
                "result": result,
            }
        )

    def _outcome(self, info: Json) -> Outcome:
        job = Job(self._session, info)
        steps = self._calls.outcome(info, job, self._session.trusted)
        try:
            value, error = self._session.transport.run(steps)
        except Exception as raised:
            if isinstance(raised, SlipwayError) and not concerns_one(raised):
                raise
            value, error = None, raised
            if info["state"] != "completed":
                # The exception itself cannot be had, so its texts have to do.
                error = _results.failure_of(info, job)
        except BaseException as raised:  # noqa: BLE001
            # Unpickling runs code of the task's, which may raise SystemExit, too: not in the thread of a caller.
            value = None
            error = TaskProtocolError(
                f"the result of {job.id} cannot be unpickled: {raised!r}",
                job=job,
                kind="protocol",
            )
            error.__cause__ = raised
        return Outcome(value, error, info["state"] == "cancelled")

    def cancel_unstarted(self, job_id: str) -> bool:
        """Cancel a job that waits in the gateway's queue, and no other; tell whether it is cancelled."""
        try:
            steps = self._cancels.cancel(job_id, queued=True)
            return self._session.transport.run(steps)[0]
        except NotFound:
            return False

    def cancel(self, job_id: str) -> None:
        """Cancel a job, whether it has started or not."""
        self._session.transport.run(self._cancels.cancel(job_id))

    @contextlib.contextmanager
    def stream(self) -> Iterator[Iterator[Json | None]]:
        """Open the event stream; gives the events, and nothing for each sign of life.

        Raises
        ------
        StreamMissing
            The gateway has none.
        StreamBroken
            It could not be opened now, broke, or was interrupted. The next one goes on where this one ended.
        """
        try:
            with self._session.transport.stream(self._feed.request()) as response:
                self._refuse(response)
                self._watch_socket(response)
                yield self._events(response)
        except (httpx.HTTPError, OSError, ValueError) as error:
            raise StreamBroken(str(error)) from error
        finally:
            with self._lock:
                self._socket = None

    @staticmethod
    def _refuse(response: httpx.Response) -> None:
        try:
            _streams.refuse(response)
        except AuthenticationError:
            raise
        except APIError as error:
            if error.status >= 500 or error.status in _TOO_BUSY:
                raise StreamBroken(str(error)) from error
            raise StreamMissing(str(error)) from error

    def _watch_socket(self, response: httpx.Response) -> None:
        network = response.extensions.get("network_stream")
        found = network.get_extra_info("socket") if network is not None else None
        with self._lock:
            self._socket = found if isinstance(found, socket.socket) else None
            if self._interrupted:
                raise StreamBroken("the executor has ended")

    def _events(self, response: httpx.Response) -> Iterator[Json | None]:
        for data in response.iter_bytes():
            yield from self._feed.take(data)
        raise StreamBroken("the gateway ended the stream")

    def interrupt(self) -> None:
        """End the stream that another thread reads, and let none begin any more."""
        with self._lock:
            self._interrupted = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the client if it is the executor's own."""
        if self._own is not None:
            self._own.close()
