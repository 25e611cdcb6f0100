"""Who closes the connection of a handler."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.engine import WorkflowEngine
from graflow.core.workflow import workflow
from scripted import KEY, Answer, Asked, Scripted, job

from slipway import Client, ClientClosed
from slipway.integrations.graflow import SlipwayTaskHandler, install, uninstall

Serve = Callable[[Callable[[Asked], Answer]], Scripted]
OUTCOME = {"value": 1, "operations": [], "error": None, "printed": {}}
RESULT = {"media_type": "application/json", "value": OUTCOME}


def answers(asked: Asked) -> Answer:
    """Answer each task with 1."""
    return Answer(200, job(1, "completed", result=RESULT))


@pytest.fixture
def reachable(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """Let clients of the environment reach a gateway."""
    server = serve(answers)
    monkeypatch.setenv("SLIPWAY_URL", server.url)
    monkeypatch.setenv("SLIPWAY_KEY", KEY)
    return server


def engine() -> WorkflowEngine:
    """Return an engine, built as workflows do."""
    return WorkflowEngine()


def run(built: WorkflowEngine) -> Any:
    """Run one task."""
    with workflow("closing") as flow:
        task("one", handler="docker")(lambda: None)
        return built.execute(ExecutionContext.create(flow.graph, "one"))


def is_open(client: Client) -> bool:
    try:
        client.job("job_0001")
    except ClientClosed:
        return False
    return True


@pytest.mark.usefixtures("reachable")
def test_a_handler_closes_the_client_that_it_made_and_makes_another() -> None:
    handler = SlipwayTaskHandler(trust="json")
    handler.close()
    derived = handler.derive(timeout=9)
    built = engine()
    built.register_handler("docker", derived)
    assert run(built) == 1
    first = handler.client
    handler.close()
    handler.close()
    assert not is_open(first)
    assert run(built) == 1
    assert is_open(derived.client) and derived.client is not first
    derived.close()


def test_a_client_that_was_given_stays_open(reachable: Scripted) -> None:
    with Client(reachable.url, KEY) as client:
        handler = SlipwayTaskHandler(client=client)
        handler.close()
        assert is_open(client) and handler.client is client


@pytest.mark.usefixtures("reachable")
def test_uninstalling_closes_what_installing_made() -> None:
    install(trust="json")
    built = engine()
    assert run(built) == 1
    first = install(trust="json").client
    assert run(engine()) == 1
    uninstall()
    assert not is_open(first)
    # An engine keeps the handler that it was built with.
    assert run(built) == 1
    given = SlipwayTaskHandler(trust="json")
    install(given)
    assert run(engine()) == 1
    uninstall()
    assert is_open(given.client)
    given.close()


def test_a_task_that_runs_is_not_cut_off(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def script(request: Asked) -> Answer:
        asked.set()
        assert go_on.wait(20)
        return answers(request)

    monkeypatch.setenv("SLIPWAY_URL", serve(script).url)
    monkeypatch.setenv("SLIPWAY_KEY", KEY)
    install(trust="json")
    results: list[Any] = []
    built = engine()
    thread = threading.Thread(target=lambda: results.append(run(built)))
    thread.start()
    assert asked.wait(20)
    uninstall()
    go_on.set()
    thread.join(20)
    assert results == [1]
