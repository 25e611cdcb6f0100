"""Turns what a task said, or how it died, into the fields of RESULT."""

from __future__ import annotations

import os
import signal
from typing import Any, Dict, Optional

from .limits import EXIT_NO_CHANNEL, MESSAGE_BYTES, TRACEBACK_BYTES
from .nursery import clean, number
from .report import fitted

FROM_CHILD = frozenset(
    [
        "ok",
        "exception",
        "exit",
        "result_too_large",
        "unpicklable",
        "dependency",
        "protocol",
    ]
)
#: Ends after which what the task left is kept; it ran out, or was ended, in the others.
WITH_OUTPUTS = frozenset(
    ["ok", "exception", "exit", "signal", "unpicklable", "result_too_large"]
)
MEDIA = ("json", "pickle", "text")
ENCODINGS = ("identity", "zlib")


def blank(outcome: str) -> Dict[str, Any]:
    """Return the fields of RESULT with nothing but an outcome."""
    return {
        "outcome": outcome,
        "media": None,
        "encoding": "identity",
        "inflated": 0,
        "error": None,
        "exit_code": None,
        "signal": None,
        "run": 0.0,
        "usage": {"cpu_seconds": 0.0, "max_rss": 0},
    }


def error(kind: str, message: str, traceback: str = "") -> Dict[str, str]:
    """Return the `error` field."""
    return {"type": kind, "message": message, "traceback": traceback}


def from_child(told: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """Return the fields of RESULT from a child's header, None where it is malformed."""
    outcome = told.get("outcome")
    if type(outcome) is not str or outcome not in FROM_CHILD:
        return None
    fields = blank(outcome)
    if outcome == "ok":
        if told.get("media") not in MEDIA or told.get("encoding") not in ENCODINGS:
            return None
        fields["media"] = told["media"]
        fields["encoding"] = told["encoding"]
        fields["inflated"] = int(number(told.get("inflated")))
    elif outcome == "exit":
        fields["exit_code"] = int(number(told.get("exit_code"))) & 0xFF
    else:
        given = told.get("error")
        given = given if type(given) is dict else {}
        fields["error"] = fitted(
            clean(given.get("type"), 500),
            clean(given.get("message"), MESSAGE_BYTES),
            clean(given.get("traceback"), TRACEBACK_BYTES),
        )
    fields["run"] = number(told.get("run"))
    usage = told.get("usage")
    usage = usage if type(usage) is dict else {}
    fields["usage"] = {
        "cpu_seconds": number(usage.get("cpu_seconds")),
        "max_rss": int(number(usage.get("max_rss"))),
    }
    return fields


def usage_of(usage: Any) -> Dict[str, Any]:
    """Return the kernel's account of a process that was waited for."""
    return {
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "max_rss": usage.ru_maxrss * 1024,
    }


def of_end(job: Any, status: int, usage: Any, oom: bool) -> Dict[str, Any]:
    """Return the fields of RESULT for a job whose process ended without an answer."""
    if job.forced is None:
        return from_status(status, usage, job.fields["kind"], oom)
    fields = blank(job.forced)
    fields["usage"] = usage_of(usage)
    if os.WIFSIGNALED(status):
        fields["signal"] = os.WTERMSIG(status)
    if job.misuse is not None:
        fields["error"] = error("ProtocolMisuse", job.misuse)
    return fields


def from_status(status: int, usage: Any, kind: str, oom: bool) -> Dict[str, Any]:
    """Return the fields of RESULT for a process that ended without an answer."""
    if os.WIFSIGNALED(status):
        number_ = os.WTERMSIG(status)
        killed = number_ == signal.SIGKILL and oom
        fields = blank("oom" if killed else "signal")
        fields["signal"] = number_
    else:
        code = os.WEXITSTATUS(status)
        fields = blank("exit")
        fields["exit_code"] = code
        if kind == "command" and code == 0:
            fields["outcome"] = "ok"
            fields["media"] = "text"
        elif kind != "command" and code == EXIT_NO_CHANNEL:
            fields = blank("protocol")
            fields["error"] = error(
                "ChannelClosed",
                "the task closed or used up descriptor 3, over which the runner "
                "returns its result: close only descriptors that the task opened",
            )
    fields["usage"] = usage_of(usage)
    return fields
