"""Waits for many jobs over one stream of events, and by asking where there is none."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence

import httpx

from ._board import Board, Callback
from ._calls import Calls
from ._deadline import abort
from ._description import Description
from ._faults import remedy_of
from ._feed import RECONNECT_SECONDS, Feed
from ._streams import refuse
from ._transport import Transport
from .errors import NotFound, SlipwayError

_log = logging.getLogger("slipway")
LABEL = "slipway/client"
_FEW = 20
_LOOK_SECONDS = 0.5
_READY_SECONDS = 2.0
_PAGE = "500"
# The connection, the gateway, and answers that are not what they should be.
_BROKEN = (
    httpx.HTTPError,
    SlipwayError,
    ValueError,
    TypeError,
    LookupError,
    RuntimeError,
)


class Watcher:
    """Tells when jobs end.

    One thread reads the event stream of the client's jobs. Another asks for jobs one by one:
    those of other clients, and all of them where the gateway has no such stream. Both run
    only while somebody waits.

    Parameters
    ----------
    transport, calls
        How to ask.
    label
        What the client's own jobs are labelled with.
    """

    def __init__(self, transport: Transport, calls: Calls, label: str) -> None:
        self._transport = transport
        self._calls = calls
        self._label = label
        self._own = Board()
        self._others = Board()
        self._lock = threading.Lock()
        self._streamer: threading.Thread | None = None
        self._poller: threading.Thread | None = None
        self._live = False
        self._missing = False
        # Set while it is known whether there is a stream.
        self._known = threading.Event()
        self._closed = False
        self._open: httpx.Response | None = None

    @property
    def closed(self) -> bool:
        """Whether nothing is waited for any more."""
        return self._closed

    @contextlib.contextmanager
    def expecting(self) -> Iterator[None]:
        """Submit jobs within this, once `ready`, and what the stream says of them before is not lost."""
        self._own.expect()
        try:
            if not self._missing:
                self._start_streamer()
            yield
        finally:
            self._own.expect_no_more()

    def ready(self) -> None:
        """Wait, for a moment, until it is known whether there is a stream."""
        if not self._missing:
            self._known.wait(_READY_SECONDS)

    def watch(
        self,
        jobs: Iterable[Description],
        callback: Callback,
        fresh: bool = False,
        deadline: float | None = None,
    ) -> None:
        """Call back once for each job when it has ended, in some thread.

        It is also called when nobody can be asked any more; the job has not ended then.

        Parameters
        ----------
        jobs
            The jobs.
        callback
            What to call; it must not block.
        fresh
            They were submitted within `expecting`, so that the stream has all about them.
        deadline
            When to stop asking for jobs that ended before, on the clock of `time.monotonic`.

        Raises
        ------
        WaitTimeout
            When the deadline passed meanwhile; the jobs are watched all the same.
        """
        if self._closed:
            for job in jobs:
                callback(job)
            return
        own: list[Description] = []
        others: list[Description] = []
        for job in jobs:
            mine = (job.info.get("labels") or {}).get(LABEL) == self._label
            (own if mine and not self._missing else others).append(job)
        if others and self._others.add(others, callback):
            self._start_poller()
        if own and (left := self._own.add(own, callback)):
            live = self._start_streamer()
            self._look_at_doubted()
            # What ended before the stream began is not in it; a stream that only
            # begins now is followed by a look at all jobs.
            if live and not fresh:
                self._look(self._own, left, deadline)
        if self._closed:
            # Meanwhile, perhaps before these jobs were there to be released.
            self._release()

    async def watch_from_loop(
        self,
        jobs: Sequence[Description],
        callback: Callback,
        fresh: bool = False,
        deadline: float | None = None,
    ) -> None:
        """As `watch`, which may have to ask for jobs, without blocking an event loop.

        A cancellation undoes it, also where the thread has not come to it yet.

        Parameters
        ----------
        jobs, callback, fresh, deadline
            As for `watch`.
        """
        over = threading.Event()

        def work() -> None:
            try:
                self.watch(jobs, callback, fresh, deadline)
            finally:
                if over.is_set():
                    self.forget(jobs, callback)

        try:
            await asyncio.to_thread(work)
        except asyncio.CancelledError:
            over.set()
            self.forget(jobs, callback)
            raise

    def forget(self, jobs: Iterable[Description], callback: Callback) -> None:
        """Undo `watch`; whoever else waits for the same jobs goes on waiting.

        Parameters
        ----------
        jobs, callback
            As they were watched.
        """
        left = list(jobs)
        self._own.discard(left, callback)
        self._others.discard(left, callback)

    def close(self) -> None:
        """End both threads soon; what is waited for is given up."""
        with self._lock:
            self._closed = True
            response = self._open
        if response is not None:
            abort(response)
        self._release()

    def _release(self) -> None:
        self._own.release()
        self._others.release()

    def _start_streamer(self) -> bool:
        with self._lock:
            if self._streamer is None and not self._closed:
                self._known.clear()
                self._streamer = threading.Thread(
                    target=self._stream, name="slipway-events", daemon=True
                )
                self._streamer.start()
            return self._live

    def _start_poller(self) -> None:
        with self._lock:
            if self._poller is None and not self._closed:
                self._poller = threading.Thread(
                    target=self._poll, name="slipway-poll", daemon=True
                )
                self._poller.start()

    def _stream(self) -> None:
        try:
            self._follow()
        finally:
            # Whatever ended it, nobody may wait for a thread that is gone.
            if self._ended("_streamer"):
                # There is none, and whoever submits need not wait for it.
                self._known.set()
                self._own.release()

    def _ended(self, name: str) -> bool:
        """Forget this thread, unless it has been replaced; tell whether it was still there."""
        with self._lock:
            mine = getattr(self, name) is threading.current_thread()
            if mine:
                setattr(self, name, None)
            return mine

    def _follow(self) -> None:
        """Read the stream until nobody waits any more, or it is away for too long."""
        query = {
            "label": f"{LABEL}:{self._label}",
            "type": "job_update",
            "results": "true",
        }
        feed = Feed("/v1/events", query, "stream_id")
        heard_at = time.monotonic()
        while not self._closed:
            try:
                self._read(feed)
                if self._idle():
                    return
            except NotFound:
                self._without_stream()
                return
            except _BROKEN as error:
                _log.info("the event stream broke off: %s", error)
                if remedy_of(error):
                    return
            self._set_live(False)
            if feed.heard:
                feed.heard = False
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > self._calls.patience.seconds:
                return
            time.sleep(RECONNECT_SECONDS)

    def _set_live(self, live: bool) -> None:
        self._live = live
        if live:
            self._known.set()
        else:
            self._known.clear()

    def _read(self, feed: Feed) -> None:
        """Read the stream until it breaks, or nobody waits any more."""
        with self._transport.stream(feed.request()) as response:
            refuse(response)
            with self._lock:
                self._open = response
            try:
                for data in response.iter_bytes():
                    for event in feed.take(data):
                        if not self._live:
                            # From its first line on the stream misses nothing.
                            self._set_live(True)
                            self._look(self._own, self._own.watched())
                        if event is None:
                            if self._own.idle:
                                return
                        elif event.get("type") == "gap":
                            self._look(self._own, self._own.watched())
                        else:
                            self._own.hear(event)
                            self._look_at_doubted()
            finally:
                self._set_live(False)
                with self._lock:
                    self._open = None

    def _idle(self) -> bool:
        with self._lock:
            if not self._own.idle:
                return False
            self._streamer = None
            return True

    def _without_stream(self) -> None:
        """Hand all jobs to the poller: this gateway has no stream of all jobs."""
        with self._lock:
            self._missing = True
            self._streamer = None
            self._known.set()
        self._own.move_to(self._others)
        self._start_poller()

    def _poll(self) -> None:
        try:
            self._ask_in_turn()
        except _BROKEN as error:
            if not self._closed:
                _log.info("jobs cannot be asked for: %s", error)
        finally:
            if self._ended("_poller"):
                self._others.release()

    def _ask_in_turn(self) -> None:
        """Ask for one job after the other until nobody waits any more."""
        while not self._closed:
            jobs = self._others.watched()
            if not jobs:
                with self._lock:
                    if self._others.idle:
                        self._poller = None
                        return
                continue
            # Jobs mostly end in the order of their submission, and this answer has the
            # result in it.
            if not self._ask(self._others, jobs[0], _LOOK_SECONDS):
                self._look(self._others, jobs[1:])

    def _look(
        self, board: Board, jobs: list[Description], deadline: float | None = None
    ) -> None:
        """Ask for jobs which may have ended unnoticed."""
        if len(jobs) > _FEW:
            active = self._active(deadline)
            jobs = [job for job in jobs if job.id not in active]
        for job in jobs:
            if deadline is not None and time.monotonic() >= deadline:
                return
            self._ask(board, job, 0.001, deadline)

    def _look_at_doubted(self) -> None:
        """Ask for jobs of which an event said that they ended, and did not show it."""
        for job in self._own.doubted():
            self._ask(self._own, job, 0.001)

    def _ask(
        self,
        board: Board,
        job: Description,
        wait: float,
        deadline: float | None = None,
    ) -> bool:
        """Ask for one job; tell whether it need not be waited for any more."""
        try:
            steps = self._calls.get(job.id, wait, deadline)
            return board.learn(self._transport.run(steps))
        except NotFound:
            # Deleted: nothing will ever be heard of it.
            board.give_up(job)
            return True

    def _active(self, deadline: float | None) -> set[str]:
        query = {"state": "queued,starting,running", "limit": _PAGE}
        found: set[str] = set()
        while True:
            page = self._transport.run(self._calls.page(query, deadline))
            found.update(info["id"] for info in page["jobs"])
            if not page["next_cursor"]:
                return found
            query = {**query, "cursor": page["next_cursor"]}
