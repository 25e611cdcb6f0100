"""Run one graflow task inside a sandbox and say what it did.

This module travels as a code object, since a sandbox has no slipway package: it imports the standard library only,
and graflow and cloudpickle once their versions are known to fit. :func:`main` is called there. It travels with every
task, so it holds what every task needs; the rest is in :mod:`.troubles`, which travels as text. Sandboxes have a copy
of it, which they practise with before a task comes, and which is used where it is the same to the letter.

What a task does to its workflow (channel writes, dynamic tasks, control flow) is recorded in order and replayed on
the caller's side, where the real channel and graph are.
"""

from __future__ import annotations

import copyreg
import io
import sys
import types
from typing import Any

# Under this name the sandbox refers to objects that the caller already has.
REFERENCES = "slipway_graflow_references"


def main(
    rest: bytes,
    versions: dict[str, str],
    trust: str,
    source_folder: str,
    payload: bytes,
) -> Any:
    """Run the task in `payload`.

    Parameters
    ----------
    rest
        The text of :mod:`.troubles`, compressed.
    versions
        The caller's versions of Python, graflow and cloudpickle.
    trust
        ``pickle``: answer with a pickle; ``json``: with JSON, as the client takes it, and nothing else.
    source_folder
        Where graflow's source tree is mounted, or nothing.
    payload
        A pickle of ``(task, context)``.

    Returns
    -------
    bytes
        The outcome: ``value``, ``operations``, ``error``, ``printed``; or ``mismatch``.
    """
    if source_folder:
        sys.path.insert(0, source_folder)
    found: list[Any] = []

    def troubles() -> Any:
        if not found:
            import zlib

            made = types.ModuleType("slipway_graflow_troubles")
            text = zlib.decompress(rest).decode()
            code = compile(text, "<slipway graflow>", "exec", dont_inherit=True)
            exec(code, made.__dict__)
            found.append(made)
        return found[0]

    if not fits(versions):
        return troubles().mismatch(versions)
    printed = watch_output()
    refuse_feedback(troubles)
    import pickle

    task, context = pickle.loads(payload)
    operations = record(context, trust, troubles)
    outcome: dict[str, Any] = {
        "value": None,
        "error": None,
        "operations": operations,
        "printed": printed,
    }
    try:
        outcome["value"] = run(task, context)
    except Exception as error:
        outcome["error"] = troubles().describe(error, trust)
    if trust == "json":
        return troubles().pack_json(outcome)
    try:
        return pack(outcome, context, task)
    except Exception as error:
        troubles().blame(outcome, error, lambda value: pack(value, context, task))
        return pack(outcome, context, task)


