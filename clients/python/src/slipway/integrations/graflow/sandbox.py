"""Run one graflow task inside a sandbox and say what it did.

This module travels as a code object, since a sandbox has no slipway package: it imports the standard library only,
and graflow and cloudpickle once their versions are known to fit. :func:`main` is called there.

What a task does to its workflow (channel writes, dynamic tasks, control flow) is recorded in order and replayed on
the caller's side, where the real channel and graph are.
"""

from __future__ import annotations

import copyreg
import io
import json
import sys
import traceback
import types
from typing import Any, Callable

# Under this name the sandbox refers to objects that the caller already has.
REFERENCES = "slipway_graflow_references"


class Mismatch(Exception):
    """Versions that do not fit; raised before anything is unpickled."""


def main(payload: bytes, versions: dict[str, str], trust: str) -> Any:
    """Run the task in `payload`.

    Parameters
    ----------
    payload
        A pickle of ``(task, context)``.
    versions
        The caller's versions of Python, graflow and cloudpickle.
    trust
        ``pickle``: answer with bytes, a pickle; ``json``: answer with a JSON text and nothing else.

    Returns
    -------
    bytes or str
        The outcome: ``value``, ``operations``, ``error``, ``printed``; or ``mismatch``.
    """
    try:
        check_versions(versions)
    except Mismatch as error:
        return json.dumps({"mismatch": str(error)})
    printed = watch_output()
    refuse_feedback()
    import pickle

    task, context = pickle.loads(payload)
    operations = record(context, task, trust)
    outcome: dict[str, Any] = {"value": None, "error": None}
    try:
        outcome["value"] = run(task, context)
    except Exception as error:  # Everything but exits, which the sandbox reports as such.
        outcome["error"] = describe(error, trust)
    outcome["operations"] = operations
    outcome["printed"] = printed
    return pack(outcome, context, task, trust)


def check_versions(versions: dict[str, str]) -> None:
    """Raise Mismatch unless Python, graflow and cloudpickle are those of the caller."""
    python = "%d.%d" % sys.version_info[:2]
    if python != versions["python"]:
        raise Mismatch(
            "the task was pickled by Python %s, the sandbox runs %s: use an image with Python %s"
            % (versions["python"], python, versions["python"])
        )
    for name, exact in (("cloudpickle", False), ("graflow", True)):
        try:
            module = __import__(name)
        except ImportError as error:
            raise Mismatch(
                "the sandbox cannot import %s (%s): leave provide_graflow on, or use an image that has it"
                % (name, error)
            ) from None
        here, there = str(getattr(module, "__version__", "unknown")), versions[name]
        if here != there and (exact or here.split(".")[:2] != there.split(".")[:2]):
            raise Mismatch(
                "the task was pickled with %s %s, the sandbox has %s: pickles of different versions do not fit"
                % (name, there, here)
            )


def run(task: Any, context: Any) -> Any:
    """Run the task as graflow's own handlers do."""
    current = context.current_task_context
    if current is not None and current.task_id == task.task_id:
        # The caller's engine has opened the task; doing it again would count its cycle twice.
        task.set_execution_context(context)
        return task.run()
    with context.executing_task(task):
        return task.run()


def watch_output() -> dict[str, bool]:
    """Note whether Python code prints, so that the caller asks for logs only when there are some."""
    printed: dict[str, bool] = {}

    def watch(name: str, stream: Any) -> None:
        original = stream.write

        def write(data: Any) -> Any:
            printed[name] = True
            return original(data)

        stream.write = write

    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        for layer in (stream, getattr(stream, "buffer", None)):
            try:
                watch(name, layer)
            except AttributeError:
                continue  # A stream that takes no attributes, or none at all.
    return printed


