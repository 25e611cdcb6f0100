"""Maps functions over many items: submits ahead, and hands results out as they come."""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import threading
import weakref
from collections.abc import Generator, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from ._calls import deadline_of
from ._collect import cancel_all
from ._description import Description
from ._ledger import TAKE_BACK_SECONDS, Backlog, Batch, Ledger, Source
from ._progress import Bar
from ._session import Session
from ._steps import Json
from ._types import T
from .errors import SlipwayError
from .job import Job

if TYPE_CHECKING:
    from typing_extensions import Self

_log = logging.getLogger("slipway")


class Mapping:
    """The jobs of a map: submitted ahead in batches, and handed out as they end.

    Parameters
    ----------
    session
        Where they go.
    bodies
        The submissions; read no further than needed. A failure to make one is raised after
        the jobs before it, or at once where there are none.
    ordered
        Whether the results come in the order of the submissions.
    key
        By which the submissions can be sent again.
    """

    def __init__(
        self,
        session: Session,
        bodies: Iterable[Json],
        ordered: bool,
        key: str | None = None,
    ) -> None:
        self._session = session
        self._source = Source(bodies)
        self._backlog = Backlog(self._source)
        self._key = key or session.drafts.new_key()
        self._condition = threading.Condition()
        self._ledger = Ledger(ordered)
        self._closed = self._stopped = False
        self._process = os.getpid()
        try:
            while not (self._ledger.pending or self._ledger.complete):
                self._submit()
        except BaseException:
            # Nobody gets the iterator that would.
            self.close()
            raise
        if not self._ledger.pending:
            self._source.check()

    def _submit(self) -> None:
        """Submit one more batch, if there is one and the queue has room."""
        session = self._session
        batch = self._backlog.next(self._ledger)
        if batch is None:
            self._ledger.complete = True
            return
        steps = batch.steps(session.calls, self._key)
        with session.watcher.expecting():
            session.watcher.ready()
            try:
                infos = session.transport.run(steps)
                jobs = [Job(session, info) for info in infos or ()]
                with self._condition:
                    if infos is None:
                        self._ledger.refuse(batch)
                        return
                    self._ledger.add(jobs)
            except Exception:
                raise
            except BaseException:
                self._take_back(batch)
                raise
            self._backlog.sent(batch)
            session.watcher.watch(jobs, self._note, fresh=True)
        if self._stopped:
            # By another thread, meanwhile.
            self._cancel(jobs)

    def _take_back(self, batch: Batch) -> None:
        """Cancel the jobs of an interrupted submission, which the gateway may have."""
        session = self._session
        deadline = deadline_of(TAKE_BACK_SECONDS)
        try:
            # The same key brings the same jobs.
            steps = batch.again(session.calls, self._key, deadline)
            infos = session.transport.run(steps)
        except (SlipwayError, RuntimeError) as error:
            _log.info("jobs of an interrupted map may go on: %s", error)
            return
        cancel_all([Job(session, info) for info in infos])

    def _note(self, job: Description) -> None:
        with self._condition:
            self._ledger.note(job)
            self._condition.notify_all()

    def jobs(self) -> Generator[Job, None, None]:
        """Yield the jobs when they have ended."""
        ledger = self._ledger
        while not self._stopped:
            # Once something is there the caller works on it, and more goes out later.
            while ledger.wants_more and not (ledger.ready or self._stopped):
                self._submit()
            if ledger.wants_more and not self._stopped:
                self._submit()
            if ledger.complete and not ledger.pending:
                self._source.check()
                return
            with self._condition:
                if not self._condition.wait_for(
                    lambda: ledger.ready or ledger.wants_more or self._stopped,
                    ledger.pause,
                ):
                    ledger.probe()
                if self._stopped:
                    return
                if not ledger.ready:
                    continue
                job = ledger.take()
            assert isinstance(job, Job)
            if not job.ended:
                job.wait()
            yield job

    def stop(self) -> None:
        """End `jobs`, in whichever thread that is; nothing blocks."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()

    def close(self) -> None:
        """Cancel what nobody will ask for any more."""
        # A forked process has a copy, but the jobs are its parent's.
        if self._closed or os.getpid() != self._process:
            return
        self._closed = True
        self.stop()
        with self._condition:
            left = [job for job in self._ledger.left() if isinstance(job, Job)]
        self._cancel(left)

    def _cancel(self, jobs: list[Job]) -> None:
        self._session.watcher.forget(jobs, self._note)
        cancel_all(jobs)


class Results(Iterator[T]):
    """The results of a map, one after the other.

    Its end, the first failure, `close`, and dropping it cancel the jobs that have not ended.

    Parameters
    ----------
    mapping
        The jobs.
    chunked
        Whether each job has the results of many items.
    bar
        Counts the items.
    """

    def __init__(self, mapping: Mapping, chunked: bool, bar: Bar) -> None:
        self._mapping = mapping
        self._bar = bar
        self._items: Generator[T, None, None] = _items(mapping, chunked, bar)
        self._dropped = weakref.finalize(self, _drop, mapping)

    def __next__(self) -> T:
        try:
            return next(self._items)
        except BaseException:
            # Unless it was refused because another thread waits in it.
            if inspect.getgeneratorstate(self._items) != inspect.GEN_RUNNING:
                self.close()
            raise

    def stop(self) -> None:
        """End a wait for the next result in another thread, before `close`."""
        self._mapping.stop()

    def close(self) -> None:
        """Cancel the jobs that have not ended; nothing more comes, in no thread."""
        self._dropped.detach()
        self._mapping.close()
        with contextlib.suppress(
            ValueError
        ):  # Another thread is in it, and finds its end.
            self._items.close()
        self._bar.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _items(mapping: Mapping, chunked: bool, bar: Bar) -> Generator[T, None, None]:
    for job in mapping.jobs():
        value = job.result()
        bar.advance(len(value) if chunked else 1)
        if chunked:
            yield from value
        else:
            yield value


def _drop(mapping: Mapping) -> None:
    """Cancel the jobs of a map whose iterator is gone."""
    if threading.main_thread().is_alive():
        # Objects are dropped in any thread, also in one that holds a lock needed for this.
        # The thread is waited for at the end of the program.
        try:
            threading.Thread(target=mapping.close, name="slipway-drop").start()
            return
        except RuntimeError:
            pass  # The interpreter ends and starts no more threads.
    mapping.close()
