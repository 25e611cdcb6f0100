"""Turns what the gateway says of an ended job into a value or an exception."""

from __future__ import annotations

import base64
import json
import pickle
import re
import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ._payload import FILE_NAME
from ._plainbytes import bytes_of
from ._sandbox_rest import EVENT_TYPE, MAGIC
from ._steps import Json
from .errors import (
    TASK_ERRORS,
    PythonMismatch,
    RemoteTraceback,
    TaskError,
    TaskProtocolError,
)

if TYPE_CHECKING:
    from ._description import Description

PICKLE = "application/vnd.python.pickle"
_OWN_FRAMES = re.compile(
    rf'^  File "{FILE_NAME}", line .*\n(?:    .*\n)*', re.MULTILINE
)


def raw_of(result: Json) -> bytes:
    """Return the bytes of a result's or an event's ``data``.

    Parameters
    ----------
    result
        With ``data`` and ``encoding``.
    """
    data = base64.b64decode(result["data"])
    return zlib.decompress(data) if result["encoding"] == "zlib+base64" else data


def value_of(result: Json, trusted: bool, job: Description) -> Any:
    """Return the value of a completed job.

    Parameters
    ----------
    result
        As ``GET /v1/jobs/{id}/result`` shows it.
    trusted
        Whether pickles may be loaded.
    job
        Whose result it is.

    Raises
    ------
    TaskProtocolError
        When it is a pickle and those are not trusted, or cannot be read.
    """
    try:
        if result.get("media_type") != PICKLE:
            return result["value"] if "value" in result else _plain(result)
        raw = raw_of(result)
        packed = bytes_of(raw)
        if packed is not None and packed.startswith(MAGIC):
            kind, raw = packed[4:5], packed[5:]
            if kind == b"J":
                return json.loads(raw)
    except (KeyError, ValueError, zlib.error) as error:
        raise TaskProtocolError(
            f"the result of {job.id} cannot be read: {error!r}",
            job=job,
            kind="protocol",
        ) from error
    if not trusted:
        message = f"the result of {job.id} is a pickle, and trust='json' loads none"
        raise TaskProtocolError(message, job=job, kind="protocol")
    return pickle.loads(raw)


def _plain(result: Json) -> Any:
    raw = raw_of(result)
    return json.loads(raw) if result.get("media_type") == "application/json" else raw


def traceback_of(text: str | None) -> str | None:
    """Return a traceback without the frames of the code that travels along."""
    return _OWN_FRAMES.sub("", text) if text else None


def failure_of(info: Json, job: Description) -> TaskError:
    """Return the exception for a job that failed or was cancelled, made of texts alone.

    Parameters
    ----------
    info
        The job as the gateway describes it.
    job
        The same for the caller.
    """
    if info["state"] == "cancelled":
        return TASK_ERRORS["cancelled"](
            f"{job.id} was cancelled", job=job, kind="cancelled"
        )
    error = info.get("error") or {}
    kind = str(error.get("kind") or "exception")
    remote = error.get("type")
    cls = TASK_ERRORS.get(kind, TaskError)
    if remote == "PythonMismatch":
        cls = PythonMismatch
    message = str(error.get("message") or kind)
    if kind == "exception" and remote:
        message = f"{remote}: {message}" if error.get("message") else str(remote)
    text = traceback_of(error.get("traceback"))
    failure = cls(
        message, job=job, kind=kind, remote_type=remote, remote_traceback=text
    )
    failure.exit_code = info.get("exit_code")
    if text:
        failure.__cause__ = RemoteTraceback(text)
    return failure


def exception_of(
    events: Iterable[Json], info: Json, failure: TaskError
) -> BaseException:
    """Return the exception that the sandbox announced, else the one made of texts.

    Parameters
    ----------
    events
        The job's events.
    info
        The job as the gateway describes it.
    failure
        What to fall back on.
    """
    for event in events:
        if event.get("type") != EVENT_TYPE or event.get("attempt") != info["attempt"]:
            continue
        try:
            error = pickle.loads(raw_of(event))
        except Exception:
            # Of a class that is not here, or whose arguments are not what it takes.
            continue
        if not isinstance(error, Exception):
            continue
        notes = event.get("notes") or []
        if (
            notes
            and not getattr(error, "__notes__", None)
            and hasattr(error, "add_note")
        ):
            for note in notes:
                error.add_note(note)
        if failure.remote_traceback:
            error.__cause__ = RemoteTraceback(failure.remote_traceback)
        return error
    return failure
