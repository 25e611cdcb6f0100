"""Turns a call into the payload of a ``callable`` task.

The payload is a pickle of ``(run, (trusted, (function, args, kwargs)), {})``, put together of
parts that are pickles of their own and are loaded while the outer one is. So what stays the
same is pickled once: `run` for all calls, the function for all items of a map.
"""

from __future__ import annotations

import base64
import io
import pickle
import struct
import sys
import threading
import types
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import cloudpickle

from . import _sandbox

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
"""The version of the pickling side, as the gateway wants it."""

FILE_NAME = "<slipway>"
"""What the travelling code calls its file in tracebacks."""

ByValue = str | types.ModuleType | Path
"""A module or its name, or the folder of a package or of modules."""

_PROTOCOL = b"\x80\x05"
_LOADS = b"cpickle\nloads\n"
_TRUE, _FALSE = b"\x88", b"\x89"
_MARK, _TUPLE = b"(", b"t"
_REDUCE = b"R"
_REDUCE_ONE = b"\x85R"
_PARTIAL = b"cfunctools\npartial\n"
_POP = b"0"
_EMPTY_DICT = b"}"
_TUPLE_TWO, _TUPLE_THREE, _STOP = b"\x86", b"\x87", b"."

_END = _TUPLE + _EMPTY_DICT + _TUPLE_THREE + _STOP
_STORED_BYTES = 256
_PLAIN = frozenset((type(None), bool, int, float, complex, str, bytes))

_registry_lock = threading.Lock()


def _part(pickled: bytes) -> bytes:
    """Return opcodes that load another pickle onto the stack."""
    return _LOADS + b"B" + struct.pack("<I", len(pickled)) + pickled + _REDUCE_ONE


def _bare(code: types.CodeType, documented: bool = False) -> types.CodeType:
    """Return code without documentation and path, and so for the code inside of it."""
    inner = (_bare(c) if isinstance(c, types.CodeType) else c for c in code.co_consts)
    constants = tuple(inner)
    if documented:
        constants = (None, *constants[1:])
    return code.replace(co_consts=constants, co_filename=FILE_NAME)


def _travelling(*names: str) -> list[bytes]:
    """Pickle functions of the sandbox module by value, as small as they can be.

    They go with every job, so they go without documentation, annotations, and the path that
    the module has on this machine.
    """
    # Of dunder names pickles would carry the file's path.
    namespace: dict[str, Any] = {"__name__": "slipway_call"}
    namespace.update((k, v) for k, v in vars(_sandbox).items() if k[:2] != "__")
    for name, value in vars(_sandbox).items():
        if isinstance(value, types.FunctionType):
            code = _bare(value.__code__, value.__doc__ is not None)
            namespace[name] = types.FunctionType(
                code, namespace, name, value.__defaults__
            )
    return [cloudpickle.dumps(namespace[name], protocol=5) for name in names]


_run, _run_many, _unfold = _travelling("run", "run_many", "unfold")
_RUN = _part(_run)


class _Prefix:
    """The beginning of many payloads, compressed once.

    Parameters
    ----------
    data
        The beginning.
    """

    def __init__(self, data: bytes) -> None:
        packer = zlib.compressobj(9)
        self._packed = packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)
        self._sum = zlib.adler32(data)
        self._data = data

    def longer(self, data: bytes) -> _Prefix:
        """Return the prefix of this and some more."""
        return _Prefix(self._data + data)

    def end(self, tail: bytes) -> bytes:
        """Return the zlib stream of the whole.

        Parameters
        ----------
        tail
            What follows the beginning.
        """
        if len(tail) <= _STORED_BYTES:
            # One stored block: setting up a compressor costs more than it saves.
            length = struct.pack("<HH", len(tail), len(tail) ^ 0xFFFF)
            block = b"\x01" + length + tail
        else:
            packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
            block = packer.compress(tail) + packer.flush()
        return self._packed + block + struct.pack(">I", zlib.adler32(tail, self._sum))


class Pickler:
    """Pickles calls, with the modules that the caller announced.

    Parameters
    ----------
    trusted
        Whether results may be unpickled.
    by_value
        What the sandbox does not have: modules are pickled with the functions that use
        them, folders travel as they are and can be imported from.
    """

    def __init__(self, trusted: bool = True, by_value: Iterable[ByValue] = ()) -> None:
        if isinstance(by_value, (str, types.ModuleType, Path)):
            by_value = (by_value,)
        self._modules: list[types.ModuleType] = []
        bundles: list[bytes] = []
        for item in by_value:
            if isinstance(item, Path):
                bundles.append(_bundle(item))
            else:
                self._modules.append(
                    import_module(item) if isinstance(item, str) else item
                )
        head = _PROTOCOL
        for archive in bundles:
            # Loaded and dropped again: what counts is that it comes before the call.
            call = _part(_unfold) + _part(cloudpickle.dumps(archive, protocol=5))
            head += call + _REDUCE_ONE + _POP
        self._prefix = _Prefix(head + _RUN + _MARK + (_TRUE if trusted else _FALSE))

    def dumps(self, value: Any) -> bytes:
        """Pickle one value, announced modules by value.

        Parameters
        ----------
        value
            Anything that cloudpickle takes.
        """
        if not self._modules:
            data: bytes = cloudpickle.dumps(value, protocol=5)
            return data
        # The registry belongs to the whole process.
        with _registry_lock:
            known = cloudpickle.list_registry_pickle_by_value()
            added = [m for m in self._modules if m.__name__ not in known]
            for module in added:
                cloudpickle.register_pickle_by_value(module)
            try:
                data = cloudpickle.dumps(value, protocol=5)
            finally:
                for module in added:
                    cloudpickle.unregister_pickle_by_value(module)
        return data

    def task(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Return the task of a submission.

        Parameters
        ----------
        function, args, kwargs
            The call; what they share is still shared in the sandbox.
        """
        call = self.dumps((function, tuple(args), dict(kwargs)))
        return _task(self._prefix.end(_part(call) + _END))

    def tasks(
        self,
        function: Callable[..., Any],
        arguments: Iterable[tuple[Any, ...]],
        chunked: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Return tasks that call one function, which is pickled once.

        Parameters
        ----------
        function
            What to call.
        arguments
            The positional arguments of each call.
        chunked
            Whether these are a list of such arguments: one task makes all these calls.
        """
        part = _part(self.dumps(function))
        if chunked:
            # Bound to the function while it is unpickled: partial(run_many, function).
            part = _PARTIAL + _part(_run_many) + part + _TUPLE_TWO + _REDUCE
        prefix = self._prefix.longer(_MARK + part)
        for args in arguments:
            # Of plain values pickle makes the same as cloudpickle, much faster.
            plain = all(type(arg) in _PLAIN for arg in args)
            pickled = pickle.dumps(args, 5) if plain else self.dumps(args)
            yield _task(prefix.end(_part(pickled) + _EMPTY_DICT + _TUPLE + _END))


def _task(payload: bytes) -> dict[str, Any]:
    data = base64.b64encode(payload).decode("ascii")
    return {"type": "callable", "data": data, "python": PYTHON}


def _bundle(folder: Path) -> bytes:
    """Return the sources below a folder as an archive to import from.

    A package keeps its name; of any other folder the contents can be imported.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder")
    top = folder.parent if (folder / "__init__.py").exists() else folder
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(top)
            hidden = any(p.startswith(".") or p == "__pycache__" for p in inside.parts)
            if path.is_file() and not hidden:
                # Without times and modes, so that the same tree gives the same bytes.
                entry = zipfile.ZipInfo(inside.as_posix())
                archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()
