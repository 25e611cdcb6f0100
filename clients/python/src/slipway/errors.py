"""What can go wrong: with the gateway, with waiting, and with a task."""

from __future__ import annotations

import concurrent.futures
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._description import Description


class SlipwayError(Exception):
    """The base of everything that this package raises by itself."""


class CredentialsError(SlipwayError):
    """The address or the key is none, no key was found, or the credentials file cannot be used."""


class ClientClosed(SlipwayError, RuntimeError):
    """The client was closed; its jobs go on."""


class APIError(SlipwayError):
    """The gateway refused a request.

    Attributes
    ----------
    status
        The status code; 0 when no answer came.
    problem
        The problem document (RFC 9457) as a dict; empty when there was none.
    idempotency_key
        Of a submission: sent again with it (`Options.idempotency_key`), the same submission
        still makes no second job.
    """

    idempotency_key: str | None = None

    def __init__(
        self, message: str, status: int = 0, problem: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message, status, problem or {})
        self.status = status
        self.problem = problem or {}

    def __str__(self) -> str:
        return str(self.args[0])


class AuthenticationError(APIError):
    """The key is missing, unknown, revoked, or lacks the scope (401, 403)."""


class NotFound(APIError):
    """There is no such job or address (404)."""


class Unavailable(APIError):
    """The gateway could not be reached, or was too busy for too long (408, 429, 502, 503, 504)."""


if sys.version_info >= (3, 11):

    class WaitTimeout(SlipwayError, TimeoutError):
        """The caller's own wait is over; the job goes on."""

else:

    class WaitTimeout(SlipwayError, TimeoutError, concurrent.futures.TimeoutError):
        """The caller's own wait is over; the job goes on."""


class RemoteTraceback(Exception):
    """Shows, as the cause of an exception, where in the sandbox it was raised."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text.rstrip()}\n"""'


class TaskError(SlipwayError):
    """A task failed, and its exception could not be raised as what it was.

    Attributes
    ----------
    job
        The job; nothing after the error was pickled.
    job_id
        The job's id.
    kind
        What the gateway calls it, such as ``exception`` or ``oom``.
    remote_type
        The name of the exception's class in the sandbox, if there was an exception.
    remote_traceback
        The traceback in the sandbox as text, or nothing.
    exit_code
        The exit code, where there was one.
    """

    exit_code: int | None = None

    def __init__(
        self,
        message: str,
        *,
        job: Description | None = None,
        job_id: str | None = None,
        kind: str = "exception",
        remote_type: str | None = None,
        remote_traceback: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.job = job
        self.job_id = job.id if job is not None else job_id
        self.kind = kind
        self.remote_type = remote_type
        self.remote_traceback = remote_traceback

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        state = {
            "job_id": self.job_id,
            "kind": self.kind,
            "remote_type": self.remote_type,
            "remote_traceback": self.remote_traceback,
        }
        return _rebuilt, (
            type(self),
            self.message,
            state,
            dict(self.__dict__, job=None),
        )


def _rebuilt(
    kind: type[TaskError], message: str, fields: dict[str, Any], more: dict[str, Any]
) -> TaskError:
    error = kind(message, **fields)
    error.__dict__.update(more)
    return error


class TaskTimeout(TaskError, TimeoutError):
    """The task ran longer than its ``timeout``."""


class TaskOOM(TaskError, MemoryError):
    """The task used more than its ``memory``."""


class TaskLost(TaskError):
    """The sandbox or the engine ended while the task ran; whether it finished is unknown."""


class TaskCancelled(TaskError, concurrent.futures.CancelledError):
    """The job was cancelled."""


class TaskExit(TaskError):
    """The task ended its process by itself, as ``sys.exit`` or a signal does.

    The ``exit_code`` is 128 and the signal's number after a signal.
    """


class TaskProtocolError(TaskError):
    """The task disturbed its channel to the engine, or sent what is no result."""


class PythonMismatch(TaskProtocolError):
    """The caller's Python has another minor version than the sandbox's."""


class DependencyError(TaskError):
    """A requirement could not be installed, or a module is missing in the sandbox."""


class StartFailed(TaskError):
    """The sandbox could not be started, for instance because the image is not there."""


class ArtifactCorrupt(TaskError):
    """What was stored of the job is damaged."""


class TaskExpired(TaskError):
    """The job waited longer than its ``queue_timeout``."""


TASK_ERRORS: dict[str, type[TaskError]] = {
    "exception": TaskError,
    "exit": TaskExit,
    "timeout": TaskTimeout,
    "oom": TaskOOM,
    "lost": TaskLost,
    "protocol": TaskProtocolError,
    "dependency": DependencyError,
    "start_failed": StartFailed,
    "artifact_corrupt": ArtifactCorrupt,
    "expired": TaskExpired,
    "cancelled": TaskCancelled,
}
"""The class for each kind of failure that the gateway names."""
