"""With ``trust="json"`` nothing that comes from a sandbox is unpickled; versions are compared before that is done there."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import GraflowRuntimeError
from graflow_support import Gateway

from slipway import Client
from slipway._description import Description
from slipway.integrations.graflow import (
    RemoteTaskError,
    SlipwayTaskHandler,
    VersionMismatch,
    install,
    payload,
    troubles,
    uninstall,
)


@pytest.fixture
def careful(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SlipwayTaskHandler]:
    """Install a handler that takes JSON only, in a process that cannot unpickle outcomes."""
    with gateway.client(trust="json") as client:
        handler = install(client=client)
        assert handler.trust == "json"
        monkeypatch.setattr(payload, "Unpickler", None)
        yield handler
        uninstall()


def run(function: Any, **channel: Any) -> ExecutionContext:
    """Run one function, which takes the task's context, as a docker task."""
    with workflow("one") as flow:
        task("one", handler="docker", inject_context=True)(function)
        task("other")(lambda: "other")
        context: ExecutionContext = flow.execute(
            "one", ret_context=True, initial_channel=channel
        )[1]
        return context


def test_results_writes_and_jumps_as_json(
    careful: SlipwayTaskHandler, capsys: Any
) -> None:
    def works(context: Any) -> dict[str, Any]:
        print("printed")
        context.get_channel().append("list", {"n": 1.5})
        context.get_channel().set("looks", {"$task": "like one"}, ttl=60)
        context.next_task(context.graph.get_node("other"))
        if context.get_channel().atomic_add("rounds") < 2:
            context.next_iteration()
        return {"values": [None, True, 2, "three", 4.5]}

    context = run(works)
    assert context.get_result("one") == {"values": [None, True, 2, "three", 4.5]}
    assert context.channel.get("looks") == {"$task": "like one"}
    assert context.channel.get("list") == [{"n": 1.5}] * 2
    assert context.get_result("other") == "other"
    assert capsys.readouterr().out == "printed\n" * 2


@pytest.mark.parametrize(
    "value", [(1, 2), {1: 2}, b"bytes", float("nan"), {"a": {1, 2}}, [object()]]
)
def test_results_that_are_not_json_are_refused(
    careful: SlipwayTaskHandler, value: Any
) -> None:
    with pytest.raises(GraflowRuntimeError, match="not exactly JSON"):
        run(lambda context: value)


def test_new_tasks_are_refused(careful: SlipwayTaskHandler) -> None:
    def plans(context: Any) -> None:
        context.next_task(task("new")(lambda: 1))

    with pytest.raises(GraflowRuntimeError, match="cannot send new tasks"):
        run(plans)


def test_exceptions_are_built_in_or_named(careful: SlipwayTaskHandler) -> None:
    class Own(Exception):
        pass

    def built_in(context: Any) -> None:
        raise LookupError("built in", 2)

    def own(context: Any) -> None:
        raise Own("mine")

    with pytest.raises(GraflowRuntimeError) as caught:
        run(built_in)
    assert type(caught.value.cause) is LookupError
    assert caught.value.cause.args == ("built in", 2)
    with pytest.raises(GraflowRuntimeError) as caught:
        run(own)
    error = caught.value.cause
    assert isinstance(error, RemoteTaskError)
    assert error.remote_type.endswith("Own")
    assert ", in own" in error.remote_traceback


def test_a_sandbox_that_answers_with_a_pickle_is_not_believed(
    careful: SlipwayTaskHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a task could that replaces what runs around it.
    original = payload.callable_task
    monkeypatch.setattr(
        payload, "callable_task", lambda *args: original(*args[:3], "pickle")
    )
    with pytest.raises(GraflowRuntimeError, match="pickle"):
        run(lambda context: {1, 2})


def test_a_handler_and_its_client_agree(client: Client) -> None:
    with pytest.raises(ValueError, match="trust"):
        SlipwayTaskHandler(client=client, trust="json")


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        ("graflow", "0.1.99", r"pickled with graflow 0\.1\.99, the sandbox has"),
        ("cloudpickle", "2.2.0", r"pickled with cloudpickle 2\.2\.0, the sandbox has"),
        ("python", "2.7", r"pickled by Python 2\.7, the sandbox runs"),
    ],
)
def test_other_versions_are_told_before_unpickling(
    on_slipway: SlipwayTaskHandler,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    version: str,
    message: str,
) -> None:
    found = payload.versions()
    original = payload.callable_task

    def callable_task(*args: Any) -> Any:
        # The gateway compares Pythons too, so only the sandbox is told something else.
        with monkeypatch.context() as patch:
            patch.setattr(payload, "versions", lambda: {**found, name: version})
            patch.setattr(payload, "dump", lambda task, context: b"not even a pickle")
            return {**original(*args), "python": found["python"]}

    monkeypatch.setattr(payload, "callable_task", callable_task)
    with pytest.raises(GraflowRuntimeError, match=message) as caught:
        run(lambda context: None)
    assert isinstance(caught.value.cause, VersionMismatch)


def test_an_image_without_graflow_is_told(client: Client, docker_host: str) -> None:
    handler = SlipwayTaskHandler(client=client, provide_graflow=False)
    with workflow("without") as flow:
        made = task("without")(lambda: 1)
        context = ExecutionContext.create(flow.graph, "without")
        with pytest.raises(VersionMismatch, match="cannot import"):
            handler.execute_task(made, context)


def test_what_the_client_takes_as_json() -> None:
    from slipway import _results

    packed = troubles.mismatch({"python": "2.7"})
    data = base64.b64encode(pickle.dumps(packed, protocol=5)).decode("ascii")
    result = {"media_type": _results.PICKLE, "encoding": "base64", "data": data}
    job = Description({"id": "job_1", "state": "completed"})
    assert _results.value_of(result, False, job)["mismatch"].startswith("the task was")


def test_a_checkpoint_is_written_in_graflows_place_only(
    careful: SlipwayTaskHandler, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = str(tmp_path / "chosen" / "point")

    def chooses(context: Any) -> None:
        context.checkpoint({"why": "test"}, path=path)

    with pytest.raises(GraflowRuntimeError, match="leave out the path"):
        run(chooses)
    assert not (tmp_path / "chosen").exists()
    context = run(lambda context: context.checkpoint({"why": "test"}))
    assert context.last_checkpoint_path.startswith("checkpoints")
