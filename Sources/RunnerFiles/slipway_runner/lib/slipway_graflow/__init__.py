"""What tasks of graflow run in a sandbox, practised before a task comes.

The integration of the Python client names this module in `preload`. `sandbox.py` is a
copy of its code, which also travels with each task: where both are the same, a task
uses this one, whose pages have been touched and whose code is specialised.
"""

import marshal
import operator
import os
import pickle
import sys
import zlib

_FOLDER = os.path.dirname(os.path.abspath(__file__))
# As tracebacks of the code that travels have it.
_FILE = "<slipway graflow>"
_MOST = 1 << 20

with open(os.path.join(_FOLDER, "sandbox.py"), "rb") as _file:
    _text = _file.read()

EDITION = zlib.crc32(_text)
_namespace = {"__name__": "slipway_graflow_sandbox"}
exec(compile(_text, _FILE, "exec", dont_inherit=True, optimize=2), _namespace)
main = _namespace["main"]
# So that it can be pickled by name.
main.__module__ = __name__
_sample = b""


def __slipway_practise__():
    """Run a task of a workflow as one that a caller has sent, and undo what it changes."""
    from graflow.hitl import manager

    global _sample
    original = manager.FeedbackManager
    try:
        if not _sample:
            sample = _packed(manager)
            _check(_run(sample))
            _sample = sample
        _run(_sample)
    finally:
        manager.FeedbackManager = original
        for stream in (sys.stdout, sys.stderr):
            for layer in (stream, getattr(stream, "buffer", None)):
                getattr(layer, "__dict__", {}).pop("write", None)


def _run(body):
    # As the runner does, which is loaded under this name.
    return sys.modules["_slipway.execute"].run("callable", "zlib", _MOST, _MOST, body)


def _check(outcome):
    if outcome.header["outcome"] != "ok":
        raise RuntimeError(outcome.header["error"]["message"])
    told = pickle.loads(pickle.loads(b"".join(outcome.body)))
    if told.get("value") != 42:
        raise RuntimeError("a workflow's task gave %.500r" % (told,))


class _Call:
    """Is pickled as a call, whose result stands in its place."""

    def __init__(self, function, *arguments):
        self._call = function, arguments

    def __reduce__(self):
        return self._call


def _packed(manager):
    # A function that travels is made by built-in ones.
    code = compile("def start(*given):\n    return main(*given)", _FILE, "exec")
    names = {"main": main}
    done = _Call(exec, _Call(marshal.loads, marshal.dumps(code)), names)
    start = _Call(operator.getitem, _Call(operator.getitem, (done, names), 1), "start")
    arguments = (b"", _versions(), "pickle", "", _pickled(manager))
    return zlib.compress(pickle.dumps((start, arguments, {}), 5), 1)


def _versions():
    import cloudpickle
    import graflow

    return {
        "python": "%d.%d" % sys.version_info[:2],
        "graflow": getattr(graflow, "__version__", ""),
        "cloudpickle": cloudpickle.__version__,
    }


def _pickled(manager):
    import cloudpickle
    from graflow.core.context import ExecutionContext
    from graflow.core.decorators import task
    from graflow.core.workflow import workflow

    def adds(left: int, right: int) -> int:
        return left + right

    # It makes folders, and here there is no place for any.
    manager.FeedbackManager = lambda **_: None
    with workflow("practice") as flow:
        made = task(adds)
    context = ExecutionContext.create(flow.graph, "adds")
    context._slipway_nodes = ["adds"]
    context.channel.set("left", 40)
    context.channel.set("right", 2)
    with context.executing_task(made):
        return cloudpickle.dumps((made, context), protocol=5)
