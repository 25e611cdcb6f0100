"""What a sandbox needs only when something is not as usual; it travels as text beside :mod:`.sandbox`."""

from __future__ import annotations

import json
import math
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

# What tracebacks call the file of the code that travels.
OWN_FILE = "<slipway graflow>"


# So begins a result that the client reads as JSON, without unpickling anything.
JSON_RESULT = b"slw1J"


def mismatch(versions: dict[str, str]) -> bytes:
    """Return the outcome of a task that was not unpickled, with the reason."""
    return _packed({"mismatch": _difference(versions)})


def _packed(outcome: dict[str, Any]) -> bytes:
    return JSON_RESULT + json.dumps(outcome).encode("ascii")


def _difference(versions: dict[str, str]) -> str:
    python = "{}.{}".format(*sys.version_info[:2])
    if python != versions["python"]:
        return "the task was pickled by Python {}, the sandbox runs {}: use an image with Python {}".format(
            versions["python"],
            python,
            versions["python"],
        )
    for name in ("cloudpickle", "graflow"):
        try:
            module = __import__(name)
        except ImportError as error:
            return f"the sandbox cannot import {name} ({error}): leave provide_graflow on, or use an image that has it"
        here, there = str(getattr(module, "__version__", "unknown")), versions[name]
        if here != there and (
            name == "graflow" or here.split(".")[:2] != there.split(".")[:2]
        ):
            return f"the task was pickled with {name} {there}, the sandbox has {here}: pickles of different versions do not fit"
    return "the versions do not fit"


def no_feedback() -> NoReturn:
    """Refuse to ask people."""
    raise RuntimeError(
        "human feedback is asked where the workflow runs, not in a sandbox: give this task handler='direct'"
    )


def no_checkpoint() -> NoReturn:
    """Refuse to write a checkpoint at once."""
    raise RuntimeError(
        "a checkpoint is written where the workflow runs, not in a sandbox: use deferred=True, "
        "or give this task handler='direct'"
    )


def no_lock() -> NoReturn:
    """Refuse to lock a channel of which the task has a copy."""
    raise RuntimeError(
        "a lock in a sandbox keeps nobody from the channel, which is where the workflow runs: use atomic_add, "
        "which is replayed there, or give this task handler='direct'"
    )


def known_only(graph: Any, executable: Any) -> None:
    """Refuse a task that is not one of the workflow's own."""
    task_id = executable.task_id
    if not (graph.has_node(task_id) and graph.get_node(task_id) is executable):
        raise TypeError(
            "with trust='json' a task cannot send new tasks: jump to one of the workflow's own"
        )


def describe(error: BaseException, trust: str) -> dict[str, Any]:
    """Return what the caller needs to raise `error` again."""
    kind = type(error)
    described: dict[str, Any] = {
        "type": kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}",
        "message": text_of(error),
        "traceback": traceback_of(error),
        "notes": [str(line) for line in getattr(error, "__notes__", ())],
    }
    if trust == "json":
        if exact_json(list(error.args)):
            described["args"] = list(error.args)
    else:
        described["exception"] = error
    return described


def text_of(error: BaseException) -> str:
    """Return the exception's message, whatever its ``__str__`` does."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001
        return f"<{type(error).__name__} whose __str__ fails>"


def traceback_of(error: BaseException) -> str:
    """Return the traceback as text, without the frames that lead to the task and those of what travels with it."""
    frames = error.__traceback__
    leading = (
        OWN_FILE,
        "graflow/core/task.py",
        "graflow/core/context.py",
        "graflow/core/decorators.py",
    )
    while frames is not None and frames.tb_frame.f_code.co_filename.replace(
        "\\", "/"
    ).endswith(leading):
        frames = frames.tb_next
    described = traceback.TracebackException(
        type(error), error, frames or error.__traceback__
    )
    parts: list[Any] = [described]
    while parts:
        part = parts.pop()
        part.stack = traceback.StackSummary.from_list(
            [frame for frame in part.stack if frame.filename != OWN_FILE]
        )
        parts.extend(
            more for more in (part.__cause__, part.__context__) if more is not None
        )
    return "".join(described.format())


def exact_json(value: Any, depth: int = 0) -> bool:
    """Tell whether JSON gives back the same value with the same types."""
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return True
    if kind is float:
        return math.isfinite(value)
    if depth > 200:
        return False
    if kind is list:
        return all(exact_json(item, depth + 1) for item in value)
    if kind is dict:
        return all(
            type(key) is str and exact_json(item, depth + 1)
            for key, item in value.items()
        )
    return False


def blame(
    outcome: dict[str, Any], error: Exception, pack: Callable[[Any], Any]
) -> None:
    """Find what cannot be pickled, and put an error that names it in its place."""

    def fits(value: Any) -> bool:
        try:
            pack(value)
        except Exception:  # noqa: BLE001
            return False
        return True

    if outcome["error"] is not None and not fits(outcome["error"]):
        outcome["error"].pop("exception", None)
    culprit = ""
    if not fits(outcome["value"]):
        culprit = "its result (of type {})".format(type(outcome["value"]).__name__)
        outcome["value"] = None
    kept = []
    for operation in outcome["operations"]:
        if fits(operation):
            kept.append(operation)
        else:
            culprit = culprit or _call(operation)
    outcome["operations"] = kept
    if culprit and outcome["error"] is None:
        message = f"the task ended, but {culprit} cannot be pickled: {text_of(error)}"
        outcome["error"] = describe(TypeError(message), "pickle")


def _call(operation: tuple[str, tuple[Any, ...], dict[str, Any]]) -> str:
    name, args, kwargs = operation
    texts = [_short(value) for value in args] + [
        f"{key}={_short(value)}" for key, value in kwargs.items()
    ]
    return "what it handed to {}({})".format(name, ", ".join(texts))


def _short(value: Any) -> str:
    text = (
        repr(value)
        if isinstance(value, (str, int, float, bool, type(None)))
        else type(value).__name__
    )
    return text if len(text) <= 60 else text[:57] + "..."


def pack_json(outcome: dict[str, Any]) -> bytes:
    """Return the outcome as JSON; what JSON cannot hold becomes an error."""
    operations, culprit = [], ""
    for operation in outcome["operations"]:
        name, args, kwargs = operation
        if name in ("next_task", "add_to_queue"):
            # One of the workflow's own, as was checked when it was called.
            args = (args[0].task_id, *args[1:])
        if exact_json([*args, kwargs]):
            operations.append([name, list(args), kwargs])
        else:
            culprit = culprit or _call(operation)
    value = outcome["value"]
    if not exact_json(value):
        culprit, value = f"its result (of type {type(value).__name__})", None
    error = outcome["error"]
    if culprit and error is None:
        message = "the task ended, but %s is not exactly JSON, and this caller takes nothing else (trust='json')"
        error = describe(TypeError(message % culprit), "json")
    return _packed(
        {
            "value": value,
            "operations": operations,
            "error": error,
            "printed": outcome["printed"],
        }
    )
