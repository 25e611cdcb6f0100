"""What the executor sends along with a call and what runs in the sandbox.

The functions of this module travel by value, so the sandbox needs no ``slipway`` package. They therefore use nothing of
this module but builtins, and import what they need themselves.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import cloudpickle

T = TypeVar("T")
INITIALIZER_FAILED = "the initializer of the executor failed"


def initialised(
    initializer: Callable[..., object], initargs: tuple[Any, ...], fn: Callable[..., T]
) -> Callable[..., T]:
    """Return a function that runs the initializer before ``fn``, in the same process.

    When the initializer raises it raises ``concurrent.futures.BrokenExecutor``, with a first argument by which the
    client knows it and the traceback as the second.
    """

    def call(*args: Any, **kwargs: Any) -> T:
        try:
            initializer(*initargs)
        except BaseException as error:
            import traceback
            from concurrent.futures import BrokenExecutor

            lines = traceback.format_exception(type(error), error, error.__traceback__)
            # A literal: a global of this module would have to travel with every call.
            raise BrokenExecutor(
                "the initializer of the executor failed", "".join(lines)
            ) from error
        return fn(*args, **kwargs)

    return call


def chunked(fn: Callable[..., T]) -> Callable[[list[tuple[Any, ...]]], list[T]]:
    """Return a function that calls ``fn`` with each of many argument tuples; the first exception ends it."""

    def call(chunk: list[tuple[Any, ...]]) -> list[T]:
        return [fn(*args) for args in chunk]

    return call


def call_items(
    items: Iterable[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]],
) -> list[Any]:
    """Make the calls one after the other and return what they returned."""
    return [fn(*args, **kwargs) for fn, args, kwargs in items]


cloudpickle.register_pickle_by_value(sys.modules[__name__])
