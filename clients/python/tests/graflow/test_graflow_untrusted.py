"""What a sandbox may answer whose task has taken it over, and what of it reaches the caller."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.engine import WorkflowEngine
from graflow.core.workflow import workflow
from graflow.exceptions import GraflowRuntimeError
from scripted import Answer, Asked, Scripted, job

from slipway import Client, SlipwayError, TaskError
from slipway.integrations.graflow import SlipwayTaskHandler

Serve = Callable[[Callable[[Asked], Answer]], Scripted]
Connect = Callable[..., Client]
# Runs one task whose sandbox gives this answer.
Run = Callable[..., ExecutionContext]

PICKLE = "application/vnd.python.pickle"
MEDIA = [PICKLE, "application/octet-stream", "text/plain", "image/png"]


class Opens:
    """Makes a file where it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


@pytest.fixture
def run(serve: Serve, connect: Connect, monkeypatch: Any, tmp_path: Path) -> Run:
    """Let a gateway answer for a sandbox."""
    # Where graflow writes what it is asked to write without a path.
    monkeypatch.chdir(tmp_path)

    def run(result: dict[str, Any], trust: str, apart: bool = False) -> Any:
        def script(asked: Asked) -> Answer:
            if asked.path.endswith("/result"):
                return Answer(200, result)
            if asked.path.endswith("/logs"):
                return Answer(200, asked.query["stream"].encode() + b"\n")
            more = {} if apart else {"result": result}
            return Answer(200, job(1, "completed", **more))

        client = connect(serve(script), trust=trust)
        engine = WorkflowEngine()
        engine.register_handler("docker", SlipwayTaskHandler(client=client))
        with workflow("hostile") as flow:
            task("one", handler="docker")(lambda: None)
            task("other")(lambda data=None: data)
            context = ExecutionContext.create(flow.graph, "one", max_steps=5)
        engine.execute(context)
        return context

    return run


def written(folder: Path) -> list[str]:
    """Return what a task had written: graflow's own folder for questions is there in any case."""
    return [path.name for path in folder.iterdir() if path.name != "feedback_data"]


def plain(*operations: Any, printed: Any = None) -> dict[str, Any]:
    """Return the result of a sandbox that answers with JSON."""
    outcome = {
        "value": "done",
        "operations": list(operations),
        "error": None,
        "printed": printed or {},
    }
    return {"media_type": "application/json", "value": outcome}


def forged(data: bytes, media: str) -> dict[str, Any]:
    """Return a result with bytes of the task's choice."""
    text = base64.b64encode(data).decode()
    return {"media_type": media, "encoding": "base64", "data": text}


@pytest.mark.parametrize("media", MEDIA)
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("bare", [False, True])
def test_nothing_is_unpickled_whatever_it_is_called(
    run: Run, tmp_path: Path, media: str, apart: bool, bare: bool
) -> None:
    marker = tmp_path / "unpickled"
    data = pickle.dumps(Opens(str(marker)))
    with pytest.raises(GraflowRuntimeError) as caught:
        run(forged(data if bare else pickle.dumps(data), media), "json", apart)
    assert isinstance(caught.value.cause, (SlipwayError, TaskError))
    assert not marker.exists()


@pytest.mark.parametrize("media", MEDIA[1:])
def test_bytes_that_are_no_pickle_are_not_unpickled(
    run: Run, tmp_path: Path, media: str
) -> None:
    marker = tmp_path / "unpickled"
    with pytest.raises(GraflowRuntimeError, match="answered with bytes"):
        run(forged(pickle.dumps(Opens(str(marker))), media), "pickle")
    assert not marker.exists()


@pytest.mark.parametrize("apart", [False, True])
def test_a_pickle_that_is_declared_as_one_is_the_answer(run: Run, apart: bool) -> None:
    outcome = plain()["value"]
    data = pickle.dumps(pickle.dumps(outcome))
    assert run(forged(data, PICKLE), "pickle", apart).get_result("one") == "done"


