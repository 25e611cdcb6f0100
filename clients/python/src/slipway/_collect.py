"""Waits for many jobs at a time, and maps functions over many items."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any

from ._description import Description
from ._ledger import FIRST_BATCH, Ledger
from ._progress import Bar, Progress
from ._session import Session, batches
from ._steps import Json
from .errors import SlipwayError, WaitTimeout
from .job import Job


def as_completed(
    session: Session, jobs: Sequence[Job], timeout: float | None
) -> Iterator[Job]:
    """Yield jobs as they end; `WaitTimeout` when the time is over.

    Parameters
    ----------
    session
        Where the jobs are.
    jobs
        The jobs.
    timeout
        Seconds in all.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
    left = {id(job): job for job in jobs}
    session.watcher.watch(left.values(), ended.put)
    try:
        while left:
            job = _next(ended, deadline, len(left))
            if not job.ended:
                # The watcher gave up: asking here says why.
                job.wait(None if deadline is None else deadline - time.monotonic())
            left.pop(id(job))
            yield job
    finally:
        session.watcher.forget(left.values())


def _next(ended: queue.SimpleQueue[Any], deadline: float | None, left: int) -> Job:
    try:
        if deadline is None:
            job: Job = ended.get()
        else:
            job = ended.get(timeout=max(0.0, deadline - time.monotonic()))
    except queue.Empty:
        raise WaitTimeout(f"{left} jobs have not ended") from None
    return job


def gather(session: Session, jobs: Sequence[Job], progress: Progress) -> list[Any]:
    """Return the results of jobs in their order; raise the first failure that is seen.

    Parameters
    ----------
    session
        Where the jobs are.
    jobs
        The jobs.
    progress
        Whether to draw a bar.
    """
    with Bar(progress, len(jobs)) as bar:
        for job in as_completed(session, jobs, None):
            job.result()
            bar.advance()
    return [job.result() for job in jobs]


class Mapping:
    """The jobs of a map: submitted ahead in batches, and handed out as they end.

    Parameters
    ----------
    session
        Where they go.
    bodies
        The submissions; read no further than needed.
    ordered
        Whether the results come in the order of the submissions.
    """

    def __init__(self, session: Session, bodies: Iterable[Json], ordered: bool) -> None:
        self._session = session
        self._batches = batches(bodies, FIRST_BATCH)
        self._condition = threading.Condition()
        self._ledger = Ledger(ordered)
        self._submit()

    def _submit(self) -> None:
        """Submit one more batch, if there is one."""
        session = self._session
        batch = next(self._batches, None)
        if batch is None:
            self._ledger.complete = True
            return
        with session.watcher.expecting():
            infos = session.transport.run(session.calls.batch(batch))
            jobs = [Job(session, info) for info in infos]
            with self._condition:
                self._ledger.add(jobs)
            session.watcher.watch(jobs, self._note, fresh=True)

    def _note(self, job: Description) -> None:
        with self._condition:
            self._ledger.note(job)
            self._condition.notify_all()

    def jobs(self) -> Generator[Job, None, None]:
        """Yield the jobs when they have ended."""
        ledger = self._ledger
        try:
            while True:
                # Once something is there the caller works on it, and more goes out later.
                while ledger.wants_more and not ledger.ready:
                    self._submit()
                if ledger.wants_more:
                    self._submit()
                if not ledger.pending:
                    return
                with self._condition:
                    self._condition.wait_for(lambda: ledger.ready)
                    job = ledger.take()
                assert isinstance(job, Job)
                if not job.ended:
                    job.wait()
                yield job
        finally:
            self._cancel()

    def _cancel(self) -> None:
        """Cancel what nobody will ask for any more."""
        left = self._ledger.left()
        self._session.watcher.forget(left)
        for job in left:
            try:
                if isinstance(job, Job):
                    job.cancel()
            except (SlipwayError, RuntimeError):
                return  # The gateway is away, or the client closed.


def results(mapping: Mapping, chunked: bool, bar: Bar) -> Iterator[Any]:
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
    with bar, contextlib.closing(mapping.jobs()) as jobs:
        for job in jobs:
            value = job.result()
            bar.advance(len(value) if chunked else 1)
            if chunked:
                yield from value
            else:
                yield value
