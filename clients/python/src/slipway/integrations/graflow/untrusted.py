"""What the task of a sandbox that is not trusted may do to the workflow of the caller.

Its operations come as JSON, so they hold no code. They still reach methods of graflow in the caller's process, of which
one would write files wherever it is told, and others would run other tasks with values of this task's choice.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

from graflow.core.context import ExecutionContext

from slipway import SlipwayError

_ITERATION = re.compile(r"(.+)_cycle_\d+_[0-9a-f]{8}", re.DOTALL)


def checked(
    operations: Any, context: ExecutionContext, task_id: str
) -> list[tuple[str, list[Any], dict[str, Any]]]:
    """Return the operations if an untrusted task may ask for every one of them.

    Parameters
    ----------
    operations
        What was read from JSON: lists of a name, arguments and keyword arguments.
    context
        The caller's context.
    task_id
        The task that asks.

    Raises
    ------
    SlipwayError
        For one that it may not ask for; then none should be replayed.
    """
    made = []
    for operation in operations if isinstance(operations, list) else (operations,):
        try:
            name, args, kwargs = operation
            plain = isinstance(args, list) and isinstance(kwargs, dict)
            fits = plain and _CHECKS[name](context, task_id, *args, **kwargs)
        except (KeyError, TypeError, ValueError):
            # Not three things, no name of ours, not the arguments of this method.
            fits = False
        if not fits:
            raise SlipwayError(
                f"the sandbox recorded an operation that no task of ours asks for: {operation!r:.200}"
            )
        made.append((name, args, kwargs))
    return made


# What follows the task has the name that graflow gives it, so that what fits here fits there.


def _write(_: Any, __: str, /, key: Any, value: Any, ttl: Any = None) -> bool:
    return isinstance(key, str) and (ttl is None or _is_number(ttl))


def _delete(_: Any, __: str, /, key: Any) -> bool:
    return isinstance(key, str)


def _clear(_: Any, __: str, /) -> bool:
    return True


def _add(_: Any, __: str, /, key: Any, amount: Any = 1) -> bool:
    return isinstance(key, str) and _is_number(amount)


def _end(_: Any, __: str, /, message: Any) -> bool:
    return isinstance(message, str)


def _checkpoint(_: Any, __: str, /, metadata: Any = None, *, path: Any = None) -> bool:
    if path is not None:
        raise SlipwayError(
            "with trust='json' a task cannot choose where a checkpoint is written: "
            "leave out the path, or give the task handler='direct'"
        )
    return metadata is None or isinstance(metadata, dict)


def _queue(context: ExecutionContext, _: str, name: Any, /) -> bool:
    return isinstance(name, str) and bool(context.graph.has_node(name))


def _next(context: ExecutionContext, own: str, name: Any, /, goto: Any = False) -> bool:
    return isinstance(goto, bool) and _queue(context, own, name)


def _iterate(
    context: ExecutionContext,
    own: str,
    /,
    data: Any = None,
    task_id: Any = None,
    *,
    iteration_id: Any,
) -> bool:
    if task_id not in (None, own):
        raise SlipwayError(
            f"with trust='json' a task can only ask for iterations of itself, not of {task_id!r}"
        )
    found = _ITERATION.fullmatch(iteration_id)
    # The name of a known task would make that one run in the place of the iteration.
    return (
        found is not None
        and (own == found[1] or own.startswith(f"{found[1]}_cycle_"))
        and not context.graph.has_node(iteration_id)
    )


def _is_number(value: Any) -> bool:
    # So neither an infinity, nor an integer that no float can hold.
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


_CHECKS: dict[str, Callable[..., bool]] = {
    "set": _write,
    "append": _write,
    "prepend": _write,
    "delete": _delete,
    "clear": _clear,
    "atomic_add": _add,
    "terminate_workflow": _end,
    "cancel_workflow": _end,
    "request_checkpoint": _checkpoint,
    "next_task": _next,
    "add_to_queue": _queue,
    "next_iteration": _iterate,
}
