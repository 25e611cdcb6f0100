"""Which jobs are waited for, and what the event stream says of them: no input or output."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from ._calls import TERMINAL
from ._description import Description
from ._feed import is_end, is_vouched
from ._steps import Json

Callback = Callable[[Description], object]
Watch = tuple[Description, Callback]


class Board:
    """The jobs that somebody waits for; may be used by many threads.

    A job's last event can come before the answer that names the job. While submissions are
    `expected`, the events of unknown jobs are therefore kept.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Two objects may stand for one job, and several may wait for either.
        self._watched: dict[str, list[Watch]] = {}
        self._early: dict[str, Json] = {}
        self._expected = 0
        self._doubted: list[Description] = []

    @property
    def idle(self) -> bool:
        """Whether nobody waits and nothing is expected."""
        return not self._watched and not self._expected

    def expect(self) -> None:
        """Keep events of unknown jobs, until `expect_no_more`."""
        with self._lock:
            self._expected += 1

    def expect_no_more(self) -> None:
        """Undo one `expect`."""
        with self._lock:
            self._expected -= 1
            if self._expected == 0:
                self._early.clear()

    def add(self, jobs: Iterable[Description], callback: Callback) -> list[Description]:
        """Watch jobs; return those of which no end is known yet, and `doubted` may name some.

        Parameters
        ----------
        jobs
            The jobs.
        callback
            Is called once for each when it has ended.
        """
        ended: list[Description] = []
        left: list[Description] = []
        with self._lock:
            for job in jobs:
                early = self._early.pop(job.id, None)
                if early is not None and is_vouched(early):
                    job._hear(early)
                elif early is not None:
                    self._doubted.append(job)
                if job.ended:
                    ended.append(job)
                    continue
                left.append(job)
                self._watched.setdefault(job.id, []).append((job, callback))
        for job in ended:
            callback(job)
        return left

    def discard(self, jobs: Iterable[Description], callback: Callback) -> None:
        """Undo `add`; whoever else waits for the same jobs goes on waiting.

        Parameters
        ----------
        jobs, callback
            As they were added.
        """
        with self._lock:
            for job in jobs:
                watches = self._watched.pop(job.id, [])
                left = [w for w in watches if w[0] is not job or w[1] != callback]
                if left:
                    self._watched[job.id] = left

    def watched(self) -> list[Description]:
        """Return the jobs that are waited for, the oldest first."""
        with self._lock:
            return [watches[0][0] for watches in self._watched.values()]

    def doubted(self) -> list[Description]:
        """Return the watched jobs whose end was told without the job, once each time it was."""
        if not self._doubted:
            return []
        with self._lock:
            found, self._doubted = self._doubted, []
            return [job for job in found if job.id in self._watched]

    def hear(self, event: Json) -> None:
        """Take an event of the stream; after an end without its job, see `doubted`."""
        if not is_end(event):
            return
        job_id = str(event["job_id"])
        vouched = is_vouched(event)
        with self._lock:
            if job_id not in self._watched:
                if self._expected and (vouched or job_id not in self._early):
                    self._early[job_id] = event
                return
            if not vouched:
                self._doubted.append(self._watched[job_id][0][0])
                return
            watches = self._watched.pop(job_id)
            watches[0][0]._hear(event)
        _tell(watches)

    def learn(self, info: Json) -> bool:
        """Take a description of a job; tell whether the job has ended."""
        if info["state"] not in TERMINAL:
            return False
        with self._lock:
            watches = self._watched.pop(str(info["id"]), [])
            if watches:
                watches[0][0]._learn(info)
        _tell(watches)
        return True

    def move_to(self, other: Board) -> None:
        """Hand all jobs over to another board."""
        with self._lock:
            left = list(self._watched.values())
            self._watched.clear()
            self._early.clear()
        for watches in left:
            for job, callback in watches:
                other.add([job], callback)

    def give_up(self, job: Description) -> None:
        """Call back for a job of which nothing will be heard any more."""
        with self._lock:
            watches = self._watched.pop(job.id, [])
        _tell(watches)

    def release(self) -> None:
        """Call all callbacks although the jobs have not ended: nobody can be asked any more."""
        with self._lock:
            left = list(self._watched.values())
            self._watched.clear()
        for watches in left:
            _tell(watches)


def _tell(watches: list[Watch]) -> None:
    """Call back for a job of which the first object knows the most."""
    for job, callback in watches:
        first = watches[0][0]
        if job is not first and first.ended:
            job._learn_from(first)
        callback(job)
