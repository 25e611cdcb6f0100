"""Which jobs of a map are out, have ended, and were handed out: no input or output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ._description import Description
from ._steps import Json

FIRST_BATCH = 100
"""Jobs in the first batch of a map, so that work begins while the next is pickled."""

HELD_BYTES = 64 << 20
"""Bytes of results that may wait to be taken before no more jobs go out."""

TAKE_BACK_SECONDS = 3.0
"""How long the jobs of a submission are asked for whose answer was not read: somebody interrupted it."""

_AHEAD = 10000
_BUSY = 2000


class Source:
    """The submissions of a map up to the first that cannot be made.

    Parameters
    ----------
    bodies
        The submissions.
    """

    def __init__(self, bodies: Iterable[Json]) -> None:
        self._bodies = bodies
        self._failure: Exception | None = None

    def __iter__(self) -> Iterator[Json]:
        try:
            yield from self._bodies
        except Exception as error:  # noqa: BLE001
            # Of the caller's iterable, or of pickling: it stands where its result would.
            self._failure = error

    def check(self) -> None:
        """Raise why no more submissions could be made, if that is so."""
        if self._failure is not None:
            raise self._failure


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
        # Those that have ended and were not handed out, with the bytes of their results.
        self._ended: dict[int, int] = {}
        self._held = 0

    @property
    def wants_more(self) -> bool:
        """Whether another batch should go out: enough is to do, and little is waiting."""
        if self.complete or len(self.pending) >= _AHEAD or self._held >= HELD_BYTES:
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
        if id(job) in self.pending and id(job) not in self._ended:
            size = self._ended[id(job)] = _size(job)
            self._held += size

    def take(self) -> Description:
        """Hand out a job."""
        key = next(iter(self.pending if self._ordered else self._ended))
        self._held -= self._ended.pop(key)
        return self.pending.pop(key)

    def left(self) -> list[Description]:
        """Return the jobs that were not handed out and have not ended."""
        return [job for job in self.pending.values() if not job.ended]


def _size(job: Description) -> int:
    """Return about how many bytes the result takes that came with the end of a job."""
    result = job.info.get("result")
    if not isinstance(result, dict):
        return 0
    data = result.get("data")
    # A value that came as JSON is not larger than what an event may hold.
    return len(data) if isinstance(data, str) else len(str(result.get("value", "")))
