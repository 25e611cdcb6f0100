"""Waits for many jobs at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from ._session import Session
from .errors import WaitTimeout
from .job import Job


def gather(jobs: Sequence[Job]) -> list[Any]:
    """Return the results of jobs in their order."""
    return [job.result() for job in jobs]


def as_completed(
    session: Session, jobs: Sequence[Job], timeout: float | None
) -> Iterator[Job]:
    """Yield jobs as they end."""
    deadline = None if timeout is None else time.monotonic() + timeout
    left = list(jobs)
    while left:
        for job in [job for job in left if job.ended]:
            left.remove(job)
            yield job
        if not left:
            return
        if deadline is not None and time.monotonic() > deadline:
            raise WaitTimeout(f"{len(left)} of {len(jobs)} jobs have not ended")
        left[0].wait(0.1)
        for job in left[1:]:
            job.refresh()
