"""What the travelling code makes of results and exceptions."""

from __future__ import annotations

import base64
import json
import math
import pickle
import random
import subprocess
import sys
import types
import zlib
from typing import Any

import pytest

from slipway import _payload, _sandbox, _sandbox_rest

SHARED: list[int] = []


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -(2**70),
        1.5,
        -0.0,
        "",
        "é\ud800\x00",
        [],
        {},
        [1, [2.0, {"a": None}]],
    ],
    ids=repr,
)
def test_json_holds_what_it_gives_back(value: Any) -> None:
    packed = _sandbox_rest.pack(True, value)
    assert packed[:5] == b"slw1J"
    back = json.loads(packed[5:])
    assert back == value
    assert type(back) is type(value)
    assert repr(back) == repr(value)


class Text(str):
    """A string that JSON would make plain."""


@pytest.mark.parametrize(
    "value",
    [
        (1,),
        {1: 2},
        {1, 2},
        b"x",
        math.inf,
        [math.nan],
        Text("x"),
        {"a": (1,)},
        [SHARED, SHARED],
        10**5000,
        1j,
        list(range(20000)),
    ],
    ids=lambda value: repr(value)[:20] if not isinstance(value, int) else "huge",
)
def test_a_pickle_holds_the_rest(value: Any) -> None:
    packed = _sandbox_rest.pack(True, value)
    assert packed[:5] == b"slw1P"
    assert (
        repr(pickle.loads(packed[5:]))[:4000] == repr(value)[:4000]
        if value != 10**5000
        else True
    )


def test_what_contains_itself_is_pickled() -> None:
    loop: list[Any] = []
    loop.append(loop)
    back = pickle.loads(_sandbox_rest.pack(True, loop)[5:])
    assert back[0] is back


def test_a_lambda_comes_back() -> None:
    assert pickle.loads(_sandbox_rest.pack(True, lambda: 5)[5:])() == 5


def test_what_cannot_be_pickled_is_named() -> None:
    with pytest.raises(pickle.PicklingError, match="of type generator"):
        _sandbox_rest.pack(True, (x for x in ()))


def test_json_alone_takes_what_json_takes() -> None:
    assert json.loads(_sandbox_rest.pack(False, {"a": (1, 2)})[5:]) == {"a": [1, 2]}
    for value in ({1, 2}, math.inf, b"x"):
        with pytest.raises((TypeError, ValueError)):
            _sandbox_rest.pack(False, value)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The events that the runner would get."""
    events: list[dict[str, Any]] = []
    module = types.ModuleType("_slipway_task")
    module.emit = lambda body: events.append(json.loads(body))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "_slipway_task", module)
    return events


def test_an_exception_goes_ahead_and_is_raised(sent: list[dict[str, Any]]) -> None:
    def fail() -> None:
        raise KeyError("k", 3)

    with pytest.raises(KeyError):
        _sandbox.run(True, (fail, (), {}))
    (event,) = sent
    assert event["type"] == "exception"
    assert event["attempt"] == 1
    error = pickle.loads(zlib.decompress(base64.b64decode(event["data"])))
    assert isinstance(error, KeyError)
    assert error.args == ("k", 3)


class Refused(Exception):
    """Is made of something else than its ``args``."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code


class Wrapped(Exception):
    """Changes its text when it is made again."""

    def __init__(self, text: str) -> None:
        super().__init__(f"wrapped: {text}")


class Misspelt(SyntaxError):
    """Has fields that only ``__init__`` sets."""

    def __init__(self, text: str, place: tuple[Any, ...]) -> None:
        super().__init__(text, place)


@pytest.mark.parametrize(
    "error",
    [
        Refused(3, "no"),
        Wrapped("a"),
        Misspelt("odd", ("file", 3, 4, "a b")),
        subprocess.CalledProcessError(2, ["false"], b"out"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_is_not_made_again(
    sent: list[dict[str, Any]], error: Exception
) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        _sandbox.run(True, (fail, (), {}))
    (event,) = sent
    back = pickle.loads(zlib.decompress(base64.b64decode(event["data"])))
    assert type(back) is type(error)
    assert (str(back), back.args) == (str(error), error.args)
    assert vars(back) == vars(error)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="no groups before 3.11")
def test_the_exceptions_of_a_group_are_not_made_again(
    sent: list[dict[str, Any]],
) -> None:
    def fail() -> None:
        raise ExceptionGroup("some", [ValueError(1), Refused(3, "no")])  # noqa: F821 - See above.

    with pytest.raises(ExceptionGroup):  # noqa: F821
        _sandbox.run(True, (fail, (), {}))
    (event,) = sent
    back = pickle.loads(zlib.decompress(base64.b64decode(event["data"])))
    assert [type(one) for one in back.exceptions] == [ValueError, Refused]
    assert (str(back.exceptions[1]), back.exceptions[1].code) == ("3: no", 3)


def test_nothing_goes_ahead_where_nothing_is_unpickled(
    sent: list[dict[str, Any]],
) -> None:
    with pytest.raises(ZeroDivisionError):
        _sandbox.run(False, (lambda: 1 / 0, (), {}))
    assert sent == []


NOISE = random.Random(7).randbytes(100000).hex()


def with_attribute(error: Exception, value: Any) -> Exception:
    error.more = value  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("error", "args"),
    [
        (with_attribute(KeyError("k", 3), NOISE), ("k", 3)),
        (ValueError(NOISE), (NOISE[:1000],)),
        (with_attribute(OSError(2, NOISE), NOISE), (f"[Errno 2] {NOISE}"[:1000],)),
    ],
    ids=["attribute", "text", "system"],
)
def test_what_does_not_fit_is_left_out_and_the_type_stays(
    sent: list[dict[str, Any]], error: Exception, args: tuple[Any, ...]
) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        _sandbox.run(True, (fail, (), {}))
    (event,) = sent
    assert len(json.dumps(event)) <= 65536
    assert next(iter(event)) == "type"
    back = pickle.loads(zlib.decompress(base64.b64decode(event["data"])))
    assert type(back) is type(error)
    assert back.args == args
    assert event["notes"] == ["slipway: shortened, as it was too large"]


def test_what_cannot_go_ahead_is_raised_all_the_same(
    sent: list[dict[str, Any]],
) -> None:
    def odd() -> None:
        raise ValueError(sys._getframe())

    def odd_too() -> None:
        raise with_attribute(ValueError(1), sys._getframe())

    for function in (odd, odd_too):
        with pytest.raises(ValueError):
            _sandbox.run(True, (function, (), {}))
    assert sent == []


@pytest.mark.parametrize("value", [None, 0, -5, 10**15, True, 1.5, "x", (1,)], ids=repr)
def test_short_cuts_give_the_same(value: Any) -> None:
    packed = _sandbox.run(True, (lambda: value, (), {}))
    assert packed == _sandbox_rest.pack(True, value)


def test_the_rest_travels() -> None:
    assert b"announce" in _sandbox.REST
    assert _sandbox.REST in _payload._MODULE


def test_an_exit_is_no_exception(sent: list[dict[str, Any]]) -> None:
    with pytest.raises(SystemExit):
        _sandbox.run(True, (sys.exit, (3,), {}))
    assert sent == []
