"""Pickles as Python does, whatever the caller's process has registered for exceptions and tracebacks.

Some packages (tblib, which distributed installs) register their own way of pickling exceptions for the whole process.
What reads such a pickle needs the package, too, and a sandbox need not have it.
"""

from __future__ import annotations

import io
import types
from typing import Any

import cloudpickle

from ._sandbox_rest import reduce_exception


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """cloudpickle's pickler, with exceptions and tracebacks as Python pickles them."""

    def reducer_override(self, obj: Any) -> Any:
        """Return how to pickle an object; goes before what was registered for its type."""
        if isinstance(obj, BaseException):
            reduced = reduce_exception(obj)
            return obj.__reduce_ex__(5) if reduced is None else reduced
        if isinstance(obj, types.TracebackType):
            raise TypeError("cannot pickle 'traceback' object")
        return super().reducer_override(obj)


def dumps(value: Any) -> bytes:
    """Pickle a value with cloudpickle."""
    with io.BytesIO() as buffer:
        Pickler(buffer, protocol=5).dump(value)
        return buffer.getvalue()
