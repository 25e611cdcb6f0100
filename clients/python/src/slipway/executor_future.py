"""The futures of the executor."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures._base import CANCELLED, PENDING
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from .job import Job

T = TypeVar("T")


class RemoteFuture(Future[T]):
    """A ``concurrent.futures.Future`` whose call runs as a job of the gateway.

    It is pending until a sandbox takes the job, running from then on, and finished when its result is here.
    """

    def __init__(self, cancel: Callable[[RemoteFuture[Any]], bool]) -> None:
        super().__init__()
        self._ask_cancel = cancel
        self._job: Job | None = None

    @property
    def job(self) -> Job | None:
        """The job that runs the call, with its id, logs and events; nothing before it was sent."""
        return self._job

    def cancel(self) -> bool:
        """Cancel the call, and its job, unless it has started.

        Where the job was sent already the gateway is asked, which takes about a millisecond.

        Returns
        -------
        bool
            Whether the call is cancelled. False when it runs or has ended, or when the gateway cannot be asked.
        """
        if self.done():
            return self.cancelled()
        if self.running():
            return False
        return self._ask_cancel(self)

    def _settle_cancelled(self) -> None:
        """Make this cancelled and tell those who wait; for the one thread that owns the end of this future."""
        super().cancel()
        if self._state == CANCELLED:
            self.set_running_or_notify_cancel()

    def _settle_running(self) -> None:
        """Make this running if it is pending; for the one thread that owns this future now."""
        if self._state == PENDING:
            self.set_running_or_notify_cancel()

    def _settle_result(self, value: T) -> None:
        self._settle_running()
        self.set_result(value)

    def _settle_exception(self, error: BaseException) -> None:
        self._settle_running()
        self.set_exception(error)
