"""What the graflow integration raises by itself."""

from __future__ import annotations

from slipway import SlipwayError


class VersionMismatch(SlipwayError):
    """The sandbox has another Python, graflow or cloudpickle than the caller; nothing was unpickled there."""


class RemoteTaskError(SlipwayError):
    """A task raised an exception that could not be raised again as what it was.

    Attributes
    ----------
    remote_type
        The name of the exception's class.
    remote_traceback
        The traceback in the sandbox, as text.
    """

    def __init__(
        self, message: str, remote_type: str = "", remote_traceback: str = ""
    ) -> None:
        super().__init__(message)
        self.remote_type = remote_type
        self.remote_traceback = remote_traceback
