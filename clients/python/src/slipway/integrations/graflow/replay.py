"""Do on the caller's side what a task did to its workflow in the sandbox, in the same order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from graflow.core.context import ExecutionContext
from graflow.core.task import Executable

from slipway import SlipwayError

_CHANNEL = frozenset(("set", "append", "prepend", "delete", "clear", "atomic_add"))
_CONTROL = frozenset(("terminate_workflow", "cancel_workflow", "request_checkpoint"))
_TASKS = frozenset(("next_task", "add_to_queue"))

Operation = Sequence[Any]
"""A method's name, its positional arguments, its keyword arguments."""


def replay(operations: Iterable[Operation], context: ExecutionContext) -> None:
    """Replay recorded operations.

    Parameters
    ----------
    operations
        What was called. Tasks are tasks, or the ids of the workflow's own.
    context
        The caller's context.

    Raises
    ------
    SlipwayError
        For an operation that no sandbox of ours records.
    """
    for name, args, kwargs in operations:
        if name in _CHANNEL:
            getattr(context.channel, name)(*args, **kwargs)
        elif name in _CONTROL:
            getattr(context, name)(*args, **kwargs)
        elif name in _TASKS:
            executable = (
                context.graph.get_node(args[0]) if isinstance(args[0], str) else args[0]
            )
            getattr(context, name)(executable, *args[1:], **kwargs)
        elif name == "next_iteration":
            _next_iteration(context, *args, **kwargs)
        else:
            raise SlipwayError(f"the sandbox recorded an unknown operation {name!r}")


def _next_iteration(
    context: ExecutionContext,
    data: Any = None,
    task_id: str | None = None,
    *,
    iteration_id: str,
) -> None:
    """Make the iteration here, where its closure holds the caller's context, under the id that the task was told."""
    original = context.next_task
    base = context.current_task_id if task_id is None else task_id
    known = base is not None and context.graph.has_node(base)
    handler_type = context.graph.get_node(base).handler_type if known else "direct"

    def next_task(
        executable: Executable, goto: bool = False, _is_iteration: bool = False
    ) -> str:
        executable._task_id = iteration_id
        # graflow gives iterations no handler, so they would run in the caller's process.
        executable.handler_type = handler_type
        return str(original(executable, goto, _is_iteration=_is_iteration))

    context.next_task = next_task
    try:
        context.next_iteration(data, task_id)
    finally:
        delattr(context, "next_task")
