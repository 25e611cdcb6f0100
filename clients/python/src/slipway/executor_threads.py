"""The two threads of an executor: one sends, one watches.

Both are daemons, so an executor that was forgotten does not keep the interpreter alive, and both end when the executor
was shut down or collected and everything has its outcome.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from .errors import APIError
from .executor_core import Core
from .executor_future import RemoteFuture
from .executor_link import Prepared
from .executor_watch import Watcher

logger = logging.getLogger("slipway.executor")

LEAVE_SECONDS = 10.0
BATCH_JOBS = 1000
BATCH_BYTES = 1 << 20
# Nothing is wrong with a call then, or, as with 408 and 409, it may be a job by now: another key would make a second.
_NOT_ABOUT_CALLS = (401, 403, 408, 409, 429)

Call = tuple[RemoteFuture[Any], Prepared]
_cores: weakref.WeakSet[Core] = weakref.WeakSet()


class Threads:
    """The threads of one core.

    Parameters
    ----------
    core
        What they work on.
    name
        Their names begin with this.
    """

    def __init__(self, core: Core, name: str) -> None:
        self.core = core
        self.threads: list[threading.Thread] = []
        self.name = name

    def start(self) -> None:
        """Start both threads, once."""
        with self.core.changed:
            if self.threads:
                return
            core = self.core
            left = ["sender", "watcher"]
            for work, suffix in ((_send, "sender"), (_watch, "watcher")):
                thread = threading.Thread(
                    target=_guarded,
                    args=(core, work, left),
                    name=f"{self.name}-{suffix}",
                    daemon=True,
                )
                thread.start()
                self.threads.append(thread)
            _cores.add(core)

    def join(self) -> None:
        """Wait until everything has its outcome and both threads have ended.

        Raises
        ------
        RuntimeError
            Called by one of them, as by a callback of a future.
        """
        if threading.current_thread() in self.threads:
            raise RuntimeError("a callback of a future cannot wait for its executor")
        with self.core.changed:
            threads = list(self.threads)
        for thread in threads:
            thread.join()
        if not threads:
            self.core.link.close()


def _guarded(core: Core, work: Callable[[Core], None], left: list[str]) -> None:
    """Do the work of a thread; an error of ours must not leave futures without an outcome."""
    try:
        work(core)
    except BaseException as error:
        core.abort(error)
        raise
    finally:
        with core.changed:
            left.pop()
            last = not left
        if last:
            core.link.close()


def _send(core: Core) -> None:
    """Hand calls to the gateway: whatever waits at one moment goes in one request."""
    while True:
        with core.changed:
            while not (core.waiting and core.room()):
                if core.closed and not core.waiting:
                    return
                core.changed.wait()
            batch = _take(core)
        _send_batch(core, batch)
        del batch


def _take(core: Core) -> list[Call]:
    """Move calls for one request from waiting to sending; call with the lock held."""
    most = min(BATCH_JOBS, core.room())
    batch = [core.waiting.popitem(last=False)]
    size = len(batch[0][1].body)
    while core.waiting and len(batch) < most:
        size += len(next(iter(core.waiting.values())).body)
        if size > BATCH_BYTES:
            break
        batch.append(core.waiting.popitem(last=False))
    core.sending.update(future for future, _ in batch)
    return batch


def _send_batch(core: Core, batch: list[Call]) -> None:
    """Send some calls; a fault of one of them does not spoil the others."""
    try:
        jobs = core.link.send([call for _, call in batch])
    except APIError as error:
        refused = 400 <= error.status < 500 and error.status not in _NOT_ABOUT_CALLS
        for future, call in batch:
            if refused and len(batch) > 1:
                _send_batch(core, [(future, call)])
            else:
                core.not_sent(future, error)
        return
    except BaseException as error:  # noqa: BLE001
        for future, _ in batch:
            core.not_sent(future, error)
        return
    for (future, _), job in zip(batch, jobs):
        core.sent(future, job)


def _watch(core: Core) -> None:
    Watcher(core).run()


def _leave() -> None:
    """Before the interpreter ends, hand over what waits; its jobs go on without us."""
    cores = list(_cores)
    for core in cores:
        core.leave()
    end = time.monotonic() + LEAVE_SECONDS
    for core in cores:
        left = core.wait_sent(end)
        if left:
            logger.warning(
                "%d calls of an executor were not sent before the interpreter ended: shut it down before",
                left,
            )


def _forget() -> None:
    """In a forked process: the threads are its parent's, and any lock may be held for ever."""
    global _cores
    _cores = weakref.WeakSet()


atexit.register(_leave)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
