"""Describes an exception of a task: type, message and the task's own frames."""

from __future__ import annotations

import json
import os

from .limits import MESSAGE_BYTES, TRACEBACK_BYTES, clip

TYPE_CHECKING = False  # As in typing, whose pages every fork would pay for.
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Dict, List, Optional

#: What an error may take of the 64 KiB of a header.
ERROR_BYTES = 61440
#: What failed imports may take of READY's header; the rest is for what names it.
PRELOAD_BYTES = 57344
PRELOAD_ERRORS = 100
HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep


def text_of(error: BaseException) -> str:
    """Return ``str(error)``, even of a class whose ``__str__`` raises."""
    try:
        return clip(str(error), MESSAGE_BYTES)
    except BaseException as second:
        return "(the message is unavailable: __str__ raised %s)" % type(second).__name__


def name_of(error: BaseException) -> str:
    """Return the class name, with its module unless that goes without saying."""
    kind = type(error)
    try:
        module, name = str(kind.__module__), str(kind.__qualname__)
    except BaseException:
        return "Exception"
    if module in ("builtins", "__main__", "slipway_task"):
        return clip(name, 500)
    return clip(module + "." + name, 500)


def _own_frames(trace: Optional[TracebackType]) -> Optional[TracebackType]:
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(HERE):
        trace = trace.tb_next
    return trace


def describe(error: BaseException) -> Dict[str, str]:
    """Return type, message and traceback of `error`."""
    try:
        import traceback  # A zygote has it; the first task need not wait for it.

        trace = _own_frames(error.__traceback__)
        lines = traceback.format_exception(type(error), error, trace)
        text = clip("".join(lines), TRACEBACK_BYTES)
    except BaseException as second:
        text = "(the traceback is unavailable: %s)" % type(second).__name__
    return {"type": name_of(error), "message": text_of(error), "traceback": text}


def fitted(kind: str, message: str, traceback: str) -> Dict[str, str]:
    """Return the `error` field, cut so that it fits into a frame's header.

    As JSON a character takes up to six times its bytes, so the text itself is measured.
    """
    limit = TRACEBACK_BYTES
    while True:
        kind = clip(kind, 500)
        message = clip(message, max(limit // 4, 1024))
        traceback = clip(traceback, limit)
        found = {"type": kind, "message": message, "traceback": traceback}
        if len(json.dumps(found, ensure_ascii=False).encode()) <= ERROR_BYTES:
            return found
        limit = limit * 3 // 4


def fitted_imports(errors: List[Dict[str, str]]) -> List[Dict[str, str]]:
    """Return which modules failed and why, cut so that they fit into READY's header."""
    limit = 400
    while True:
        found = [
            {
                "module": clip(item["module"], min(limit, 200)),
                "message": clip(item["message"], limit),
            }
            for item in errors[:PRELOAD_ERRORS]
        ]
        if len(json.dumps(found, ensure_ascii=False).encode()) <= PRELOAD_BYTES:
            return found
        limit = limit * 3 // 4
