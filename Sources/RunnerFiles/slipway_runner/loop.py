"""The supervisor's event loop: one epoll, timers and the end of children."""

from __future__ import annotations

import heapq
import os
import select
import signal
import time
from typing import Callable, Dict, List, Optional, Tuple

Handler = Callable[[int], None]


class Timer:
    """A call that is due at a time, unless it is cancelled before."""

    __slots__ = ("call", "due")

    def __init__(self, due: float, call: Callable[[], None]) -> None:
        self.due = due
        self.call: Optional[Callable[[], None]] = call

    def cancel(self) -> None:
        """Forget the call."""
        self.call = None


class Loop:
    """Waits for descriptors, timers and children, on one thread."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._handlers: Dict[int, Handler] = {}
        self._timers: List[Tuple[float, int, Timer]] = []
        self._sequence = 0
        self._running = True
        self.on_child: Callable[[], None] = lambda: None
        self.on_terminate: Callable[[], None] = self.stop
        self._terminated = False

    def catch_signals(self) -> None:
        """Turn SIGCHLD and SIGTERM into calls on the loop."""
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._note_terminate)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

        def wake(_: int) -> None:
            try:
                os.read(reader, 4096)
            except BlockingIOError:
                pass
            if self._terminated:
                self._terminated = False
                self.on_terminate()
            self.on_child()

        self.add(reader, select.EPOLLIN, wake)

    def _note_terminate(self, *_: object) -> None:
        self._terminated = True

    def add(self, fd: int, events: int, handler: Handler) -> None:
        """Call `handler` with the event mask whenever `fd` has one of `events`."""
        self._poll.register(fd, events)
        self._handlers[fd] = handler

    def modify(self, fd: int, events: int) -> None:
        """Wait for other events of `fd`."""
        self._poll.modify(fd, events)

    def remove(self, fd: int) -> None:
        """Forget `fd`; to be called before it is closed."""
        if self._handlers.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call `call` once, `seconds` from now."""
        timer = Timer(time.monotonic() + seconds, call)
        self._sequence += 1
        heapq.heappush(self._timers, (timer.due, self._sequence, timer))
        return timer

    def stop(self) -> None:
        """Return from `run` after the current call."""
        self._running = False

    def run(self) -> None:
        """Serve until `stop`."""
        handlers = self._handlers
        poll = self._poll.poll
        while self._running:
            for fd, events in poll(self._wait_seconds()):
                handler = handlers.get(fd)
                if handler is not None:
                    handler(events)
            if self._timers and self._timers[0][0] <= time.monotonic():
                self._fire()

    def _wait_seconds(self) -> Optional[float]:
        timers = self._timers
        while timers and timers[0][2].call is None:
            heapq.heappop(timers)
        if not timers:
            return None
        return max(0.0, timers[0][0] - time.monotonic())

    def _fire(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)[2]
            call, timer.call = timer.call, None
            if call is not None:
                call()
