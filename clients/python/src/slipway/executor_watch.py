"""The watcher of an executor: learns from the gateway what became of the jobs.

It follows the tenant's event stream for the executor's label. Where the gateway has none, and until a stream that broke
is there again, it asks for all unfinished jobs of the executor at once, more and more slowly while nothing changes.
"""

from __future__ import annotations

import logging
import time

from ._feed import is_end, is_vouched
from ._steps import Json
from .errors import SlipwayError
from .executor_core import STARTED, Core
from .executor_link import StreamBroken, StreamMissing

logger = logging.getLogger("slipway.executor")

POLL_FIRST_SECONDS = 0.005
POLL_MOST_SECONDS = 0.25
RECONNECT_SECONDS = 0.2


class Watcher:
    """The work of the watching thread.

    Parameters
    ----------
    core
        What it settles.
    """

    def __init__(self, core: Core) -> None:
        self.core = core
        self.streams = True
        self.poll_pause = POLL_FIRST_SECONDS
        self.known = 0

    def run(self) -> None:
        """Watch until the executor is at its end."""
        while self._anything():
            try:
                if self.streams:
                    self._follow()
                else:
                    self._poll()
            except StreamMissing:
                logger.debug("the gateway has no event stream for all jobs: polling")
                self.streams = False
            except StreamBroken as error:
                self._bridge(error)
            except SlipwayError as error:
                # The requests have been repeated for minutes, or the key is no longer good.
                self.core.fail_all(error)

    def _anything(self) -> bool:
        """Wait for a job to watch; tell whether there is one, or this is the end."""
        core = self.core
        with core.changed:
            while not core.outstanding:
                if core.ended():
                    return False
                core.changed.wait()
            return not core.leaving

    def _bridge(self, broken: StreamBroken) -> None:
        """Ask for everything once while there is no stream."""
        with self.core.changed:
            if self.core.ended():
                return
        logger.debug("the event stream broke: %s", broken)
        try:
            self._ask_all()
        except SlipwayError as error:
            self.core.fail_all(error)
        time.sleep(RECONNECT_SECONDS)

    def _follow(self) -> None:
        """Follow the event stream until it breaks or the executor is at its end."""
        core = self.core
        asked = False
        with core.link.stream() as lines:
            for event in lines:
                if not asked or (event is not None and event.get("type") == "gap"):
                    # What happened before the stream was open, or while it could not keep up; also to jobs that
                    # the gateway had by then and the sender was just being told of.
                    core.wait_answered()
                    self._ask_all()
                    asked = True
                if event is not None:
                    self._take(event)
                self._ask_again()
                with core.changed:
                    if core.ended():
                        return

    def _take(self, event: Json) -> None:
        """Apply one event of the stream."""
        job_id, status = event.get("job_id"), event.get("status")
        if event.get("type") != "job_update" or not isinstance(job_id, str):
            return
        if status in STARTED:
            self.core.running(job_id)
            return
        if not is_end(event):
            return
        # An end without the job may be the task's word: the gateway is asked.
        outcome = None
        if is_vouched(event):
            outcome = self.core.link.outcome_of_event(event)
        if outcome is not None:
            self.core.settle(job_id, outcome)
        else:
            self._fetch(job_id)

    def _fetch(self, job_id: str, wait: float = 0) -> bool:
        """Ask for one job and settle it when it has ended; tell whether it has."""
        found = self.core.link.fetch(job_id, wait)
        if isinstance(found, str):
            if found in STARTED:
                self.core.running(job_id)
            return False
        self.core.settle(job_id, found)
        return True

    def _ask_again(self) -> None:
        """Ask for the jobs whose end may have been missed during a cancel."""
        with self.core.changed:
            again = list(self.core.recheck)
            self.core.recheck.clear()
        for job_id in again:
            self._fetch(job_id)

    def _ask_all(self) -> bool:
        """Ask for everything that is outstanding; tell whether something was settled."""
        core = self.core
        with core.changed:
            ids = list(core.outstanding)
            core.recheck.clear()
        if len(ids) == 1:
            return self._fetch(ids[0])
        # Only what was outstanding before the question can be told to have ended by its absence from the answer.
        states = core.link.unfinished()
        settled = False
        for job_id in ids:
            state = states.get(job_id)
            if state is None:
                settled = self._fetch(job_id) or settled
            elif state in STARTED:
                core.running(job_id)
        return settled

    def _poll(self) -> None:
        """Ask once, then wait a little, on the oldest job if it is still there."""
        settled = self._ask_all()
        with self.core.changed:
            ids = list(self.core.outstanding)
            grown = len(ids) > self.known
            self.known = len(ids)
        if settled or grown:
            self.poll_pause = POLL_FIRST_SECONDS
        if ids:
            self._fetch(ids[0], self.poll_pause)
        self.poll_pause = min(1.5 * self.poll_pause, POLL_MOST_SECONDS)
