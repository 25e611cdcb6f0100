"""Which jobs of a map are out, have ended, and were handed out: no input or output."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ._calls import Calls
from ._description import Description
from ._session import batches
from ._steps import Json, Steps

FIRST_BATCH = 100
"""Jobs in the first batch of a map, so that work begins while the next is pickled."""

HELD_BYTES = 64 << 20
"""Bytes of results that may wait to be taken before no more jobs go out."""

TAKE_BACK_SECONDS = 3.0
"""How long the jobs of a submission are asked for whose answer was not read: somebody interrupted it."""

_AHEAD = 10000
_BUSY = 2000
# Of the room that a short queue has for a map, one part is free before more goes out.
_ROOM_PARTS = 4
_PROBE_SECONDS = 1.0


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


@dataclass(frozen=True)
class Batch:
    """Submissions of a map that go out in one request.

    Attributes
    ----------
    bodies
        The submissions.
    number, offset
        Which batch they are of, and how many of that were sent before.
    unfinished
        How many jobs of the map had not ended before.
    patient
        Whether to wait for room in the queue, which no job of the map will make.
    """

    bodies: list[bytes]
    number: int
    offset: int
    unfinished: int
    patient: bool

    def steps(self, calls: Calls, key: str) -> Steps[list[Json] | None]:
        """Return the submission, which brings nothing where the queue is full.

        Parameters
        ----------
        calls
            Makes it.
        key
            That of the map.
        """
        if self.patient:
            return self.again(calls, key, None)
        return calls.batch_if_room(self.bodies, key, self.number, self.offset)

    def again(self, calls: Calls, key: str, deadline: float | None) -> Steps[Any]:
        """Return the same submission, which waits for room until a deadline.

        Parameters
        ----------
        calls, key
            As for `steps`.
        deadline
            When to stop trying.
        """
        return calls.batch(self.bodies, key, self.number, self.offset, deadline)


class Backlog:
    """The submissions of a map that are not out yet.

    Parameters
    ----------
    bodies
        The submissions; read no further than needed.
    """

    def __init__(self, bodies: Iterable[Json]) -> None:
        self._batches = enumerate(batches(bodies, FIRST_BATCH))
        self._number = 0
        self._offset = 0
        self._left: list[bytes] = []

    def next(self, ledger: Ledger) -> Batch | None:
        """Return the next submissions; nothing when there are no more.

        Parameters
        ----------
        ledger
            Knows how many may go out.
        """
        if not self._left:
            self._number, self._left = next(self._batches, (0, []))
            self._offset = 0
        if not self._left:
            return None
        unfinished, most = ledger.unfinished, ledger.most
        room = _AHEAD if most is None else max(1, most - unfinished)
        patient = most == 0 and unfinished == 0
        bodies = self._left[:room]
        return Batch(bodies, self._number, self._offset, unfinished, patient)

    def sent(self, batch: Batch) -> None:
        """Take notice that a batch is out.

        Parameters
        ----------
        batch
            What `next` returned last.
        """
        self._left = self._left[len(batch.bodies) :]
        self._offset += len(batch.bodies)


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
    most
        How many unfinished jobs the queue takes of the map, once it has refused some.
    """

    def __init__(self, ordered: bool) -> None:
        self.complete = False
        self.pending: dict[int, Description] = {}
        self.most: int | None = None
        self._ordered = ordered
        # Those that have ended and were not handed out, with the bytes of their results.
        self._ended: dict[int, int] = {}
        self._held = 0

    @property
    def unfinished(self) -> int:
        """How many jobs are out that have not ended."""
        return len(self.pending) - len(self._ended)

    @property
    def wants_more(self) -> bool:
        """Whether another batch should go out: enough is to do, and little is waiting."""
        if self.complete or len(self.pending) >= _AHEAD or self._held >= HELD_BYTES:
            return False
        if self.most is None or not self.unfinished:
            return self.unfinished < _BUSY
        # Not one by one.
        most = min(self.most, _BUSY)
        room = most - self.unfinished
        return room > 0 and room * _ROOM_PARTS >= most

    @property
    def pause(self) -> float | None:
        """Seconds to wait for jobs to end before the queue may have room all the same."""
        return None if self.complete or self.most is None else _PROBE_SECONDS

    @property
    def ready(self) -> bool:
        """Whether a job can be handed out."""
        if not self._ordered:
            return bool(self._ended)
        return next(iter(self.pending), None) in self._ended

    def add(self, jobs: Iterable[Description]) -> None:
        """Take jobs that were submitted."""
        before = len(self.pending)
        self.pending.update((id(job), job) for job in jobs)
        if self.most is not None:
            # Perhaps there is room for more than there was.
            self.most += max(1, (len(self.pending) - before) // _ROOM_PARTS)

    def refuse(self, batch: Batch) -> None:
        """Take notice that the queue has no room for a batch."""
        # Some of these jobs must end; where there are none, fewer may fit.
        self.most = batch.unfinished or len(batch.bodies) // 2

    def probe(self) -> None:
        """Try for a little more room: others may have left the queue."""
        if self.most is not None:
            more = max(1, math.ceil(self.unfinished / (_ROOM_PARTS - 1)))
            self.most = max(self.most, self.unfinished + more)

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
