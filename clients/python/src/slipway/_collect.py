"""Waits for many jobs at a time, of one client or of several."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ._calls import deadline_of
from ._progress import Bar, Progress
from ._session import Session
from ._types import T
from .errors import SlipwayError, WaitTimeout
from .job import Job

_log = logging.getLogger("slipway")
_CANCELS_AT_A_TIME = 8
_CANCELS_SECONDS = 30.0


def as_completed(jobs: Sequence[Job[T]], timeout: float | None) -> Iterator[Job[T]]:
    """Yield jobs as they end; `WaitTimeout` when the time is over.

    Parameters
    ----------
    jobs
        The jobs.
    timeout
        Seconds in all.
    """
    deadline = deadline_of(timeout)
    ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
    tell = ended.put
    left = {id(job): job for job in jobs}
    sessions = by_session(left.values())
    try:
        for session, theirs in sessions:
            session.watcher.watch(theirs, tell, deadline=deadline)
        while left:
            job = _next(ended, deadline, len(left))
            # The watcher may have given up: asking here says why.
            if not job.ended and not job.wait(_seconds_until(deadline)):
                raise WaitTimeout(f"{len(left)} jobs have not ended")
            left.pop(id(job))
            yield job
    finally:
        for session, theirs in sessions:
            session.watcher.forget(theirs, tell)


def by_session(jobs: Iterable[Job[T]]) -> list[tuple[Session, list[Job[T]]]]:
    """Return the jobs of each client.

    Parameters
    ----------
    jobs
        The jobs.
    """
    found: dict[int, tuple[Session, list[Job[T]]]] = {}
    for job in jobs:
        session = job._session
        found.setdefault(id(session), (session, []))[1].append(job)
    return list(found.values())


def _seconds_until(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def _next(ended: queue.SimpleQueue[Any], deadline: float | None, left: int) -> Job[Any]:
    try:
        job: Job[Any] = ended.get(timeout=_seconds_until(deadline))
    except queue.Empty:
        raise WaitTimeout(f"{left} jobs have not ended") from None
    return job


def gather(jobs: Iterable[Job[T]], progress: Progress = False) -> list[T]:
    """Return the results of jobs in their order; the first failure is raised at once.

    Parameters
    ----------
    jobs
        Jobs, also of several clients.
    progress
        Draw a bar; a text stands before it. Needs tqdm.
    """
    jobs = list(jobs)
    for job in jobs:
        if not isinstance(job, Job):
            kind = type(job).__name__
            raise TypeError(
                f"gather takes jobs of a Client, not {kind}; "
                "in an event loop, await AsyncClient.gather or asyncio.gather"
            )
    with Bar(progress, len(jobs)) as bar:
        for job in as_completed(jobs, None):
            job.result()
            bar.advance()
    return [job.result() for job in jobs]


def cancel_all(jobs: Sequence[Job]) -> None:
    """Cancel jobs that nobody will ask for any more, as far as that goes.

    Parameters
    ----------
    jobs
        The jobs.
    """
    deadline = time.monotonic() + _CANCELS_SECONDS
    waiting = iter(jobs)

    def work() -> None:
        for job in waiting:
            if time.monotonic() >= deadline:
                _log.info("%s was not cancelled: no time is left", job.id)
                continue
            try:
                job._cancel(deadline)
            except (SlipwayError, RuntimeError) as error:
                # It is gone, the gateway is away, or the client closed: the others count, too.
                _log.info("%s was not cancelled: %s", job.id, error)

    helpers: list[threading.Thread] = []
    # At the end of the interpreter there are no more threads.
    with contextlib.suppress(RuntimeError):
        for _ in range(min(_CANCELS_AT_A_TIME, len(jobs)) - 1):
            helper = threading.Thread(target=work, name="slipway-cancel")
            helper.start()
            helpers.append(helper)
    work()
    for helper in helpers:
        helper.join()
