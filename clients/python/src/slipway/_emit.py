"""The names by which a task tells of its progress."""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import Any

_LIMIT_BYTES = 65536
_log = logging.getLogger("slipway")


def emit(event: dict[str, Any]) -> None:
    """Send one JSON object as an event of the job; outside of a sandbox it is only logged.

    Parameters
    ----------
    event
        A dict that JSON can hold, at most 64 KiB once encoded. Lone surrogates, which the
        gateway does not take, become texts such as ``\\ud800``.

    Raises
    ------
    TypeError, ValueError
        When `event` is no dict, is not JSON or is too large.
    """
    if not isinstance(event, dict):
        raise TypeError(f"an event is a dict, not {type(event).__name__}")
    body = json.dumps(event, allow_nan=False, separators=(",", ":")).encode("ascii")
    if b"\\ud" in body:
        body = _without_halves(event)
    if len(body) > _LIMIT_BYTES:
        raise ValueError(f"an event has at most {_LIMIT_BYTES} bytes, not {len(body)}")
    hook = sys.modules.get("_slipway_task")
    if hook is None:
        _log.info("event outside of a task: %s", event)
    else:
        hook.emit(body)


def _without_halves(event: dict[str, Any]) -> bytes:
    """Return an event as JSON in which lone surrogates are spelled out."""
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    text = re.sub("[\ud800-\udfff]", lambda half: f"\\\\u{ord(half[0]):04x}", text)
    return json.dumps(json.loads(text), separators=(",", ":")).encode("ascii")


def progress(current: float, total: float, message: str = "") -> None:
    """Send a progress event; outside of a sandbox it is only logged.

    Parameters
    ----------
    current, total
        How far the task is, in units of its own.
    message
        A short text for a person.
    """
    event: dict[str, Any] = {"type": "progress", "current": current, "total": total}
    if message:
        event["message"] = message
    emit(event)


# Functions that use these are pickled with their names, and in the sandbox the runner's own
# module `slipway` has them.
emit.__module__ = progress.__module__ = "slipway"