HARMFUL: list[Any] = [
    ["request_checkpoint", [{"why": "x"}], {"path": "made/by/the/task"}],
    ["request_checkpoint", [], {"path": "made"}],
    ["request_checkpoint", ["no dict"], {}],
    ["next_iteration", ["data"], {"task_id": "other", "iteration_id": "x"}],
    ["next_iteration", ["data", "other"], {"iteration_id": "other_cycle_1_0123abcd"}],
    ["next_iteration", ["data"], {"iteration_id": "other"}],
    ["next_iteration", ["data"], {"iteration_id": ["one_cycle_1_0123abcd"]}],
    ["next_iteration", ["data"], {}],
    ["next_task", ["unknown"], {}],
    ["next_task", [{"task_id": "other"}], {}],
    ["next_task", ["other"], {"_is_iteration": True}],
    ["next_task", ["other"], {"goto": "yes"}],
    ["next_task", [], {"name": "other"}],
    ["next_task", {"other": 1}, {}],
    ["add_to_queue", [7], {}],
    ["add_to_queue", [], {"name": "other"}],
    ["add_to_queue", "other", {}],
    ["atomic_add", ["count", "1"], {}],
    ["atomic_add", ["count", [1]], {}],
    ["atomic_add", ["count", True], {}],
    ["atomic_add", ["count", 10**400], {}],
    ["set", [["key"], 1], {}],
    ["set", [None, 1], {}],
    ["set", ["key", 1], {"ttl": "soon"}],
    ["set", ["key", 1], {"ttl": float("nan")}],
    ["set", "kv", {}],
    ["set", {"key": 1, "value": 2}, {}],
    ["set", ["key"], [["value", 1]]],
    ["append", [7, 1], {}],
    ["delete", [{}], {}],
    ["clear", ["all"], {}],
    ["cancel_workflow", [{"no": "text"}], {}],
    ["terminate_workflow", [], {}],
    ["save", ["file"], {}],
    ["__class__", [], {}],
    [["set"], ["key", 1], {}],
    ["set", ["key", 1]],
    "set",
    None,
]


@pytest.mark.parametrize("operation", HARMFUL, ids=[f"{o!r:.60}" for o in HARMFUL])
def test_harmful_operations_are_refused_and_nothing_else_is_replayed(
    run: Run, tmp_path: Path, operation: Any, monkeypatch: Any
) -> None:
    replayed: list[str] = []
    with workflow("any") as flow:
        task("any")(lambda: None)
        kind = type(ExecutionContext.create(flow.graph, "any").channel)
    monkeypatch.setattr(
        kind, "prepend", lambda self, key, value, ttl=None: replayed.append(key)
    )
    with pytest.raises(GraflowRuntimeError) as caught:
        run(plain(["prepend", ["before", 1], {}], operation), "json")
    assert isinstance(caught.value.cause, SlipwayError)
    assert not replayed and not written(tmp_path)


def test_what_an_untrusted_task_may_do(run: Run, tmp_path: Path) -> None:
    context = run(
        plain(
            ["set", ["word", {"a": [1]}], {"ttl": 60}],
            ["append", ["list", None], {}],
            ["prepend", ["list", 1.5], {"ttl": None}],
            ["atomic_add", ["count", 2], {}],
            ["atomic_add", ["count"], {}],
            ["set", ["gone", 1], {}],
            ["delete", ["gone"], {}],
            ["next_task", ["other"], {"goto": True}],
            ["request_checkpoint", [{"why": "x"}], {"path": None}],
        ),
        "json",
    )
    channel = context.channel
    assert channel.get("word") == {"a": [1]} and channel.get("list") == [1.5, None]
    assert channel.get("count") == 3 and not channel.exists("gone")
    assert context.completed_tasks == ["one", "other"]
    # In graflow's own place, and nowhere else.
    assert written(tmp_path) == ["checkpoints"]


def test_the_reason_for_a_refused_checkpoint_is_told(run: Run) -> None:
    with pytest.raises(GraflowRuntimeError, match="where a checkpoint is written"):
        run(plain(HARMFUL[0]), "json")


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (["", "stdout", "stdout"] * 100, ""),
        ("stdout", ""),
        (7, ""),
        ({"stderr": True, "stdout": 1, "": True, "all": True}, "stderr"),
        ({"stderr": True, "stdout": True}, "stdout stderr"),
    ],
)
def test_output_is_asked_for_once_whatever_a_sandbox_says_it_printed(
    run: Run, capsys: pytest.CaptureFixture[str], printed: Any, shown: str
) -> None:
    assert run(plain(printed=printed), "json").get_result("one") == "done"
    told = capsys.readouterr()
    assert (told.out + told.err).split() == shown.split()
