"""Turns a call into the payload of a ``callable`` task.

The payload is a pickle of ``(run, (trusted, (function, args, kwargs)), {})``, put together of
parts that are pickles of their own and are loaded while the outer one is. So what stays the
same is made once: `run` for all calls, the function for all items of a map.
"""

from __future__ import annotations

import ast
import base64
import io
import marshal
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

from . import _pickling, _sandbox, _sandbox_rest

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
"""The version of the pickling side, as the gateway wants it."""

FILE_NAME = "<slipway>"
"""What the travelling code calls its file in tracebacks."""

ByValue = str | types.ModuleType | Path
"""A module or its name, or the folder of a package or of modules."""

_PROTOCOL = b"\x80\x05"
_TRUE, _FALSE = b"\x88", b"\x89"
_MARK, _TUPLE, _EMPTY_DICT = b"(", b"t", b"}"
_TUPLE_ONE, _TUPLE_TWO, _TUPLE_THREE = b"\x85", b"\x86", b"\x87"
_REDUCE, _POP, _STOP = b"R", b"0", b"."
# The names of the module that travels, which the pickle keeps as its number 0.
_NEW_NAMESPACE, _NAMESPACE = b"}q\x00", b"h\x00"
_SET_ITEM = b"s"
_END = _TUPLE + _EMPTY_DICT + _TUPLE_THREE + _STOP
_STORED_BYTES = 256
# Where somebody waits for the one task.
_QUICK_BYTES = 4096
_PLAIN = frozenset((type(None), bool, int, float, complex, str, bytes))

_registry_lock = threading.Lock()


def _compiled(module: types.ModuleType) -> bytes:
    """Return a module as marshalled code, without documentation, paths and places.

    So making its functions there takes no Python code: cloudpickle would run some hundred
    lines of its own, in a process that has just been forked.
    """
    loader = module.__spec__ and module.__spec__.loader
    source = loader.get_source(module.__name__) if loader else None  # type: ignore[attr-defined]
    if source is None:
        raise ImportError("slipway needs its own sources, which travel to the sandbox")
    tree = ast.parse(source)
    for node in ast.walk(tree):
        # Tracebacks are shown without this code, so it need not say where in the file it is.
        if hasattr(node, "lineno"):
            vars(node).update(lineno=1, end_lineno=1, col_offset=0, end_col_offset=0)
    code = compile(tree, FILE_NAME, "exec", dont_inherit=True, optimize=2)
    return marshal.dumps(code)


def _call(function: bytes, *arguments: bytes) -> bytes:
    """Return opcodes that call a global with one or two arguments."""
    module, name = function.split(b".")
    ending = _TUPLE_ONE if len(arguments) == 1 else _TUPLE_TWO
    opcodes = b"c" + module + b"\n" + name + b"\n"
    return opcodes + b"".join(arguments) + ending + _REDUCE


def _bytes(data: bytes) -> bytes:
    """Return opcodes for a bytes object."""
    return b"B" + struct.pack("<I", len(data)) + data


def _part(pickled: bytes) -> bytes:
    """Return opcodes that load another pickle onto the stack."""
    return _call(b"pickle.loads", _bytes(pickled))


def _text(text: str) -> bytes:
    """Return opcodes for a short string."""
    return b"\x8c" + struct.pack("<B", len(text)) + text.encode("ascii")


def _travelling(name: str) -> bytes:
    """Return opcodes for a function of the sandbox module, once that has travelled."""
    return _call(b"operator.getitem", _NAMESPACE, _text(name))


def _module() -> bytes:
    """Return opcodes that make the sandbox module's functions."""
    _sandbox.REST = _compiled(_sandbox_rest)
    namespace = _NEW_NAMESPACE + _text("REST") + _bytes(_sandbox.REST) + _SET_ITEM
    code = _call(b"marshal.loads", _bytes(_compiled(_sandbox)))
    return _call(b"builtins.exec", code, namespace) + _POP


_MODULE = _module()


class Prefix:
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

    def longer(self, data: bytes) -> Prefix:
        """Return the prefix of this and some more."""
        return Prefix(self._data + data)

    def end(self, tail: bytes, stored: int = _STORED_BYTES) -> bytes:
        """Return the zlib stream of the whole.

        Parameters
        ----------
        tail
            What follows the beginning.
        stored
            Up to how many bytes it goes as it is; at most 65535.
        """
        if len(tail) <= stored:
            # One stored block: setting up a compressor costs more than it saves.
            length = struct.pack("<HH", len(tail), len(tail) ^ 0xFFFF)
            block = b"\x01" + length + tail
        else:
            packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
            block = packer.compress(tail) + packer.flush()
        return self._packed + block + struct.pack(">I", zlib.adler32(tail, self._sum))


def travelling_call(
    code: bytes, name: str, values: Mapping[str, Any], arguments: Iterable[Any]
) -> Prefix:
    """Return the beginning of payloads that call a function of code that travels with them.

    Parameters
    ----------
    code
        A module, marshalled.
    name
        The function's name there.
    values
        What is set in the module's namespace, after it has run.
    arguments
        What the function is called with before its last argument.
    """
    head = _PROTOCOL + _NEW_NAMESPACE + _POP
    head += _call(b"builtins.exec", _call(b"marshal.loads", _bytes(code)), _NAMESPACE)
    head += _POP + _NAMESPACE
    for key, value in values.items():
        head += _text(key) + _part(pickle.dumps(value, 5)) + _SET_ITEM
    head += _POP + _travelling(name) + _MARK
    return Prefix(head + b"".join(_part(pickle.dumps(a, 5)) for a in arguments))


def last_argument(prefix: Prefix, data: bytes) -> dict[str, Any]:
    """Return the task of a submission that `travelling_call` began.

    Parameters
    ----------
    prefix
        The beginning.
    data
        The function's last argument.
    """
    tail = _bytes(data) + _TUPLE + _EMPTY_DICT + _TUPLE_THREE + _STOP
    return _task(prefix.end(tail, stored=_QUICK_BYTES))


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
        head = _PROTOCOL + _MODULE
        for archive in bundles:
            # Loaded and dropped again: what counts is that it comes before the call.
            head += (
                _travelling("unfold") + _bytes(archive) + _TUPLE_ONE + _REDUCE + _POP
            )
        self._prefix = Prefix(
            head + _travelling("run") + _MARK + (_TRUE if trusted else _FALSE)
        )

    def dumps(self, value: Any) -> bytes:
        """Pickle one value, announced modules by value.

        Parameters
        ----------
        value
            Anything that cloudpickle takes.
        """
        if not self._modules:
            return _pickling.dumps(value)
        # The registry belongs to the whole process.
        with _registry_lock:
            known = cloudpickle.list_registry_pickle_by_value()
            added = [m for m in self._modules if m.__name__ not in known]
            for module in added:
                cloudpickle.register_pickle_by_value(module)
            try:
                data = _pickling.dumps(value)
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
            part = _call(b"functools.partial", _travelling("run_many"), part)
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
