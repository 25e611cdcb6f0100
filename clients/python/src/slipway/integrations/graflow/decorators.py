"""graflow's task decorator with the keywords that its documents use, and those of Slipway.

This module is pickled by value with the functions that use it: sandboxes have no slipway package. So it imports
graflow only, and within its functions.
"""

from __future__ import annotations

from typing import Any

# Where a task keeps what it asks of Slipway: on the task, and on the function that its copies share.
ATTRIBUTE = "_slipway_keywords"

# Under this name install() keeps graflow's own decorator in the decorator's module.
ORIGINAL = "_slipway_original_task"

# Keywords that graflow's own decorator takes.
_GRAFLOW_KEYWORDS = (
    "id",
    "inject_context",
    "inject_llm_client",
    "inject_llm_agent",
    "handler",
    "resolve_keyword_args",
    "max_cycles",
    "max_retries",
    "retry_policy",
)


def task(id_or_func: Any = None, **keywords: Any) -> Any:
    """Make a task, as graflow's decorator of the same name does.

    Parameters
    ----------
    id_or_func
        As for graflow.
    keywords
        Those of graflow; ``handler_type`` as another name of ``handler``; those of
        :class:`SlipwayTaskHandler` for this task alone, also as ``docker_image``, ``docker_environment`` and
        ``docker_volumes``. With one of the latter and no handler, the handler is ``docker``.
    """
    from graflow.core import decorators

    # install() puts this function in the place of graflow's own.
    original = getattr(decorators, ORIGINAL, None) or decorators.task
    own = {name: value for name, value in keywords.items() if name in _GRAFLOW_KEYWORDS}
    more = {name: value for name, value in keywords.items() if name not in own}
    handler = more.pop("handler_type", None)
    if handler is not None:
        if own.get("handler") not in (None, handler):
            raise TypeError("handler and handler_type name different handlers")
        own["handler"] = handler
    if more and own.get("handler") is None:
        own["handler"] = "docker"
    made = original(id_or_func, **own)
    if not more:
        return made
    if not hasattr(made, "task_id"):
        return lambda function: configure(made(function), **more)
    return configure(made, **more)


def configure(made: Any, **keywords: Any) -> Any:
    """Say what one task asks of Slipway; return the task.

    Parameters
    ----------
    made
        A task of graflow.
    keywords
        Those of :class:`SlipwayTaskHandler`, for this task alone.
    """
    merged = {**asked(made), **keywords}
    setattr(made, ATTRIBUTE, merged)
    function = getattr(made, "func", None)
    if function is not None:
        # Each task has a wrapper of its own, which its copies with other arguments keep.
        setattr(function, ATTRIBUTE, merged)
    return made


def asked(made: Any) -> dict[str, Any]:
    """Return what a task asks of Slipway."""
    found = getattr(made, ATTRIBUTE, None) or getattr(
        getattr(made, "func", None), ATTRIBUTE, None
    )
    return dict(found or {})