def refuse_feedback() -> None:
    """Replace graflow's feedback manager, whose files and answers are on the caller's side."""
    import graflow.hitl.manager as manager

    class NoFeedback:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            pass

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            raise RuntimeError(
                "human feedback is asked where the workflow runs, not in a sandbox: give this task handler='direct'"
            )

    setattr(manager, "FeedbackManager", NoFeedback)


def record(context: Any, task: Any, trust: str) -> list[tuple[Any, ...]]:
    """Make `context` and its channel record what the task does to them; return the record."""
    operations: list[tuple[Any, ...]] = []
    quiet = [0]

    def note(*operation: Any) -> None:
        if not quiet[0]:
            operations.append(operation)

    def silently(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        quiet[0] += 1
        try:
            return function(*args, **kwargs)
        finally:
            quiet[0] -= 1

    record_channel(context.channel, note, silently)
    record_control(context, note, silently, trust)
    return operations


def record_channel(channel: Any, note: Any, silently: Any) -> None:
    """Record the writes to `channel`, after they succeeded."""
    base: Any = type(channel)

    class Channel(base):  # type: ignore[misc]
        def set(self, key: str, value: Any, ttl: Any = None) -> None:
            silently(base.set, self, key, value, ttl)
            note("set", key, value, ttl)

        def append(self, key: str, value: Any, ttl: Any = None) -> Any:
            length = silently(base.append, self, key, value, ttl)
            note("append", key, value, ttl)
            return length

        def prepend(self, key: str, value: Any, ttl: Any = None) -> Any:
            length = silently(base.prepend, self, key, value, ttl)
            note("prepend", key, value, ttl)
            return length

        def delete(self, key: str) -> Any:
            existed = silently(base.delete, self, key)
            note("delete", key)
            return existed

        def clear(self) -> None:
            silently(base.clear, self)
            note("clear")

        def atomic_add(self, key: str, amount: Any = 1) -> Any:
            value = silently(base.atomic_add, self, key, amount)
            note("atomic_add", key, amount)
            return value

        # These delete keys whose time is over, which the caller's channel does by itself.
        def get(self, key: str, default: Any = None) -> Any:
            return silently(base.get, self, key, default)

        def exists(self, key: str) -> Any:
            return silently(base.exists, self, key)

        def keys(self) -> Any:
            return silently(base.keys, self)

    Channel.__name__, Channel.__qualname__, Channel.__module__ = (
        base.__name__,
        base.__qualname__,
        base.__module__,
    )
    channel.__class__ = Channel


def record_control(context: Any, note: Any, silently: Any, trust: str) -> None:
    """Record dynamic tasks, iterations, gotos, ends and checkpoints that a task asks for."""
    base: Any = type(context)

    class Context(base):  # type: ignore[misc]
        def next_task(self, executable: Any, goto: bool = False, _is_iteration: bool = False) -> Any:
            known = is_node(self.graph, executable)
            if trust == "json" and not known and not _is_iteration:
                raise TypeError(
                    "with trust='json' a task cannot send new tasks: jump to one of the workflow's own"
                )
            task_id = silently(base.next_task, self, executable, goto, _is_iteration)
            note("next_task", executable, goto)
            return task_id

        def next_iteration(self, data: Any = None, task_id: Any = None) -> Any:
            iteration_id = silently(base.next_iteration, self, data, task_id)
            current = self.current_task_context
            note("next_iteration", data, task_id or (current and current.task_id), iteration_id)
            return iteration_id

        def add_to_queue(self, executable: Any) -> None:
            silently(base.add_to_queue, self, executable)
            note("add_to_queue", executable)

        # Not by the methods of graflow, which also log: the caller's side does that.
        def terminate_workflow(self, message: str) -> None:
            self._terminate_called_in_current_task = True
            self.ctrl_message = message
            note("terminate_workflow", message)

        def cancel_workflow(self, message: str) -> None:
            self._cancel_called_in_current_task = True
            self.ctrl_message = message
            note("cancel_workflow", message)

        def request_checkpoint(self, metadata: Any = None, *, path: Any = None) -> None:
            base.request_checkpoint(self, metadata, path=path)
            note("request_checkpoint", metadata, path)

    Context.__name__, Context.__qualname__, Context.__module__ = (
        base.__name__,
        base.__qualname__,
        base.__module__,
    )
    context.__class__ = Context
    for current in context._task_execution_stack:
        refuse_immediate_checkpoint(current)


def refuse_immediate_checkpoint(current: Any) -> None:
    """Let a task ask for a checkpoint after its end, but not write one inside the sandbox."""
    original = current.checkpoint

    def checkpoint(metadata: Any = None, *, path: Any = None, deferred: bool = True) -> Any:
        if not deferred:
            raise RuntimeError(
                "a checkpoint is written where the workflow runs, not in a sandbox: use deferred=True, "
                "or give this task handler='direct'"
            )
        return original(metadata, path=path)

    current.checkpoint = checkpoint


def is_node(graph: Any, executable: Any) -> bool:
    """Tell whether `executable` itself is one of the graph's nodes."""
    task_id = executable.task_id
    return graph.has_node(task_id) and graph.get_node(task_id) is executable


def describe(error: BaseException, trust: str) -> dict[str, Any]:
    """Return what the caller needs to raise `error` again."""
    kind = type(error)
    described: dict[str, Any] = {
        "type": kind.__qualname__ if kind.__module__ == "builtins" else "%s.%s" % (kind.__module__, kind.__qualname__),
        "message": text_of(error),
        "traceback": "".join(traceback.format_exception(kind, error, task_frames(error))),
        "notes": [str(line) for line in getattr(error, "__notes__", ())],
    }
    if trust == "json":
        if exact_json(list(error.args)):
            described["args"] = list(error.args)
    else:
        described["exception"] = error
    return described


def text_of(error: BaseException) -> str:
    """Return the exception's message, whatever its ``__str__`` does."""
    try:
        return str(error)
    except Exception:
        return "<%s whose __str__ fails>" % type(error).__name__


def task_frames(error: BaseException) -> Any:
    """Return the traceback without the frames that only lead to the task."""
    frames = error.__traceback__
    own = main.__code__.co_filename
    while frames is not None:
        name = frames.tb_frame.f_code.co_filename
        if name != own and not name.replace("\\", "/").endswith(("graflow/core/task.py", "graflow/core/context.py")):
            # graflow's decorator wraps each function once more.
            if not name.replace("\\", "/").endswith("graflow/core/decorators.py"):
                return frames
        frames = frames.tb_next
    return error.__traceback__


def exact_json(value: Any, depth: int = 0) -> bool:
    """Tell whether JSON gives back the same value with the same types."""
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return True
    if kind is float:
        return bool(value == value and value not in (float("inf"), float("-inf")))
    if depth > 200:
        return False
    if kind is list:
        return all(exact_json(item, depth + 1) for item in value)
    if kind is dict:
        return all(type(key) is str and exact_json(item, depth + 1) for key, item in value.items())
    return False


def pack(outcome: dict[str, Any], context: Any, task: Any, trust: str) -> Any:
    """Return the outcome in the form that the caller trusts."""
    if trust == "json":
        return pack_json(outcome, context)
    try:
        return pack_pickle(outcome, context, task)
    except Exception as error:
        blame(outcome, context, task, error)
        return pack_pickle(outcome, context, task)


def blame(outcome: dict[str, Any], context: Any, task: Any, error: Exception) -> None:
    """Find what cannot be pickled, and put an error that names it in its place."""

    def fits(value: Any) -> bool:
        try:
            pack_pickle({"value": value}, context, task)
        except Exception:
            return False
        return True

    if outcome["error"] is not None and not fits(outcome["error"]):
        outcome["error"].pop("exception", None)
    culprit = ""
    if not fits(outcome["value"]):
        culprit = "its result, of type %s" % type(outcome["value"]).__name__
        outcome["value"] = None
    kept = []
    for operation in outcome["operations"]:
        if fits(operation):
            kept.append(operation)
        else:
            culprit = culprit or "what it handed to %s(%s)" % (operation[0], ", ".join(map(short, operation[1:])))
    outcome["operations"] = kept
    if culprit and outcome["error"] is None:
        message = "the task ended, but %s cannot be pickled: %s" % (culprit, text_of(error))
        outcome["error"] = describe(TypeError(message), "pickle")


def short(value: Any) -> str:
    """Return a short text for `value`."""
    text = repr(value) if isinstance(value, (str, int, float, bool, type(None))) else type(value).__name__
    return text if len(text) <= 60 else text[:57] + "..."


def pack_json(outcome: dict[str, Any], context: Any) -> str:
    """Return the outcome as JSON; what JSON cannot hold becomes an error."""
    from graflow.core.task import Executable

    operations, culprit = [], ""
    for operation in outcome["operations"]:
        plain = [{"$task": item.task_id} if isinstance(item, Executable) else item for item in operation]
        if exact_json(plain):
            operations.append(plain)
        else:
            culprit = culprit or "what it handed to %s(%s)" % (operation[0], ", ".join(map(short, operation[1:])))
    value = outcome["value"]
    if not exact_json(value):
        culprit, value = "its result, of type %s" % type(value).__name__, None
    error = outcome["error"]
    if culprit and error is None:
        message = "the task ended, but %s is not exactly JSON, and this caller takes nothing else (trust='json')"
        error = describe(TypeError(message % culprit), "json")
    return json.dumps({"value": value, "operations": operations, "error": error, "printed": outcome["printed"]})


def pack_pickle(outcome: dict[str, Any], context: Any, task: Any) -> bytes:
    """Return a pickle in which the workflow's own objects are references, not copies."""
    import cloudpickle

    known = workflow_objects(context, task)
    module = sys.modules.get(REFERENCES)
    if module is None:
        module = sys.modules[REFERENCES] = types.ModuleType(REFERENCES)

        def resolve(*key: str) -> Any:
            raise LookupError("a reference to the caller's object %r, used in the sandbox" % (key,))

        resolve.__module__, resolve.__qualname__ = REFERENCES, "resolve"
        setattr(module, "resolve", resolve)
    reference = getattr(module, "resolve")

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc, name-defined]
        def reducer_override(self, obj: Any) -> Any:
            key = known.get(id(obj))
            if key is not None:
                return reference, key
            if isinstance(obj, BaseException):
                reduced = reduce_exception(obj)
                if reduced is not None:
                    return reduced
            return super().reducer_override(obj)

    buffer = io.BytesIO()
    Pickler(buffer, protocol=5).dump(outcome)
    return buffer.getvalue()


def workflow_objects(context: Any, task: Any) -> dict[int, tuple[str, ...]]:
    """Return keys for the objects that exist on the caller's side too, by identity."""
    known: dict[int, tuple[str, ...]] = {
        id(context): ("context",),
        id(context.channel): ("channel",),
        id(context.graph): ("graph",),
        id(task): ("self",),
    }
    for current in context._task_execution_stack:
        known[id(current)] = ("task_context", current.task_id)
    for name in getattr(context, "_slipway_nodes", ()):
        known[id(context.graph.get_node(name))] = ("task", name)
    return known


def reduce_exception(error: BaseException) -> Any:
    """Return how to pickle an exception whose ``__init__`` is Python's, without calling it again.

    By default unpickling calls the class with ``args``, which fails where ``__init__`` takes something else.
    """
    kind = type(error)
    if not isinstance(kind.__init__, types.FunctionType) or kind.__reduce__ is not BaseException.__reduce__:
        return None
    if kind.__reduce_ex__ is not object.__reduce_ex__:
        return None
    return getattr(copyreg, "__newobj__"), (kind, *error.args), dict(error.__dict__) or None
