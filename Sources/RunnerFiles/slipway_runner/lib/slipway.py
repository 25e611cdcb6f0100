"""What a task may tell its job while it runs: events and progress.

Example
-------
>>> import slipway
>>> slipway.emit({"type": "note", "text": "half way"})
>>> slipway.progress(5, 10, "five of ten")
"""

import json
import sys

__all__ = ["emit", "progress"]

_LIMIT = 65536


def emit(event: dict) -> None:
    """Send one JSON object as an event of this job.

    Parameters
    ----------
    event
        A dict that JSON can hold, at most 64 KiB once encoded. Lone surrogates, which the engine does not take,
        become texts such as ``\\ud800``.

    Raises
    ------
    TypeError, ValueError
        When `event` is no dict, is not JSON or is too large.
    RuntimeError
        Outside of a task.
    """
    if not isinstance(event, dict):
        raise TypeError("an event is a dict, not %s" % type(event).__name__)
    text = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        body = text.encode("utf-8")
    except UnicodeEncodeError:
        body = _without_halves(text).encode("utf-8")
    if len(body) > _LIMIT:
        raise ValueError("an event has at most %d bytes, not %d" % (_LIMIT, len(body)))
    hook = sys.modules.get("_slipway_task")
    if hook is None:
        raise RuntimeError("slipway.emit works inside a Slipway task only")
    hook.emit(body)


def _without_halves(text: str) -> str:
    """Return JSON text in which halves of surrogate pairs are spelled out."""
    import re  # Seldom needed, and every task is a process of its own.

    return re.sub("[\ud800-\udfff]", lambda half: "\\\\u%04x" % ord(half.group()), text)


def progress(current: float, total: float, message: str = "") -> None:
    """Send a progress event.

    Parameters
    ----------
    current, total
        How far the task is, in units of its own.
    message
        A short text for a person.
    """
    event = {"type": "progress", "current": current, "total": total}
    if message:
        event["message"] = message
    emit(event)
