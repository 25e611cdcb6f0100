"""What needs no gateway: tasks called here, events outside of tasks, how things look."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import runpy
import sys
import types
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
from scripted import job

import slipway
from slipway.job import Job


@slipway.task
def double(x: int) -> int:
    """Return twice as much."""
    return 2 * x


@slipway.task(memory="64m", timeout=5)
def quadruple(x: int) -> int:
    return double(double(x))


class Model:
    """Has a method that is a task."""

    factor = 3

    @slipway.task
    def scale(self, x: int) -> int:
        return self.factor * x


def test_a_task_is_still_its_function() -> None:
    assert quadruple(3) == 12
    assert double.__doc__ == "Return twice as much."
    assert double.__name__ == "double"
    assert Model().scale(2) == 6
    assert "double" in repr(double)


def test_options_of_a_task() -> None:
    with slipway.Client("http://127.0.0.1:9", "k") as client:
        on = quadruple.options(client=client, memory="1g", cpus=2)
        assert on.client.defaults == slipway.Options(memory="1g", timeout=5, cpus=2)
        assert quadruple.options(client=client).client.defaults.memory == "64m"
    with pytest.raises(TypeError, match="memmory"):
        slipway.task(memmory="1g")(lambda: None)


def test_a_sandbox_gets_the_plain_function() -> None:
    arrived = cloudpickle.loads(cloudpickle.dumps(quadruple))
    assert not isinstance(arrived, slipway.Task)
    assert arrived(1) == 4


def test_views_share_and_leave_alone() -> None:
    with slipway.Client("http://127.0.0.1:9", "k") as client:
        view = client.options(memory="1g")
        assert view._session is client._session
        assert client.defaults == slipway.Options()
        assert view.options(memory=None).defaults == slipway.Options()


def test_emit_outside_of_a_task_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "slipway"):
        slipway.emit({"type": "note"})
        slipway.progress(1, 2, "half")
    assert "'note'" in caplog.text
    assert "'half'" in caplog.text


def test_emit_inside_of_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    module = types.ModuleType("_slipway_task")
    module.emit = sent.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "_slipway_task", module)
    slipway.progress(1, 2)
    slipway.emit({"a": "é"})
    assert sent == [b'{"type":"progress","current":1,"total":2}', b'{"a":"\\u00e9"}']
    with pytest.raises(TypeError):
        slipway.emit(["no dict"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="65536"):
        slipway.emit({"a": "x" * 70000})
    with pytest.raises(ValueError, match="JSON"):
        slipway.emit({"a": float("nan")})


RUNNERS = "Sources/RunnerFiles/slipway_runner/lib/slipway.py"


@pytest.mark.parametrize("where", ["client", "runner"])
def test_an_event_has_no_lone_surrogates(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    sent: list[bytes] = []
    module = types.ModuleType("_slipway_task")
    module.emit = sent.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "_slipway_task", module)
    emit: Any = slipway.emit
    if where == "runner":
        emit = runpy.run_path(str(Path(__file__).parents[3] / RUNNERS))["emit"]
    emit({"\udc80": ["\ud800\U0001f600", "\\ud800", "\ud83d\ude00", "\\\udfff", 1.5]})
    assert json.loads(sent[0]) == {
        "\\udc80": ["\\ud800\U0001f600", "\\ud800", "\\ud83d\\ude00", "\\\\udfff", 1.5]
    }


def test_emit_travels_by_its_public_name() -> None:
    # The runner's module `slipway` has these names, and nothing else of this package.
    assert b"slipway" in pickle.dumps(slipway.emit)
    assert b"_emit" not in pickle.dumps(slipway.emit)
    assert pickle.loads(pickle.dumps(slipway.progress)) is slipway.progress


def described(**more: Any) -> Job:
    """Return a job that asks nobody."""
    return Job(None, job(1, **more))  # type: ignore[arg-type]


def test_how_a_job_looks() -> None:
    assert repr(described()) == "<Job job_0001 'task' queued>"
    error = {"kind": "exception", "type": "ValueError", "message": "a <b>\nc"}
    failed = described(state="error", error=error, name="<script>")
    assert repr(failed) == "<Job job_0001 '<script>' error (ValueError: a <b>)>"
    shown = failed._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "a &lt;b&gt;" in shown
    assert "2.0 ms" in shown


def test_what_has_ended_stays_so() -> None:
    known = described(state="completed", result={"value": 1})
    known._learn(job(1, "running"))
    assert known.status == "completed"
    known._learn(job(1, "completed", labels={"a": "b"}))
    assert known.info["result"] == {"value": 1}
    assert known.info["labels"] == {"a": "b"}


def test_trust_is_one_of_two() -> None:
    with pytest.raises(ValueError, match="trust"):
        slipway.Client("http://127.0.0.1:9", "k", trust="yaml")  # type: ignore[arg-type]


def test_a_bar_needs_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with (
        slipway.Client("http://127.0.0.1:9", "k") as client,
        pytest.raises(slipway.SlipwayError, match=r"slipway\[progress\]"),
    ):
        client.map(int, [1], progress=True)


def test_everything_public_is_there() -> None:
    for name in slipway.__all__:
        assert getattr(slipway, name) is not None
    assert copy.copy(slipway.Options(cpus=1)) == slipway.Options(cpus=1)
