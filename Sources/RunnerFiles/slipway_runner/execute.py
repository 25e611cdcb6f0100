"""Runs one task's code and turns what came of it into a result."""

from __future__ import annotations

import json
import linecache
import resource
import sys
import time
import types
import zlib

from . import command, jsontext, packing, report

TYPE_CHECKING = False  # As in typing, whose pages every fork would pay for.
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional

    from .packing import Parts

SOURCE_NAME = "<task>"
MODULE_NAME = "slipway_task"

_OK = '{"outcome":"ok","media":"%s","encoding":"%s","inflated":%d'
_MEASURED = ',"run":%.6f,"usage":{"cpu_seconds":%.6f,"max_rss":%d}}'

#: The standard library's pickle, and what pickles results: `load_rest` imports them.
_standard: Any = None
_pickler: Any = None
_sample = b""
_encode = jsontext.make_encoder({})
_scan = json.JSONDecoder().scan_once
#: No parts: never added to.
NOTHING: Parts = []
_SELF, _CHILDREN = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN


class Outcome:
    """What a task hands to the supervisor.

    Parameters
    ----------
    outcome
        One of the outcomes that RESULT names.
    body
        The encoded result, in parts.
    fields
        Further fields of RESULT.
    """

    def __init__(self, outcome: str, body: Parts = NOTHING, **fields: Any) -> None:
        self.header: Dict[str, Any] = {"outcome": outcome, **fields}
        self.body = body
        self.run = 0.0
        self.cpu_seconds = 0.0
        self.max_rss = 0

    def encoded(self) -> bytes:
        """Return the header as JSON; a plain success without an encoder's pages."""
        measured = _MEASURED % (self.run, self.cpu_seconds, self.max_rss)
        header = self.header
        if header["outcome"] == "ok":
            text = _OK % (header["media"], header["encoding"], header["inflated"])
        else:
            error = header.get("error")
            if error:
                parts = error["type"], error["message"], error["traceback"]
                header["error"] = report.fitted(*parts)
            text = json.dumps(header, ensure_ascii=False, separators=(",", ":"))[:-1]
        return (text + measured).encode("utf-8")

    def told(self) -> int:
        """Say on stderr what was raised, as an interpreter does; return its exit code.

        For a process that the task forked, and that came back from the task's function.
        """
        raised = self.header["outcome"] == "exception"
        trace = self.header["error"]["traceback"] if raised else ""
        try:
            sys.stderr.write(trace)
        except Exception:
            pass  # Closed or replaced by the task.
        flush_output()
        return self.header.get("exit_code", 1 if trace else 0)


