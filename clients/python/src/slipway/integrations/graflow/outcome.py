"""Turn what a sandbox says of a failure into the exception to raise."""

from __future__ import annotations

import builtins
from typing import Any

from slipway import RemoteTraceback

from .errors import RemoteTaskError, VersionMismatch


def raise_mismatch(outcome: dict[str, Any]) -> None:
    """Raise VersionMismatch when the sandbox refused to unpickle the task."""
    message = outcome.get("mismatch")
    if message:
        raise VersionMismatch(str(message))


def raised(described: dict[str, Any], trust: str) -> Exception:
    """Return the exception of a task, with its notes, caused by the traceback in the sandbox.

    Parameters
    ----------
    described
        What :func:`.sandbox.describe` made of it.
    trust
        With ``json`` only built-in exceptions come back as their own type: others are named.
    """
    error = described.get("exception") if trust == "pickle" else _builtin(described)
    if not isinstance(error, Exception):
        text = (
            f"{described['type']}: {described['message']}"
            if described["message"]
            else described["type"]
        )
        error = RemoteTaskError(str(text), described["type"], described["traceback"])
    add_note = getattr(error, "add_note", None)
    if add_note is not None and not getattr(error, "__notes__", None):
        for note in described["notes"]:
            add_note(note)
    error.__cause__ = RemoteTraceback(described["traceback"])
    return error


def _builtin(described: dict[str, Any]) -> Any:
    kind = getattr(builtins, str(described["type"]), None)
    arguments = described.get("args")
    if not (
        isinstance(kind, type)
        and issubclass(kind, Exception)
        and isinstance(arguments, list)
    ):
        return None
    try:
        return kind(*arguments)
    except Exception:  # noqa: BLE001 - Such as UnicodeDecodeError, whose arguments are not all plain.
        return None
