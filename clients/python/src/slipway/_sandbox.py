"""What travels with every function and runs in the sandbox.

The sandbox needs no package of this name; only the standard library may be used, and
cloudpickle where it is there. The function is called, and what comes back is packed as bytes
that the caller reads without unpickling::

    b"slw1J" + JSON      where JSON gives back the same value
    b"slw1P" + a pickle  otherwise

An exception is raised further, so that the job fails as it should; what its texts cannot
say, the exception itself, goes ahead as an event.

Every task is a process of its own, which pays for each page that it touches. So here is what
all tasks run; the rest, `_sandbox_rest`, travels as bytes and is made into functions by those
that need it.
"""

from __future__ import annotations

from typing import Any

REST: bytes
"""The marshalled code of the rest; whoever loads this puts it here."""


def run(trusted: bool, call: tuple[Any, tuple[Any, ...], dict[str, Any]]) -> bytes:
    """Call the function and return its packed result.

    Parameters
    ----------
    trusted
        Whether the caller unpickles what comes back.
    call
        Function, positional and keyword arguments; a coroutine is awaited.
    """
    function, args, kwargs = call
    try:
        value = function(*args, **kwargs)
        if value is None:
            return b"slw1Jnull"
        if type(value) is int and -(10**15) < value < 10**15:
            return b"slw1J%d" % value
        packed: bytes = rest("finish")(trusted, value)
        return packed
    except Exception as error:
        if trusted:
            rest("announce")(error)
        raise


def rest(name: str) -> Any:
    """Return a function of the rest."""
    import marshal

    names: dict[str, Any] = {}
    exec(marshal.loads(REST), names)  # noqa: F821 - whoever loads this puts it there
    return names[name]


def run_many(function: Any, calls: list[tuple[Any, ...]]) -> list[Any]:
    """Call the function once for each tuple of arguments."""
    return [function(*args) for args in calls]


def unfold(archive: bytes) -> None:
    """Make the modules of a bundled source tree importable."""
    import os
    import sys
    import tempfile

    descriptor, path = tempfile.mkstemp(suffix=".zip")
    with os.fdopen(descriptor, "wb") as file:
        file.write(archive)
    sys.path.insert(0, path)
