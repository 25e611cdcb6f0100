"""Pickle a task with its context for a sandbox, and unpickle what comes back."""

from __future__ import annotations

import copyreg
import functools
import importlib.metadata
import io
import json
import marshal
import pickle
import sys
import zlib
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import cloudpickle
import graflow
from graflow.core import decorators as graflow_decorators
from graflow.core.context import ExecutionContext
from graflow.core.task import Executable
from graflow.trace.base import Tracer
from graflow.trace.noop import NoopTracer

from slipway import SlipwayError, _payload, _pickling

from . import decorators, sandbox, starter, troubles

# How often pickling starts again when another thread changes the workflow meanwhile.
ATTEMPTS = 20


def versions() -> dict[str, str]:
    """Return the versions that the sandbox compares with its own."""
    return {
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "graflow": graflow_version(),
        "cloudpickle": cloudpickle.__version__,
    }


@functools.cache
def graflow_version() -> str:
    """Return the version of the caller's graflow."""
    return str(
        getattr(graflow, "__version__", None) or importlib.metadata.version("graflow")
    )


@functools.cache
def prefix(
    found: tuple[tuple[str, str], ...], trust: str, source_folder: str
) -> _payload.Prefix:
    """Return the beginning of every task: what runs in the sandbox, and all that it is called with but the task.

    It is what :mod:`.starter`, :mod:`.sandbox` and :mod:`.troubles` need, without documentation and line numbers, which
    tracebacks of tasks do not show anyway: the gateway keeps small tasks in one place with their row, so they are kept
    small. Built-in functions make it of code objects: a function that cloudpickle has pickled is made by many lines of
    cloudpickle, which take their time in a process that has just been forked.

    Parameters
    ----------
    found
        The caller's versions.
    trust
        ``pickle`` or ``json``.
    source_folder
        Where graflow's source tree is mounted, or nothing.
    """
    namespace = {
        "CODE": zlib.compress(_compiled(sandbox), 9),
        "EDITION": zlib.crc32(_text(sandbox).encode()),
    }
    rest = zlib.compress(_text(troubles).encode(), 9)
    arguments = (rest, dict(found), trust, source_folder)
    return _payload.travelling_call(_compiled(starter), "start", namespace, arguments)


def _text(module: ModuleType) -> str:
    return Path(str(module.__file__)).read_text("utf-8")


def _compiled(module: ModuleType) -> bytes:
    code = compile(
        _text(module), troubles.OWN_FILE, "exec", dont_inherit=True, optimize=2
    )
    return marshal.dumps(_stripped(code))


