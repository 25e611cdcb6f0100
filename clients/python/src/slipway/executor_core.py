"""The state that an executor, its futures and its two threads share.

A call is *waiting* until the sender hands it to the gateway, *sending* during that request, then *outstanding* under its
job's id until it is settled. Whoever takes a future out of these collections, under the lock, settles it: that is how a
completion and a cancel at the same time give one outcome. The core does not know the executor, so an executor that
nobody holds any more is collected while its calls go on.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor
from typing import Any, TypeVar

from .errors import NotFound, SlipwayError, TaskError
from .executor_future import RemoteFuture
from .executor_link import Link, Outcome, Prepared, concerns_one
from .executor_remote import INITIALIZER_FAILED
from .job import Job

T = TypeVar("T")
logger = logging.getLogger("slipway.executor")

WINDOW = 1000
CANCEL_SECONDS = 5.0
STARTED = ("starting", "running")


class Core:
    """What waits, what runs, and how each of it ends.

    Parameters
    ----------
    link
        The way to the gateway.
    limit
        Most jobs of the executor that the gateway has unfinished at a time. Nothing: no limit that callers notice;
        up to 1000 are handed over and the rest waits here, where cancelling costs no request.
    """

    def __init__(self, link: Link, limit: int | None) -> None:
        self.link = link
        self.limit = limit
        # Reentrant, since the end of an executor may be noticed by the garbage collector in a thread that holds it.
        self.changed = threading.Condition(threading.RLock())
        self.waiting: OrderedDict[RemoteFuture[Any], Prepared] = OrderedDict()
        self.sending: set[RemoteFuture[Any]] = set()
        self.outstanding: dict[str, RemoteFuture[Any]] = {}
        self.early: dict[str, Outcome] = {}
        self.recheck: set[str] = set()
        self.settling = 0
        self.closed = False
        self.leaving = False
        self.broken: str | None = None
        self._cancelling = threading.RLock()
        self._process = os.getpid()

    def add(self, future: RemoteFuture[Any], call: Prepared) -> None:
        """Queue a call.

        Raises
        ------
        RuntimeError
            The executor was shut down, the interpreter ends, or this process was forked from the executor's.
        BrokenExecutor
            The initializer failed before.
        """
        with self.changed:
            self.check_open()
            self.waiting[future] = call
            self.changed.notify_all()

    def check_open(self) -> None:
        """Raise what ``add`` raises when no call can be taken."""
        if os.getpid() != self._process:
            # Its threads are not here, and its locks may be held for ever.
            raise RuntimeError(
                "the executor was made before this process was forked: make one here"
            )
        with self.changed:
            if self.broken is not None:
                raise BrokenExecutor(self.broken)
            if self.leaving:
                raise RuntimeError(
                    "cannot schedule new futures after interpreter shutdown"
                )
            if self.closed:
                raise RuntimeError("cannot schedule new futures after shutdown")

    def described(self) -> str:
        """Return for people whether calls are taken, and how many there are of each kind."""
        with self.changed:
            if self.broken is not None:
                state = "broken"
            else:
                state = "shut down" if self.closed or self.leaving else "open"
            sent = [future.running() for future in self.outstanding.values()]
            waiting = len(self.waiting) + len(self.sending)
        return f"{state}, {waiting} waiting, {len(sent) - sum(sent)} queued, {sum(sent)} running"

    def room(self) -> int:
        """Return how many calls may be sent now; call with the lock held."""
        most = self.limit or (len(self.waiting) + WINDOW if self.leaving else WINDOW)
        return max(0, most - len(self.outstanding) - len(self.sending))

    def idle(self) -> bool:
        """Tell whether every call has its outcome; call with the lock held."""
        return not (self.waiting or self.sending or self.outstanding or self.settling)

    def ended(self) -> bool:
        """Tell whether there is nothing left to watch; call with the lock held."""
        return self.leaving or (self.closed and self.idle())

    def close(self) -> None:
        """Take no more calls; those that were taken go on."""
        with self.changed:
            self.closed = True
            self._notify()

    def leave(self) -> None:
        """Prepare for the end of the interpreter: take no more calls, hand over what waits, watch nothing."""
        with self.changed:
            self.leaving = True
            self._notify()

    def wait_sent(self, end: float) -> int:
        """Wait until what may be sent was sent, or the monotonic clock shows ``end``; return what was not."""
        with self.changed:
            while (self.waiting and self.room()) or self.sending:
                if not self.changed.wait(max(0.0, end - time.monotonic())):
                    break
            return len(self.waiting) + len(self.sending)

    def wait_answered(self) -> None:
        """Wait until the calls that are being sent now have become jobs, or have failed."""
        with self.changed:
            sending = set(self.sending)
            while not (self.sending.isdisjoint(sending) or self.leaving):
                self.changed.wait()

    def _notify(self) -> None:
        """Wake everybody, the watcher in its stream too when this is the end; call with the lock held."""
        self.changed.notify_all()
        if self.ended():
            self.link.interrupt()

    def sent(self, future: RemoteFuture[Any], job: Job) -> None:
        """Note that a call has become a job, and settle it if its end was seen before."""
        job_id = job.id
        with self.changed:
            future._job = job
            self.sending.discard(future)
            self.outstanding[job_id] = future
            outcome = self.early.pop(job_id, None)
            if not self.sending:
                self.early.clear()
            self.changed.notify_all()
        if outcome is not None:
            self.settle(job_id, outcome)

    def not_sent(self, future: RemoteFuture[Any], error: BaseException) -> None:
        """Settle a call that could not be sent."""
        with self.changed:
            self.sending.discard(future)
            self.settling += 1
        try:
            future._settle_exception(error)
        finally:
            self._settled()

    def running(self, job_id: str) -> None:
        """Note that a sandbox has taken a job."""
        with self.changed:
            future = self.outstanding.get(job_id)
            if future is not None:
                future._settle_running()

    def settle(self, job_id: str, outcome: Outcome) -> None:
        """Give the future of a job its outcome, unless it has one or a cancel owns it."""
        with self.changed:
            future = self.outstanding.pop(job_id, None)
            self.recheck.discard(job_id)
            if future is None:
                if self.sending:
                    self.early[job_id] = outcome
                return
            self.settling += 1
        # Taken out, so that a result lives no longer than its future and who asked for it.
        value, outcome.value = outcome.value, None
        try:
            if outcome.cancelled and not future.running():
                future._settle_cancelled()
            elif outcome.error is not None:
                broken = _initializer_error(outcome.error)
                if broken is not None:
                    self.break_(broken)
                future._settle_exception(broken or outcome.error)
            else:
                future._settle_result(value)
        finally:
            # After the callbacks, so that a shutdown that waits returns when they have run.
            self._settled()

    def _settled(self) -> None:
        with self.changed:
            self.settling -= 1
            self._notify()

    def cancel(self, future: RemoteFuture[Any]) -> bool:
        """Cancel one call unless it has started; see ``RemoteFuture.cancel``."""
        try:
            return self._cancel(future)
        except SlipwayError as error:
            logger.warning("the job of a future could not be cancelled: %s", error)
            return False

    def _cancel(self, future: RemoteFuture[Any]) -> bool:
        with self._cancelling:
            with self.changed:
                self._wait_not_sending({future})
                held = self.waiting.pop(future, None) is not None
                self.settling += held
            if held:
                self._settle_cancelled([future])
                return True
            if future.done() or future.running() or future.job is None:
                return future.cancelled()
            return self._cancel_job(future.job.id, future)

    def _wait_not_sending(self, futures: set[RemoteFuture[Any]]) -> None:
        """Wait until a request that submits one of the futures is over, but not for a gateway that is away."""
        end = time.monotonic() + CANCEL_SECONDS
        while not self.sending.isdisjoint(futures):
            if not self.changed.wait(max(0.0, end - time.monotonic())):
                return

    def _settle_cancelled(self, futures: Iterable[RemoteFuture[Any]]) -> None:
        for future in futures:
            try:
                future._settle_cancelled()
            finally:
                self._settled()

    def _settle_failed(
        self, futures: Iterable[RemoteFuture[Any]], error: BaseException
    ) -> None:
        for future in futures:
            try:
                future._settle_exception(error)
            finally:
                self._settled()

    def _cancel_job(self, job_id: str, future: RemoteFuture[Any]) -> bool:
        """Cancel a call that is a job already, unless that has started."""
        with self.changed:
            if self.outstanding.pop(job_id, None) is None:
                # The watcher is giving it its outcome.
                return future.cancelled()
            self.settling += 1
        cancelled = False
        try:
            cancelled = self.link.cancel_unstarted(job_id)
        finally:
            if cancelled:
                self._settle_cancelled([future])
            else:
                with self.changed:
                    self.outstanding[job_id] = future
                    # In case nobody asks below.
                    self.recheck.add(job_id)
                self._settled()
        if not cancelled:
            # Its start, or its end, may have been reported meanwhile and found nobody.
            found = self.link.look(job_id)
            if isinstance(found, Outcome):
                self.settle(job_id, found)
            elif found in STARTED:
                self.running(job_id)
        return cancelled

    def cancel_all(self) -> None:
        """Cancel every call that has not started."""
        with self.changed:
            waiting = list(self.waiting)
            self.waiting.clear()
            self.settling += len(waiting)
        self._settle_cancelled(waiting)
        with self.changed:
            self._wait_not_sending(set(self.sending))
            sent = [f for f in self.outstanding.values() if not f.running()]
        # The newest first: the oldest are the ones that start while this goes on.
        self._each(self._cancel, reversed(sent))

    def kill(self) -> None:
        """Cancel every job that is outstanding, whether it has started or not."""
        with self.changed:
            ids = list(self.outstanding)
        self._each(self._kill, ids)

    def _kill(self, job_id: str) -> None:
        try:
            self.link.cancel(job_id)
        except NotFound as error:
            # Somebody deleted it after its end, so nothing will be heard of it any more.
            self.settle(job_id, Outcome(error=error))

    @staticmethod
    def _each(cancel: Callable[[T], object], jobs: Iterable[T]) -> None:
        """Cancel one after the other; a job that cannot be cancelled keeps none of the others."""
        for job in jobs:
            try:
                cancel(job)
            except SlipwayError as error:
                if concerns_one(error):
                    logger.warning("a job could not be cancelled: %s", error)
                    continue
                # A gateway that is away would be waited for once for each of them.
                logger.warning(
                    "the jobs of an executor could not be cancelled: %s", error
                )
                return

    def break_(self, error: BaseException) -> None:
        """Make the executor unusable, since its initializer raised."""
        with self.changed:
            if self.broken is not None:
                return
            self.broken = "the initializer of the executor failed, the executor is not usable anymore"
            waiting = list(self.waiting)
            self.waiting.clear()
            self.settling += len(waiting)
        logging.getLogger("concurrent.futures").critical(
            "Exception in initializer:\n%s", error.args[-1]
        )
        self._settle_failed(waiting, BrokenExecutor(self.broken))

    def fail_all(self, error: BaseException) -> None:
        """Settle everything that is outstanding with one error."""
        with self.changed:
            failed = list(self.outstanding.values())
            self.outstanding.clear()
            self.settling += len(failed)
        self._settle_failed(failed, error)

    def abort(self, error: BaseException) -> None:
        """Take no more calls and settle all there are with one error."""
        self.close()
        with self.changed:
            failed = [*self.waiting, *self.sending]
            self.waiting.clear()
            self.sending.clear()
            self.settling += len(failed)
        self._settle_failed(failed, error)
        self.fail_all(error)


def _initializer_error(error: BaseException) -> BrokenExecutor | None:
    """Return what an error says of the initializer, if it is from there.

    An exception that did not come as itself, as with ``trust="json"``, is known by the texts of its job.
    """
    if isinstance(error, BrokenExecutor):
        return error if error.args[:1] == (INITIALIZER_FAILED,) else None
    if not isinstance(error, TaskError) or error.remote_type is None:
        return None
    name = error.remote_type.rpartition(".")[2]
    # The message begins with the type, then both arguments follow.
    said = error.message.partition(": ")[2].startswith(f"('{INITIALIZER_FAILED}', ")
    if name != BrokenExecutor.__name__ or not said:
        return None
    made = BrokenExecutor(INITIALIZER_FAILED, error.remote_traceback or error.message)
    made.__cause__ = error
    return made
