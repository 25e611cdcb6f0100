"""The part of the travelling code that not every task needs: results and exceptions."""

from __future__ import annotations

import copyreg
import json
import os
import pickle
import sys
import types
from typing import Any

MAGIC = b"slw1"
EVENT_TYPE = "exception"
_EVENT_BYTES = 65536
_NODES = 10000
# Their fields are not among ``args``, and ``__new__`` does not set them.
_FILLED = (
    AttributeError,
    NameError,
    StopIteration,
    SyntaxError,
    SystemExit,
    UnicodeError,
)


def finish(trusted: bool, value: Any) -> bytes:
    """Return what a function returned as bytes; a coroutine is awaited before.

    Parameters
    ----------
    trusted
        Whether the caller unpickles what comes back.
    value
        What the function returned.
    """
    if type(value) is types.CoroutineType:
        import asyncio  # Slow to import, and every task is a process of its own.

        value = asyncio.run(value)
    return pack(trusted, value)


def pack(trusted: bool, value: Any) -> bytes:
    """Return the value as bytes, as JSON where that is enough."""
    if not trusted:
        # As for source tasks: tuples become lists, keys become strings.
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
        return MAGIC + b"J" + text.encode("ascii")
    if _is_json(value):
        try:
            text = json.dumps(value, allow_nan=False, separators=(",", ":"))
            return MAGIC + b"J" + text.encode("ascii")
        except (ValueError, RecursionError):
            pass  # An infinity, an endless integer: a pickle holds them.
    try:
        return MAGIC + b"P" + _dump(value)
    except Exception as error:
        kind = type(value).__qualname__
        message = f"the result, of type {kind}, cannot be pickled: {error}"
        raise pickle.PicklingError(message) from error


def _is_json(value: Any) -> bool:
    """Tell whether JSON gives back an equal value of the same types.

    Looking at every item is slower than pickling, so large values are not looked through;
    neither may a list be there twice, which JSON would turn into two.
    """
    left = [value]
    seen: set[int] = set()
    nodes = 0
    while left:
        nodes += 1
        if nodes > _NODES:
            return False
        item = left.pop()
        kind = type(item)
        if item is None or kind in (bool, int, float, str):
            continue
        if kind not in (list, dict) or id(item) in seen or len(item) > _NODES:
            return False
        seen.add(id(item))
        if kind is list:
            left.extend(item)
            continue
        for key in item:
            if type(key) is not str:
                return False
        left.extend(item.values())
    return True


def _dump(value: Any) -> bytes:
    try:
        return pickle.dumps(value, 5)
    except Exception:
        # A lambda, or a class that came by value: cloudpickle knows how, if it is here.
        try:
            import cloudpickle
        except ImportError:
            cloudpickle = None
        if cloudpickle is None:
            raise
        data: bytes = cloudpickle.dumps(value, protocol=5)
        return data


def reduce_exception(error: BaseException) -> Any:
    """Return how to pickle an exception whose ``__init__`` is Python's, without calling it again.

    By default unpickling calls the class with ``args``, which fails where ``__init__`` takes
    something else. Nothing for exceptions that say themselves how they are pickled, whose
    ``__init__`` is built in, or that have fields which only a built-in ``__init__`` sets.
    """
    kind = type(error)
    if (
        kind.__reduce__ is not BaseException.__reduce__
        or kind.__reduce_ex__ is not object.__reduce_ex__
        or not isinstance(kind.__init__, types.FunctionType)
        or isinstance(error, _FILLED)
    ):
        return None
    return copyreg.__newobj__, (kind, *error.args), error.__dict__ or None  # type: ignore[attr-defined]


def spare(error: Any) -> None:
    """Have pickles of an exception, and of those in a group, not call its class again."""
    found = getattr(error, "exceptions", ())
    for one in found if type(found) is tuple else ():
        spare(one)
    if reduce_exception(error):
        # For the whole process, which ends with this exception.
        copyreg.pickle(type(error), reduce_exception)


def announce(error: Exception) -> None:
    """Send the exception itself as an event, if it can be pickled; of one that is too large, what fits."""
    import base64
    import zlib

    try:
        # By its first member the runner knows the event that it keeps room for.
        event = {
            "type": EVENT_TYPE,
            "attempt": int(os.environ.get("SLIPWAY_ATTEMPT", "1")),
            "encoding": "zlib+base64",
            "media_type": "application/vnd.python.pickle",
            # The gateway takes no event with halves of characters.
            "notes": [
                str(note).encode("utf-8", "backslashreplace").decode()
                for note in getattr(error, "__notes__", ())
            ],
        }
        spare(error)
        # As it is, without attributes, and with a text for its arguments.
        for cut in range(3):
            sent = error
            if cut:
                args = error.args if cut < 2 else (str(error)[:1000],)
                sent = type(error).__new__(type(error), *args)
                event["notes"] = ["slipway: shortened, as it was too large"]
            data = zlib.compress(_dump(sent), 1)
            event["data"] = base64.b64encode(data).decode("ascii")
            body = json.dumps(event, separators=(",", ":")).encode("ascii")
            if len(body) <= _EVENT_BYTES:
                sys.modules["_slipway_task"].emit(body)
                return
    except Exception:
        # The texts that the runner sends have to do then.
        return