def fits(versions: dict[str, str]) -> bool:
    """Tell whether Python, graflow and cloudpickle are those of the caller."""
    try:
        import cloudpickle
        import graflow
    except ImportError:
        return False
    return (
        versions["python"] == "{}.{}".format(*sys.version_info[:2])
        and versions["graflow"] == getattr(graflow, "__version__", "")
        and versions["cloudpickle"].split(".")[:2]
        == cloudpickle.__version__.split(".")[:2]
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


def refuse_feedback(troubles: Any) -> None:
    """Replace graflow's feedback manager, whose files and answers are on the caller's side."""
    from graflow.hitl import manager

    class NoFeedback:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            pass

        def __getattr__(self, name: str) -> Any:
            if name[:2] == "__":
                raise AttributeError(name)
            troubles().no_feedback()

    manager.FeedbackManager = NoFeedback


def record(
    context: Any, trust: str, troubles: Any
) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """Make `context` and its channel record what the task does to them; return the record."""
    operations: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
    depth = [0]

    def method(base: Any, name: str, check: Any = None, inner: bool = False) -> Any:
        original = getattr(base, name)

        def recorded(self: Any, *args: Any, **kwargs: Any) -> Any:
            if check is not None and not depth[0]:
                check(self, *args)
            # What graflow itself calls on the way is part of this operation.
            depth[0] += 1
            try:
                value = original(self, *args, **kwargs)
            finally:
                depth[0] -= 1
            if not depth[0] and not inner:
                if name == "next_iteration":
                    # Where it is replayed it gets the id that the task was told.
                    kwargs = dict(kwargs, iteration_id=value)
                operations.append((name, args, kwargs))
            return value

        return recorded

    def subclass(value: Any, methods: dict[str, Any]) -> None:
        base = type(value)
        methods["__module__"], methods["__qualname__"] = (
            base.__module__,
            base.__qualname__,
        )
        value.__class__ = type(base.__name__, (base,), methods)

    def end(name: str) -> Any:
        # Not by the methods of graflow, which also log: the caller's side does that.
        def ended(self: Any, message: str) -> None:
            setattr(self, f"_{name}_called_in_current_task", True)
            self.ctrl_message = message
            operations.append((name + "_workflow", (message,), {}))

        return ended

    def plain(self: Any, executable: Any, *args: Any) -> None:
        if trust == "json":
            troubles().known_only(self.graph, executable)

    def lock(self: Any, *args: Any, **kwargs: Any) -> None:
        troubles().no_lock()

    base = type(context.channel)
    names = ("set", "append", "prepend", "delete", "clear", "atomic_add")
    methods = {name: method(base, name) for name in names}
    # These delete keys whose time is over, which the caller's channel does by itself.
    methods.update(
        {name: method(base, name, inner=True) for name in ("get", "exists", "keys")}
    )
    methods["lock"] = lock
    subclass(context.channel, methods)

    base = type(context)
    methods = {
        name: method(base, name) for name in ("next_iteration", "request_checkpoint")
    }
    methods.update(
        {name: method(base, name, plain) for name in ("next_task", "add_to_queue")}
    )
    methods.update({name + "_workflow": end(name) for name in ("terminate", "cancel")})
    subclass(context, methods)
    for current in context._task_execution_stack:
        current.checkpoint = deferred_checkpoint(current.checkpoint, troubles)
    return operations


def deferred_checkpoint(original: Any, troubles: Any) -> Any:
    """Let a task ask for a checkpoint after its end, but not write one inside the sandbox."""

    def checkpoint(
        metadata: Any = None, *, path: Any = None, deferred: bool = True
    ) -> Any:
        if not deferred:
            troubles().no_checkpoint()
        return original(metadata, path=path)

    return checkpoint


def pack(outcome: dict[str, Any], context: Any, task: Any) -> bytes:
    """Return a pickle in which the workflow's own objects are references, not copies."""
    import cloudpickle

    # By identity: objects that exist on the caller's side too.
    known: dict[int, tuple[str, ...]] = {id(task): ("self",)}
    for name in ("channel", "graph"):
        known[id(getattr(context, name))] = (name,)
    known[id(context)] = ("context",)
    for current in context._task_execution_stack:
        known[id(current)] = ("task_context", current.task_id)
    for name in getattr(context, "_slipway_nodes", ()):
        known[id(context.graph.get_node(name))] = ("task", name)
    module = sys.modules.get(REFERENCES)
    if module is None:
        module = sys.modules[REFERENCES] = types.ModuleType(REFERENCES)

        def resolve(*key: str) -> Any:
            raise LookupError(key)

        resolve.__module__, resolve.__qualname__ = REFERENCES, "resolve"
        vars(module)["resolve"] = resolve
    reference = vars(module)["resolve"]

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
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


def reduce_exception(error: BaseException) -> Any:
    """Return how to pickle an exception whose ``__init__`` is Python's, without calling it again.

    By default unpickling calls the class with ``args``, which fails where ``__init__`` takes something else. The same as
    the client's, which does not travel.
    """
    kind = type(error)
    if (
        not isinstance(kind.__init__, types.FunctionType)
        or kind.__reduce__ is not BaseException.__reduce__
    ):
        return None
    if kind.__reduce_ex__ is not object.__reduce_ex__:
        return None
    # Their fields are not among ``args``, and ``__new__`` does not set them.
    filled = (
        AttributeError,
        NameError,
        StopIteration,
        SyntaxError,
        SystemExit,
        UnicodeError,
    )
    if isinstance(error, filled):
        return None
    return (
        vars(copyreg)["__newobj__"],
        (kind, *error.args),
        dict(error.__dict__) or None,
    )
