"""Folders that tasks may write to: as workflows ask for them, and as the gateway allows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.engine import WorkflowEngine
from graflow.core.handler import TaskHandler
from graflow.core.handlers.docker import DockerTaskHandler
from graflow.core.workflow import workflow
from graflow.exceptions import GraflowRuntimeError
from graflow_support import Gateway
from scripted import Answer, Asked, Scripted, job, problem

from slipway import APIError, Client
from slipway.integrations.graflow import SlipwayTaskHandler

Serve = Callable[[Callable[[Asked], Answer]], Scripted]
Connect = Callable[..., Client]


def run(handler: TaskHandler, function: Callable[[], Any]) -> Any:
    """Run one function with a handler."""
    engine = WorkflowEngine()
    engine.register_handler("docker", handler)
    with workflow("volumes") as flow:
        task("one", handler="docker")(function)
        return engine.execute(ExecutionContext.create(flow.graph, "one"))


def writing() -> Callable[[], str]:
    # Within, so that it travels by value.
    def writes() -> str:
        try:
            Path("/data/written.txt").write_text("by a task")
        except OSError as error:
            return f"{error.strerror}, and read {Path('/data/file.txt').read_text()}"
        return "written"

    return writes


@pytest.mark.usefixtures("docker_host", "on_slipway")
@pytest.mark.parametrize("mode", [{"mode": "rw"}, {}])
def test_a_folder_that_the_gateway_mounts_writable(
    gateway: Gateway, mode: dict[str, str]
) -> None:
    folder = gateway.folder / "writable"
    handler = DockerTaskHandler(volumes={str(folder): {"bind": "/data", **mode}})
    try:
        assert run(handler, writing()) == "written"
        assert (folder / "written.txt").read_text() == "by a task"
    finally:
        (folder / "written.txt").unlink(missing_ok=True)


@pytest.mark.usefixtures("docker_host", "on_slipway")
def test_a_folder_that_it_does_not(gateway: Gateway, caplog: Any) -> None:
    folder = str(gateway.folder / "mounted")
    # Nobody said that it is to be writable, so what the gateway allows has to do.
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            handler = DockerTaskHandler(volumes={folder: {"bind": "/data"}})
            said = run(handler, writing())
            assert said == "Read-only file system, and read from the host\n"
    assert caplog.text.count("read-only") >= 1
    asked = DockerTaskHandler(volumes={folder: {"bind": "/data", "mode": "rw"}})
    with pytest.raises(GraflowRuntimeError, match="mount_writable") as caught:
        run(asked, writing())
    assert isinstance(caught.value.cause, APIError)


def refusing(
    *pointers: str,
) -> tuple[Callable[[Asked], Answer], list[list[str]]]:
    """Return a gateway that refuses these places of a body with writable mounts, and the modes that it was asked for."""
    modes: list[list[str]] = []

    def script(asked: Asked) -> Answer:
        if asked.method != "POST":
            return Answer(200, {"jobs": [], "next_cursor": None})
        modes.append([mount["mode"] for mount in asked.json()["mounts"]])
        if "rw" in modes[-1]:
            answer = problem(422, "not-allowed")
            answer.body["errors"] = [{"pointer": place} for place in pointers]
            return answer
        outcome = {"value": 1, "operations": [], "error": None, "printed": {}}
        result = {"media_type": "application/json", "value": outcome}
        return Answer(200, job(1, "completed", result=result))

    return script, modes


def test_a_refused_mode_that_nobody_asked_for_is_asked_for_once(
    serve: Serve, connect: Connect
) -> None:
    script, modes = refusing("/mounts/0/mode", "/mounts/2/mode")
    handler = SlipwayTaskHandler(
        client=connect(serve(script), trust="json"),
        volumes={"/a": "/x", "/b": {"bind": "/y", "mode": "ro"}, "/c": "/z"},
    )
    assert [run(handler, writing()), run(handler.derive(timeout=9), writing())] == [
        1,
        1,
    ]
    assert modes == [["rw", "ro", "rw"], ["ro", "ro", "ro"], ["ro", "ro", "ro"]]


@pytest.mark.parametrize(
    "pointers",
    [("/mounts/0/mode", "/mounts/1/mode"), ("/mounts/0/source",), ("/image",), ()],
)
def test_whatever_else_is_refused_is_the_gateways_error(
    serve: Serve, connect: Connect, pointers: tuple[str, ...]
) -> None:
    script, modes = refusing(*pointers)
    handler = SlipwayTaskHandler(
        client=connect(serve(script), trust="json"),
        volumes=["/a:/x", "/b:/y:rw"],
    )
    with pytest.raises(GraflowRuntimeError) as caught:
        run(handler, writing())
    assert isinstance(caught.value.cause, APIError)
    assert modes == [["rw", "rw"]]
