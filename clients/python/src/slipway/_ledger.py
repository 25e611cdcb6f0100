"""Which jobs of a map are out, have ended, and were handed out: no input or output."""

from __future__ import annotations

from collections.abc import Iterable

from ._description import Description

FIRST_BATCH = 100
"""Jobs in the first batch of a map, so that work begins while the next is pickled."""

_AHEAD = 10000
_BUSY = 2000


class Ledger:
    """The jobs of a map.

    Parameters
    ----------
    ordered
        Whether they are handed out in the order of their submission.

    Attributes
    ----------
    complete
        Whether everything was submitted.
    pending
        The jobs that were not handed out, in order.
    """

    def __init__(self, ordered: bool) -> None:
        self.complete = False
        self.pending: dict[int, Description] = {}
        self._ordered = ordered
        self._ended: dict[int, Description] = {}

    @property
    def wants_more(self) -> bool:
        """Whether another batch should go out: enough is to do, and little is waiting."""
        if self.complete or len(self.pending) >= _AHEAD:
            return False
        return len(self.pending) - len(self._ended) < _BUSY

    @property
    def ready(self) -> bool:
        """Whether a job can be handed out."""
        if not self._ordered:
            return bool(self._ended)
        return next(iter(self.pending), None) in self._ended

    def add(self, jobs: Iterable[Description]) -> None:
        """Take jobs that were submitted."""
        self.pending.update((id(job), job) for job in jobs)

    def note(self, job: Description) -> None:
        """Take notice that a job has ended, or will not be heard of."""
        if id(job) in self.pending:
            self._ended[id(job)] = job

    def take(self) -> Description:
        """Hand out a job."""
        key = next(iter(self.pending if self._ordered else self._ended))
        del self._ended[key]
        return self.pending.pop(key)

    def left(self) -> list[Description]:
        """Return the jobs that were not handed out and have not ended."""
        return [job for job in self.pending.values() if not job.ended]