def _stripped(code: CodeType) -> CodeType:
    constants = (
        _stripped(item) if isinstance(item, CodeType) else item
        for item in code.co_consts
    )
    smaller: dict[str, Any] = {"co_consts": tuple(constants)}
    if sys.version_info >= (3, 11):
        # Entries of up to 8 code units without a line: the traceback module cannot do without any.
        whole, rest = divmod(len(code.co_code) // 2, 8)
        table = b"\xff" * whole + (bytes((0xF8 | rest - 1,)) if rest else b"")
        smaller.update(co_linetable=table, co_qualname=code.co_name)
    return code.replace(**smaller)


def callable_task(
    task: Executable, context: ExecutionContext, source_folder: str, trust: str
) -> dict[str, Any]:
    """Return the task of a submission.

    It is made here and not by the client, whose own travelling code would double its size: only results that are
    already packed come back.

    Parameters
    ----------
    task, context
        What to run.
    source_folder
        Where graflow's source tree is mounted, or nothing.
    trust
        ``pickle`` or ``json``.
    """
    beginning = prefix(tuple(versions().items()), trust, source_folder)
    return _payload.last_argument(beginning, dump(task, context))


class Pickler(_pickling.Pickler):
    """Pickles a task and its context without what belongs to the caller only."""

    def reducer_override(self, obj: Any) -> Any:
        """Replace contexts, tracers and errors of Slipway by what a sandbox can use."""
        if isinstance(obj, ExecutionContext):
            return vars(copyreg)["__newobj__"], (type(obj),), sandbox_state(obj)
        if isinstance(obj, Tracer):
            # The caller's tracer sees the task already; a second one would report it twice.
            return NoopTracer, (False,)
        if isinstance(obj, SlipwayError):
            # Results of failed tasks lie in the channel, and a sandbox has no slipway package.
            return RuntimeError, (f"{type(obj).__name__}: {obj}",)
        if obj is getattr(graflow_decorators, decorators.ORIGINAL, self):
            # It is no longer found under its name here, but in the sandbox it is.
            return getattr, (graflow_decorators, "task")
        return super().reducer_override(obj)


def sandbox_state(context: ExecutionContext) -> dict[str, Any]:
    """Return a context's state with a snapshot of its channel in memory, whatever its backend is.

    Connection settings, which may hold a password, stay with the caller.
    """
    state = dict(context.__getstate__())
    channel = context.channel
    state["_channel_data"] = {
        key: _value_of(channel, key)
        for key in channel.keys()  # noqa: SIM118 - it is no mapping
    }
    state["_channel_backend_type"] = "memory"
    state["_original_config"] = {}
    state["parent_context"] = None
    state["_slipway_nodes"] = list(context.graph.nodes)
    return state


def dump(task: Executable, context: ExecutionContext) -> bytes:
    """Return one pickle of ``(task, context)``, so that what both hold travels once."""
    for attempt in range(ATTEMPTS):
        buffer = io.BytesIO()
        try:
            Pickler(buffer, protocol=5).dump((task, context))
        except RuntimeError as error:
            # Tasks of a parallel group share the graph, and another one may just add a task to it.
            if "during iteration" not in str(error) or attempt == ATTEMPTS - 1:
                raise
            continue
        return buffer.getvalue()
    raise AssertionError("unreachable")


def _value_of(channel: Any, key: str) -> Any:
    try:
        return channel.get(key)
    except Exception:
        # graflow's channel in Redis has no method that reads a list.
        if not hasattr(channel, "redis_client"):
            raise
        items = channel.redis_client.lrange(channel._get_key(key), 0, -1)
        return [json.loads(item) for item in items]


class Unpickler(pickle.Unpickler):
    """Unpickles an outcome; references become the caller's own objects."""

    def __init__(
        self, data: bytes, task: Executable, context: ExecutionContext
    ) -> None:
        super().__init__(io.BytesIO(data))
        self._task = task
        self._context = context
        self._known: set[type] = set()

    def find_class(self, module: str, name: str) -> Any:
        """Return the global `name`, guarded where loading it would change the caller's classes."""
        if module == sandbox.REFERENCES:
            return self._resolve
        found = super().find_class(module, name)
        if module == "cloudpickle.cloudpickle":
            if name in ("_make_skeleton_class", "_make_skeleton_enum"):
                tracked = getattr(
                    cloudpickle.cloudpickle, "_DYNAMIC_CLASS_TRACKER_BY_CLASS", {}
                )
                self._known.update(tracked)
            elif name == "_class_setstate":
                return functools.partial(self._class_setstate, found)
        return found

    def _class_setstate(self, original: Any, kind: type, state: Any) -> Any:
        # A class of the caller comes back as itself: its methods must stay those of the caller.
        return kind if kind in self._known else original(kind, state)

    def _resolve(self, kind: str, name: str = "") -> Any:
        if kind == "context":
            return self._context
        if kind == "channel":
            return self._context.channel
        if kind == "graph":
            return self._context.graph
        if kind == "self":
            return self._task
        if kind == "task":
            return self._context.graph.get_node(name)
        if kind == "task_context":
            current = self._context.current_task_context
            if current is not None and current.task_id == name:
                return current
            return self._context.create_task_context(name)
        raise pickle.UnpicklingError(
            f"the sandbox refers to something unknown: {kind!r}"
        )


def load(
    answer: Any, pickled: bool, task: Executable, context: ExecutionContext
) -> dict[str, Any]:
    """Return the outcome that the sandbox answered with.

    Parameters
    ----------
    answer
        Bytes, or what the client read from JSON.
    pickled
        Whether bytes are a pickle, by the word of the gateway, and may be loaded.
    task, context
        What references in a pickle stand for.

    Raises
    ------
    SlipwayError
        For anything else, bytes that are not known to be a pickle among it.
    """
    outcome = answer
    if pickled and isinstance(answer, bytes):
        outcome = Unpickler(answer, task, context).load()
    if not isinstance(outcome, dict):
        raise SlipwayError(
            f"the sandbox answered with {type(answer).__name__}, which no graflow task does"
        )
    return outcome
