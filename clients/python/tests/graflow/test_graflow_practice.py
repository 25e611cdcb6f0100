"""Sandboxes practise with a copy of the code that travels, and use it where it is the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.workflow import workflow

from slipway.integrations.graflow import SlipwayTaskHandler, payload


def looking() -> Any:
    """Return a function of this one's, which travels: sandboxes do not have this module."""

    def looks(context: Any) -> dict[str, Any]:
        """Tell in a sandbox whose code runs this task, and what its practice has left."""
        import sys

        from graflow.hitl import manager

        kept = sys.modules.get("slipway_graflow")
        frame: Any = sys._getframe()
        files = []
        while frame is not None:
            if frame.f_code.co_name == "main":
                files.append(frame.f_globals is vars(kept)["main"].__globals__)
            frame = frame.f_back
        practising = sys.modules["_slipway.task"]
        return {
            "practised": "__slipway_practise__" in vars(kept) if kept else None,
            "used": files,
            "hooks": len(practising._quick_hooks),
            "errors": str(manager.FeedbackManager.__qualname__),
            "writers": sys.stdout.write.__qualname__,
            "channel": sorted(context.get_channel().keys()),
        }

    return looks


def run(handler: SlipwayTaskHandler) -> Any:
    """Run it where a child had the time to rehearse."""
    time.sleep(0.2)
    with workflow("practice") as flow:
        made = task("looks", inject_context=True)(looking())
        context = ExecutionContext.create(flow.graph, "looks")
        context.channel.set("one", 1)
        with context.executing_task(made):
            return handler.execute_task(made, context)


def test_the_sandbox_uses_what_it_practised(handler: SlipwayTaskHandler) -> None:
    run(handler)
    found = run(handler)
    assert found["used"][0]
    assert found["practised"]
    assert found["channel"] == ["one"]
    # What this task's own run replaced, once: nothing of the practice is below it.
    assert found["errors"].startswith("refuse_feedback")
    assert found["writers"].startswith("watch_output")


def test_practice_is_quick_enough_for_waiting_children(
    handler: SlipwayTaskHandler,
) -> None:
    run(handler)
    assert [run(handler)["hooks"] for _ in range(3)][-1] == 1


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the client other code than the gateway has."""
    original = payload._text
    monkeypatch.setattr(payload, "_text", lambda module: original(module) + "#\n")
    payload.prefix.cache_clear()
    yield
    payload.prefix.cache_clear()


def test_other_code_travels(handler: SlipwayTaskHandler, newer: None) -> None:
    assert not run(handler)["used"][0]


def test_a_small_task_stays_small(handler: SlipwayTaskHandler) -> None:
    with workflow("small") as flow:
        made = task("small")(lambda: 1)
        context = ExecutionContext.create(flow.graph, "small")
        made_task = payload.callable_task(made, context, "", "pickle")
    # The gateway's jobs.inline_max, of the decoded data.
    assert len(made_task["data"]) * 3 // 4 < 16384