class Refused(Exception):
    """An input that cannot be run; holds the outcome to report."""

    def __init__(self, outcome: str, kind: str, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.kind = kind


def load_rest() -> None:
    """Import what callables need, and a first `source` task need not wait for."""
    global _standard, _pickler, _sample
    import pickle

    _standard = pickle
    _pickler = _pickler or pickle
    _sample = pickle.dumps((len, ((),), {}))


def load_pickler() -> Optional[str]:
    """Import cloudpickle where it is installed; return its version."""
    global _pickler
    try:
        import cloudpickle  # type: ignore[import-not-found]
    except Exception:  # Broken or absent: plain pickle still works.
        return None
    _pickler = cloudpickle
    load_rest()
    return str(getattr(cloudpickle, "__version__", "unknown"))[:100]


def run(kind: str, encoding: str, inflated: int, limit: int, body: bytes) -> Outcome:
    """Run the task in `body` and return its outcome, whatever it does.

    Parameters
    ----------
    kind
        ``callable``, ``source`` or ``command``.
    encoding
        How `body` is packed: ``identity`` or ``zlib``.
    inflated
        The most bytes of the unpacked body.
    limit
        The most bytes of the result.
    body
        The task.
    """
    began = time.monotonic()
    try:
        outcome = _run(kind, inflate(encoding, inflated, body), limit)
    except Refused as error:
        description = {"type": error.kind, "message": str(error), "traceback": ""}
        outcome = Outcome(error.outcome, error=description)
    except SystemExit as error:
        outcome = Outcome("exit", exit_code=_exit_code(error))
    except BaseException as error:
        outcome = Outcome("exception", error=report.describe(error))
    outcome.run = time.monotonic() - began
    own = resource.getrusage(_SELF)
    children = resource.getrusage(_CHILDREN)
    outcome.cpu_seconds = (
        own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    )
    outcome.max_rss = max(own.ru_maxrss, children.ru_maxrss) * 1024
    return outcome


def _run(kind: str, body: bytes, limit: int) -> Outcome:
    if kind == "callable":
        return _pickled(_run_callable(body), limit)
    if kind == "source":
        return _as_json(_run_source(_description(body)), limit)
    command.become(_description(body))
    raise AssertionError("exec returned")


def inflate(encoding: str, limit: int, body: bytes) -> bytes:
    """Return the input as it was before compression, up to its limit."""
    if encoding == "identity":
        if len(body) > limit:
            raise Refused("protocol", "InputTooLarge", _too_large(limit))
        return body
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise Refused("protocol", "InputCorrupt", "input: %s" % error) from None
    if len(data) > limit:
        raise Refused("protocol", "InputTooLarge", _too_large(limit))
    if not inflater.eof:
        raise Refused("protocol", "InputCorrupt", "input: the zlib stream is cut off")
    return data


def _too_large(limit: int) -> str:
    return "the task's input inflates to more than %d bytes" % limit


def _description(body: bytes) -> Dict[str, Any]:
    try:
        text = str(body, "utf-8")
        value, end = _scan(text, 0)
        if end != len(text):
            value = json.loads(text)
    except (ValueError, RecursionError, StopIteration) as error:
        raise Refused("protocol", "InputCorrupt", "input: %s" % error) from None
    if type(value) is not dict:
        raise Refused("protocol", "InputCorrupt", "input: not a JSON object")
    return value


def _run_callable(body: bytes) -> Any:
    if _standard is None:
        load_rest()
    try:
        function, args, kwargs = _standard.loads(body)
    except ImportError as error:
        missing = getattr(error, "name", None) or str(error)
        raise Refused(
            "dependency",
            type(error).__name__,
            "unpickling the task needs %s, which this sandbox lacks (%s): "
            "name it in requirements" % (missing, report.text_of(error)),
        ) from None
    return _awaited(function(*args, **kwargs))


def _run_source(task: Dict[str, Any]) -> Any:
    code = task.get("code")
    entrypoint = task.get("entrypoint")
    args = task.get("args")
    kwargs = task.get("kwargs")
    # Null counts as left out.
    if entrypoint is None:
        entrypoint = "main"
    if args is None:
        args = []
    if kwargs is None:
        kwargs = {}
    if type(code) is not str or type(entrypoint) is not str:
        raise Refused("protocol", "InputCorrupt", "input: code is not a string")
    if type(args) is not list or type(kwargs) is not dict:
        raise Refused("protocol", "InputCorrupt", "input: args or kwargs is malformed")
    if code.startswith("\ufeff"):
        code = code[1:]  # A byte order mark, as some editors write it.
    lines = code.splitlines(True)
    if len(lines) != code.count("\n") + (code[-1:] != "\n"):
        lines = _lines_of(code)
    # Without a modification time linecache never looks for the file.
    linecache.cache[SOURCE_NAME] = (len(code), None, lines, SOURCE_NAME)
    module = types.ModuleType(MODULE_NAME)
    module.__file__ = SOURCE_NAME
    sys.modules[MODULE_NAME] = module
    exec(compile(code, SOURCE_NAME, "exec", dont_inherit=True), module.__dict__)
    function: Optional[Callable[..., Any]] = getattr(module, entrypoint, None)
    if function is None:
        raise NameError("the code defines no function %r (entrypoint)" % entrypoint)
    return _awaited(function(*args, **kwargs))


def _lines_of(code: str) -> List[str]:
    """Return the lines as the compiler counts them: a form feed, say, ends none."""
    import io

    return io.StringIO(code, None).readlines()


def rehearse_pickle() -> None:
    """Touch what unpickling touches, where it is loaded."""
    if _standard is not None:
        _standard.loads(_sample)


def forget_source() -> None:
    """Remove every trace of a source that was run."""
    sys.modules.pop(MODULE_NAME, None)
    linecache.cache.pop(SOURCE_NAME, None)


def _awaited(value: Any) -> Any:
    if type(value) is not types.CoroutineType:
        return value
    import asyncio

    return asyncio.run(value)


def _pickled(value: Any, limit: int) -> Outcome:
    try:
        parts = _dump(value)
    except MemoryError:
        raise
    except Exception as error:
        description = report.describe(error)
        description["message"] = (
            "the task's result cannot be pickled: %s" % description["message"]
        )
        return Outcome("unpicklable", error=description)
    return packed("pickle", parts, limit)


def _dump(value: Any) -> Parts:
    protocol = min(_standard.HIGHEST_PROTOCOL, 5)
    if _pickler is _standard:
        return _parts_of(_standard, value, 4)
    try:
        return _parts_of(_standard, value, protocol)
    except Exception:  # Lambdas, local classes: cloudpickle knows how.
        return _parts_of(_pickler, value, protocol)


def _parts_of(pickler: Any, value: Any, protocol: int) -> Parts:
    sink = packing.Sink()
    pickler.dump(value, sink, protocol=protocol)
    return sink.parts


def _as_json(value: Any, limit: int) -> Outcome:
    try:
        data = _encode(value).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        message = (
            "the value that the task returned is not JSON (%s): return numbers, "
            "strings, lists and dicts, or submit a callable" % report.text_of(error)
        )
        description = {"type": "TypeError", "message": message, "traceback": ""}
        return Outcome("exception", error=description)
    return packed("json", [data], limit)


def packed(media: str, parts: Parts, limit: int) -> Outcome:
    """Return what `parts` make as a result, compressed where that pays."""
    size = packing.size_of(parts)
    if size > limit:
        message = (
            "the task returned %d bytes, more than the limit of %d: return less, "
            "or raise the result limit" % (size, limit)
        )
        description = {"type": "ResultTooLarge", "message": message, "traceback": ""}
        return Outcome("result_too_large", error=description)
    encoding, made = packing.compress(parts)
    return Outcome("ok", made, media=media, encoding=encoding, inflated=size)


def _exit_code(error: SystemExit) -> int:
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return int(code) & 0xFF
    try:
        print(code, file=sys.stderr)
    except Exception:
        pass  # A message that cannot be printed is no reason to fail otherwise.
    return 1


def flush_output() -> None:
    """Push out everything that was printed, before the result is sent."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            continue  # Closed or replaced by the task.
