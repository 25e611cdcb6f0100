"""How the ends of jobs become values and exceptions."""

from __future__ import annotations

import concurrent.futures
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest
from scripted import job, packed, pickled

import slipway
from slipway import _results
from slipway._plainbytes import bytes_of
from slipway.job import Job


def described(**more: Any) -> Job:
    """Return a job that asks nobody."""
    return Job(None, job(1, **more))  # type: ignore[arg-type]


class Evil:
    """Leaves a trace when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 70000])
@pytest.mark.parametrize("protocol", [4, 5])
def test_bytes_are_read_from_any_pickle_of_them(size: int, protocol: int) -> None:
    value = bytes(size)
    assert bytes_of(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("value", ["text", 5, (b"x",), [b"x"], bytearray(b"x"), None])
def test_other_values_are_no_bytes(value: Any) -> None:
    assert bytes_of(pickle.dumps(value, 5)) is None


@pytest.mark.parametrize(
    "data",
    [b"", b"\x80", b"\x80\x05", b"\x80\x05C\x05ab.", b"\x80\x05C\x01a.more", b"\x8e\x01",
     b"\x80\x05C\x01aC\x01b.", b"\x80\x05B" + struct.pack("<I", 2**31) + b"a."],
    ids=repr,
)  # fmt: skip
def test_broken_pickles_are_no_bytes(data: bytes) -> None:
    assert bytes_of(data) is None


def test_json_trust_loads_no_pickle(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    evil = Evil(trap)
    for result in (pickled(evil), packed(evil), pickled(b"slw1P" + pickle.dumps(evil))):
        with pytest.raises(slipway.TaskProtocolError, match="trust='json'"):
            _results.value_of(result, False, described())
    assert not trap.exists()
    _results.value_of(pickled(evil), True, described())
    assert trap.exists()  # The trap works.


def test_json_trust_takes_json() -> None:
    assert _results.value_of(packed({"a": 1}), False, described()) == {"a": 1}
    value = {"media_type": "application/json", "value": [1]}
    assert _results.value_of(value, False, described()) == [1]


def test_results_of_other_callers_are_read() -> None:
    assert _results.value_of(pickled({1}), True, described()) == {1}
    assert _results.value_of(pickled(b"bytes"), True, described()) == b"bytes"


@pytest.mark.parametrize(
    "more", [{"data": "%%%"}, {"data": "AAAA"}, {"encoding": None}], ids=repr
)
def test_a_damaged_result_is_said_to_be(more: dict[str, Any]) -> None:
    result = {**pickled(1), **more}
    if result["encoding"] is None:
        del result["encoding"]
    with pytest.raises(slipway.TaskProtocolError, match="job_0001"):
        _results.value_of(result, True, described())


CLASSES = {
    "exception": (slipway.TaskError, Exception),
    "exit": (slipway.TaskExit, Exception),
    "timeout": (slipway.TaskTimeout, TimeoutError),
    "oom": (slipway.TaskOOM, MemoryError),
    "lost": (slipway.TaskLost, Exception),
    "protocol": (slipway.TaskProtocolError, Exception),
    "dependency": (slipway.DependencyError, Exception),
    "start_failed": (slipway.StartFailed, Exception),
    "artifact_corrupt": (slipway.ArtifactCorrupt, Exception),
    "expired": (slipway.TaskExpired, Exception),
    "of_a_later_gateway": (slipway.TaskError, Exception),
}


@pytest.mark.parametrize("kind", CLASSES)
def test_each_kind_of_failure_has_its_class(kind: str) -> None:
    info = job(1, "error", error={"kind": kind, "message": "why"}, exit_code=9)
    failed = described(**{k: info[k] for k in ("state", "error")})
    error = _results.failure_of(info, failed)
    for expected in CLASSES[kind]:
        assert isinstance(error, expected)
    assert type(error) is CLASSES[kind][0]
    assert (error.kind, error.job, error.job_id) == (kind, failed, "job_0001")
    assert str(error) == "why"
    assert error.exit_code == 9


def test_a_cancelled_job_and_a_wrong_python() -> None:
    cancelled = _results.failure_of(job(1, "cancelled"), described())
    assert isinstance(cancelled, slipway.TaskCancelled)
    assert isinstance(cancelled, concurrent.futures.CancelledError)
    said = {"kind": "protocol", "type": "PythonMismatch", "message": "3.9 is not 3.11"}
    error = _results.failure_of(job(1, "error", error=said), described())
    assert type(error) is slipway.PythonMismatch


@pytest.mark.parametrize(
    "cls", sorted(set(slipway.errors.TASK_ERRORS.values()), key=str)
)
def test_failures_can_be_pickled(cls: type[slipway.TaskError]) -> None:
    error = cls(
        "why", job=described(), kind="k", remote_type="t", remote_traceback="tb"
    )
    error.exit_code = 7
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is cls
    assert str(back) == "why"
    assert (back.job, back.job_id, back.kind) == (None, "job_0001", "k")
    assert (back.remote_type, back.remote_traceback, back.exit_code) == ("t", "tb", 7)


def test_a_traceback_shows_the_callers_frames_only() -> None:
    text = (
        'Traceback (most recent call last):\n  File "<slipway>", line 3, in run\n'
        '  File "/home/me/a.py", line 1, in f\n    1 / 0\n    ~~^~~\n'
        "ZeroDivisionError: division by zero\n"
    )
    said = {
        "kind": "exception",
        "type": "ZeroDivisionError",
        "message": "division by zero",
        "traceback": text,
    }
    error = _results.failure_of(job(1, "error", error=said), described())
    assert str(error) == "ZeroDivisionError: division by zero"
    assert error.remote_type == "ZeroDivisionError"
    assert error.remote_traceback is not None
    assert "<slipway>" not in error.remote_traceback
    assert "a.py" in error.remote_traceback
    assert "a.py" in str(error.__cause__)


def announced(value: Any, attempt: int = 1, **more: Any) -> dict[str, Any]:
    """Return the event that an exception goes ahead with."""
    return {"type": "exception", "attempt": attempt, **pickled(value), **more}


def test_the_exception_of_the_last_attempt_is_raised() -> None:
    info = job(1, "error", attempt=2, error={"kind": "exception", "traceback": "tb\n"})
    failure = _results.failure_of(info, described())
    events = [
        announced(KeyError("first"), 1),
        {"type": "log"},
        announced(KeyError("second"), 2),
    ]
    error = _results.exception_of(events, info, failure)
    assert isinstance(error, KeyError)
    assert error.args == ("second",)
    assert isinstance(error.__cause__, slipway.RemoteTraceback)
    assert _results.exception_of(events[:2], info, failure) is failure


@pytest.mark.parametrize("value", [SystemExit(1), "no exception", KeyboardInterrupt()])
def test_only_exceptions_are_raised(value: Any) -> None:
    info = job(1, "error", error={"kind": "exception"})
    failure = _results.failure_of(info, described())
    assert _results.exception_of([announced(value)], info, failure) is failure


def test_an_exception_that_cannot_be_loaded_becomes_texts() -> None:
    info = job(
        1, "error", error={"kind": "exception", "type": "app.Odd", "message": "m"}
    )
    failure = _results.failure_of(info, described())
    event = {**announced(1), "data": "AAAA"}
    assert _results.exception_of([event], info, failure) is failure
    assert str(failure) == "app.Odd: m"
