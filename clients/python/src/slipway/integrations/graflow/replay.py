"""Do on the caller's side what a task did to its workflow in the sandbox, in the same order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from graflow.core.context import ExecutionContext
from graflow.core.task import Executable

from slipway import SlipwayError

_CHANNEL = frozenset(("set", "append", "prepend", "delete", "clear", "atomic_add"))
_WITH_TTL = frozenset(("set", "append", "prepend"))


def replay(operations: Iterable[Sequence[Any]], context: ExecutionContext) -> None:
    """Replay recorded operations.

    Parameters
    ----------
    operations
        Name and arguments of each; tasks are tasks, or ``{"$task": id}`` for one of the workflow's own.
    context
        The caller's context.

    Raises
    ------
    SlipwayError
        For an operation that no sandbox of ours records.
    """
    for name, *arguments in operations:
        if name in _CHANNEL:
            getattr(context.channel, name)(*_without_ttl(arguments) if name in _WITH_TTL else arguments)
        elif name in ("next_task", "add_to_queue"):
            executable = _task_of(arguments[0], context)
            _CONTROL[name](context, executable, *arguments[1:])
        elif name in _CONTROL:
            _CONTROL[name](context, *arguments)
        else:
            raise SlipwayError(f"the sandbox recorded an unknown operation {name!r}")


def _task_of(value: Any, context: ExecutionContext) -> Any:
    if isinstance(value, dict):
        return context.graph.get_node(value["$task"])
    return value


def _without_ttl(arguments: list[Any]) -> list[Any]:
    # Channels of others need not know the parameter where it is not used.
    return arguments if arguments[-1] is not None else arguments[:-1]


def _next_task(context: ExecutionContext, executable: Executable, goto: bool) -> None:
    context.next_task(executable, goto=goto)


def _next_iteration(context: ExecutionContext, data: Any, task_id: str | None, iteration_id: str) -> None:
    """Make the iteration here, where its closure holds the caller's context, under the id that the task was told."""
    original = context.next_task

    def next_task(executable: Executable, goto: bool = False, _is_iteration: bool = False) -> str:
        setattr(executable, "_task_id", iteration_id)
        # graflow gives iterations no handler, so they would run in the caller's process.
        executable.handler_type = handler_type
        return original(executable, goto, _is_iteration=_is_iteration)

    current = context.current_task_id if task_id is None else task_id
    handler_type = _handler_type(context, current)
    setattr(context, "next_task", next_task)
    try:
        context.next_iteration(data, task_id)
    finally:
        delattr(context, "next_task")


def _handler_type(context: ExecutionContext, task_id: str | None) -> str:
    if task_id is None or not context.graph.has_node(task_id):
        return "direct"
    return context.graph.get_node(task_id).handler_type


def _request_checkpoint(context: ExecutionContext, metadata: Any, path: str | None) -> None:
    context.request_checkpoint(metadata, path=path)


_CONTROL: dict[str, Callable[..., None]] = {
    "next_task": _next_task,
    "next_iteration": _next_iteration,
    "add_to_queue": ExecutionContext.add_to_queue,
    "terminate_workflow": ExecutionContext.terminate_workflow,
    "cancel_workflow": ExecutionContext.cancel_workflow,
    "request_checkpoint": _request_checkpoint,
}
