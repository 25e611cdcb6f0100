"""Heartbeats, and how many processors the tasks that take longer keep busy."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional, Tuple

from . import frames

if TYPE_CHECKING:
    from .core import Supervisor
    from .loop import Timer

#: With more than this on its way to the host no heartbeat is needed.
BACKLOG_BYTES = 1048576
#: Shorter tasks are nobody's burden.
LONG_SECONDS = 0.03
#: The first span that is measured; each is twice as long as the last one, up to a
#: heartbeat.
SPAN_SECONDS = 0.02


class Pulse:
    """Tells the host once in a while that the sandbox lives, and what it is doing.

    Parameters
    ----------
    host
        The supervisor.
    """

    def __init__(self, host: Supervisor) -> None:
        self._host = host
        self._began = time.monotonic()
        self._period = float(host.settings.get("heartbeat", 1.0))
        self._beats = False
        #: The next look at the tasks, and whether it is one of a task that was told.
        self._next: Optional[Timer] = None
        self._told = False
        #: The span that is measured at present.
        self._span = SPAN_SECONDS
        #: When the processor time was read last, and what it was.
        self._before: Optional[Tuple[float, float]] = None

    def start(self) -> None:
        """Begin to beat, unless it does."""
        if not self._beats:
            self._beats = True
            self._beat()

    def _beat(self) -> None:
        self._host.loop.after(self._period, self._beat)
        self._tell({})

    def _tell(self, more: Dict[str, Any]) -> None:
        host = self._host
        if host.connected and host.backlog < BACKLOG_BYTES:
            uptime = round(time.monotonic() - self._began, 3)
            header = {"uptime": uptime, "busy": host.busy, **more}
            host.channel.send([frames.encode(frames.HEARTBEAT, header)])

    def work(self) -> None:
        """Take note that a task begins, and see after a while whether it is at it still."""
        if self._told and self._next is not None:
            # Another one than the last that was told.
            self._next.cancel()
            self._next = self._before = None
        if self._next is None:
            self._told = False
            self._next = self._host.loop.after(LONG_SECONDS, self._look)

    def _look(self) -> None:
        now = time.monotonic()
        began = [slot.job.begun for slot in self._host.slots if slot.job is not None]
        ran = now - min(began) if began else 0.0
        used = self._host.sanitation.processor_seconds() if began else None
        self._next = None
        if used is None:
            self._before = None
            return
        if ran < LONG_SECONDS:
            self._before, pause = None, LONG_SECONDS - ran
        elif self._before is None:
            self._before, pause = (now, used), SPAN_SECONDS
            self._span = pause
        else:
            since, was = self._before
            self._before = (now, used)
            self._span = pause = min(2 * self._span, self._period)
            self._told = True
            self._tell({"load": round((used - was) / (now - since), 3)})
        self._next = self._host.loop.after(pause, self._look)


def processors() -> str:
    """Return the processors that this sandbox may use, as the kernel writes such a list."""
    return ranges(os.sched_getaffinity(0))


def ranges(numbers: Iterable[int]) -> str:
    """Return numbers as ranges, such as `0-3,8`."""
    spans: List[List[int]] = []
    for number in sorted(numbers):
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(
        "%d" % first if first == last else "%d-%d" % (first, last)
        for first, last in spans
    )
