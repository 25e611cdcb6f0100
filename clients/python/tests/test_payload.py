"""What travels to the sandbox."""

from __future__ import annotations

import base64
import copyreg
import importlib
import os
import pickle
import subprocess
import sys
import types
import zlib
from pathlib import Path
from typing import Any

import pytest
from scripted import call_of

from slipway import _results
from slipway._payload import PYTHON, Pickler
from slipway.job import Job

# The sandbox has neither the client nor the caller's modules.
ELSEWHERE = """
import base64, pickle, sys, zlib
assert "slipway" not in sys.modules
function, args, kwargs = pickle.loads(zlib.decompress(base64.b64decode(sys.stdin.read())))
sys.stdout.write(base64.b64encode(pickle.dumps(function(*args, **kwargs), 5)).decode())
"""


def value(raw: bytes, trusted: bool = True) -> Any:
    """Read what the travelling code returned, as the client does."""
    result = {
        "media_type": _results.PICKLE,
        "encoding": "base64",
        "data": base64.b64encode(pickle.dumps(raw, 5)).decode(),
    }
    return _results.value_of(
        result, trusted, Job(None, {"id": "job_1", "state": "completed"})
    )  # type: ignore[arg-type]


def elsewhere(task: dict[str, Any], folder: Path) -> Any:
    """Run a task in a fresh interpreter in another folder."""
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        input=task["data"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return value(pickle.loads(base64.b64decode(done.stdout)))


class Refused(ValueError):
    """An exception whose own ``__init__`` takes something else than what it hands on."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(f"{what} is refused")
        self.code = code


def _registered(error: BaseException) -> tuple[Any, ...]:
    raise AssertionError("pickled as this process has registered it")


def test_exceptions_travel_as_python_pickles_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As tblib does for the whole process, for classes and for tracebacks.
    for kind in (ValueError, KeyError, types.TracebackType):
        monkeypatch.setitem(copyreg.dispatch_table, kind, _registered)
    error = ValueError("plain", 7)
    error.__notes__ = ["a note"]  # type: ignore[attr-defined]
    task = Pickler(by_value=[sys.modules[__name__]]).task(
        lambda one, two: [
            one.args,
            one.__notes__,
            two[0].args,
            str(two[1]),
            two[1].code,
        ],
        (error, [KeyError("k"), Refused("it", 3)]),
        {},
    )
    assert elsewhere(task, tmp_path) == [
        ("plain", 7),
        ["a note"],
        ("k",),
        "it is refused",
        3,
    ]
    try:
        raise error
    except ValueError as raised:
        with pytest.raises(TypeError, match="traceback"):
            Pickler().task(len, (raised.__traceback__,), {})


def test_a_call_arrives_whole() -> None:
    offset = 3
    task = Pickler().task(lambda a, b=0: a * b + offset, (5,), {"b": 7})
    assert task["type"] == "callable"
    assert task["python"] == PYTHON == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert value(call_of(task)) == 38


def test_coroutines_are_awaited() -> None:
    async def double(x: int) -> int:
        return 2 * x

    assert value(call_of(Pickler().task(double, (4,), {}))) == 8


def test_what_a_call_shares_stays_shared() -> None:
    shared: list[int] = []

    def append(a: list[int], b: list[int]) -> bool:
        return a is b and a is shared

    assert value(call_of(Pickler().task(append, (shared,), {"b": shared}))) is True


def test_a_map_pickles_its_function_once() -> None:
    pickled = 0

    class Function:
        def __call__(self, a: int, b: int) -> int:
            return a - b

        def __reduce__(self) -> Any:
            nonlocal pickled
            pickled += 1
            import operator

            return operator.attrgetter("sub"), (operator,)

    tasks = list(Pickler().tasks(Function(), [(9, 1), (9, 2)]))
    assert [value(call_of(task)) for task in tasks] == [8, 7]
    assert pickled == 1


@pytest.mark.parametrize(
    "argument",
    [
        "x",
        b"\x00" * 100,
        "y" * 1000,
        os.urandom(300000),
        [1, 2],
        {"a": (1,)},
        lambda: 3,
    ],
    ids=lambda value: type(value).__name__,
)
def test_arguments_of_a_map_arrive(argument: Any) -> None:
    tasks = list(Pickler().tasks(lambda *args: args, [(argument,), (argument, 2)]))
    one, two = (value(call_of(task)) for task in tasks)
    if callable(argument):
        assert one[0]() == 3
    else:
        assert one in ((argument,), [argument])
        assert len(two) == 2


def test_a_chunk_makes_many_calls() -> None:
    (task,) = Pickler().tasks(divmod, [([(7, 2), (9, 4)],)], chunked=True)
    assert value(call_of(task)) == [(3, 1), (2, 1)]


def test_no_path_of_this_machine_travels_with_a_builtin() -> None:
    payload = zlib.decompress(base64.b64decode(Pickler().task(len, ((),), {})["data"]))
    assert str(Path(_results.__file__).parent).encode() not in payload
    assert b"_sandbox" not in payload


def test_announced_modules_travel_by_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_rates.py").write_text(
        "RATE = 3\n\nclass Odd(Exception):\n    pass\n\ndef taxed(x):\n    return x * RATE\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("own_rates")
    away = tmp_path / "away"
    away.mkdir()
    for announced in ("own_rates", module, ["own_rates"]):
        task = Pickler(by_value=announced).task(module.taxed, (5,), {})  # type: ignore[arg-type]
        assert elsewhere(task, away) == 15
    # The announcement ends with the pickling: nobody else's pickles change.
    import cloudpickle

    assert "own_rates" not in cloudpickle.list_registry_pickle_by_value()
    assert b"own_rates" in cloudpickle.dumps(module.taxed)


def test_a_source_tree_travels_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "own_tree"
    (package / "__pycache__").mkdir(parents=True)
    (package / "__pycache__" / "left.pyc").write_bytes(b"stale")
    (package / "__init__.py").write_text("")
    (package / "data.txt").write_text("from a file")
    (package / "inner.py").write_text(
        "import pkgutil\n\ndef text():\n"
        "    return pkgutil.get_data('own_tree', 'data.txt').decode()\n"
    )
    (package / "outer.py").write_text(
        "def text():\n    from . import inner\n    return inner.text()\n"
    )
    away = tmp_path / "away"
    away.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    outer = importlib.import_module("own_tree.outer")
    pickler = Pickler(by_value=[package])
    task = pickler.task(outer.text, (), {})
    assert elsewhere(task, away) == "from a file"
    assert pickler.task(outer.text, (), {}) == task
    with pytest.raises(FileNotFoundError, match="no folder"):
        Pickler(by_value=[tmp_path / "missing"])


def test_a_module_that_is_missing_is_found_while_unpickling(tmp_path: Path) -> None:
    (tmp_path / "own_gone.py").write_text("def f():\n    return 1\n")
    sys.path.insert(0, str(tmp_path))
    try:
        task = Pickler().task(importlib.import_module("own_gone").f, (), {})
    finally:
        sys.path.remove(str(tmp_path))
        del sys.modules["own_gone"]
    # The runner reports that as `dependency`, before anything of the task runs.
    with pytest.raises(ModuleNotFoundError, match="own_gone"):
        pickle.loads(zlib.decompress(base64.b64decode(task["data"])))


def test_unpicklable_arguments_fail_here() -> None:
    with pytest.raises(TypeError, match="pickle"):
        Pickler().task(print, (sys._getframe(),), {})
