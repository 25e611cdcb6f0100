"""What a task does to its workflow in the sandbox holds on the caller's side, in the same order."""

from __future__ import annotations

import os
from typing import Any

import pytest
from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import (
    CycleLimitExceededError,
    GraflowRuntimeError,
    GraflowWorkflowCanceledError,
)

from slipway.integrations.graflow import SlipwayTaskHandler

pytestmark = pytest.mark.usefixtures("on_slipway")


def run(function: Any, **channel: Any) -> tuple[Any, ExecutionContext]:
    """Run one function, which takes the task's context, as a docker task."""
    with workflow("one") as flow:
        task("one", handler="docker", inject_context=True)(function)
        result, context = flow.execute("one", ret_context=True, initial_channel=channel)
        return result, context


def test_channel_writes_hold() -> None:
    def writes(context: Any) -> list[Any]:
        channel = context.get_channel()
        channel.set("new", {"a": [1, 2]})
        channel.set("short", "lived", ttl=3600)
        lengths = [
            channel.append("list", 4),
            channel.prepend("list", 0),
            channel.append("fresh", "first", ttl=3600),
        ]
        sums = [
            channel.atomic_add("count"),
            channel.atomic_add("count", 2.5),
            channel.atomic_add("from_zero", -1),
        ]
        return [
            lengths,
            sums,
            channel.delete("gone"),
            channel.delete("never"),
            sorted(channel.keys()),
        ]

    result, context = run(writes, list=[1, 2, 3], count=10, gone="x", kept="y")
    assert result == [
        [4, 5, 1],
        [11, 13.5, -1],
        True,
        False,
        sorted(set(context.channel.keys()) - {"one.__result__"}),
    ]
    expected = {
        "new": {"a": [1, 2]},
        "short": "lived",
        "list": [0, 1, 2, 3, 4],
        "fresh": ["first"],
        "count": 13.5,
        "from_zero": -1,
        "kept": "y",
    }
    assert {key: context.channel.get(key) for key in expected} == expected
    assert not context.channel.exists("gone")
    assert {"short", "fresh"} <= set(context.channel.ttl_data)


def test_counts_of_parallel_tasks_add_up() -> None:
    def counts(context: Any) -> float:
        total: float = context.get_channel().atomic_add("count", 5)
        return total

    with workflow("counts") as flow:
        first = task("first", handler="docker", inject_context=True)(counts)
        second = task("second", handler="docker", inject_context=True)(counts)
        first >> second
        context = flow.execute("first", ret_context=True, initial_channel={"count": 1})[
            1
        ]
    assert context.channel.get("count") == 11


def test_writes_before_an_exception_hold_as_in_the_process() -> None:
    def fails(context: Any) -> None:
        context.get_channel().set("before", 1)
        raise ValueError("after")

    with workflow("fails") as flow:
        task("fails", handler="docker", inject_context=True)(fails)
        context = ExecutionContext.create(flow.graph, "fails")
        with pytest.raises(GraflowRuntimeError):
            context.execute()
    assert context.channel.get("before") == 1
    assert isinstance(context.get_result("fails"), ValueError)


def test_objects_that_a_task_hands_out_twice_are_one_object() -> None:
    def shares(context: Any) -> list[int]:
        value = [1]
        context.get_channel().set("same", value)
        value.append(2)
        return value

    result, context = run(shares)
    assert result == [1, 2]
    assert context.channel.get("same") is result


def test_classes_of_the_caller_come_back_as_themselves() -> None:
    class Point:
        def __init__(self, x: int) -> None:
            self.x = x

        def double(self) -> int:
            return self.x * 2

    method = Point.double
    result, _ = run(lambda context: Point(21))
    assert type(result) is Point
    assert Point.double is method
    assert result.double() == 42


def test_a_new_task_is_added_and_holds_the_callers_context() -> None:
    def plans(context: Any) -> str:
        def added() -> str:
            # Through its closure it sees what the caller's workflow knows by then.
            return f"{context.get_result('plans')} then {context.execution_context.get_result('other', 'nothing')}"

        made = task("added", handler="direct")(added)
        assigned: str = context.next_task(made)
        return assigned

    with workflow("dynamic") as flow:
        task("plans", handler="docker", inject_context=True)(plans)
        context = flow.execute("plans", ret_context=True)[1]
    assert context.get_result("plans") == "added"
    assert context.get_result("added") == "added then nothing"
    assert context.completed_tasks == ["plans", "added"]


def test_a_new_task_can_run_in_a_sandbox_too() -> None:
    def plans(context: Any) -> None:
        def added() -> bool:
            return "SLIPWAY_JOB" in os.environ

        context.next_task(task("added", handler="docker")(added))

    assert run(plans)[1].get_result("added") is True


def test_jumps_skip_the_successors() -> None:
    def jumps(context: Any) -> None:
        context.next_task(context.graph.get_node("target"), goto=True)

    with workflow("jump") as flow:
        source = task("source", handler="docker", inject_context=True)(jumps)
        skipped = task("skipped")(lambda: "skipped")
        target = task("target")(lambda: "target")
        source >> skipped >> target
        context = flow.execute("source", ret_context=True)[1]
        assert context.completed_tasks == ["source", "target"]
        # The workflow's own task was queued, and no copy of it.
        assert context.graph.get_node("target") is target


def test_terminating_ends_the_workflow_without_an_error() -> None:
    def ends(context: Any) -> str:
        context.terminate_workflow("enough")
        return "last"

    with workflow("terminate") as flow:
        ends_task = task("ends", handler="docker", inject_context=True)(ends)
        never = task("never")(lambda: "never")
        ends_task >> never
        result, context = flow.execute("ends", ret_context=True)
    assert (result, context.completed_tasks, context.ctrl_message) == (
        "last",
        ["ends"],
        "enough",
    )


def test_cancelling_ends_the_workflow_with_an_error() -> None:
    def cancels(context: Any) -> None:
        context.get_channel().set("written", True)
        context.cancel_workflow("bad data")

    with workflow("cancel") as flow:
        task("cancels", handler="docker", inject_context=True)(cancels)
        context = ExecutionContext.create(flow.graph, "cancels")
        with pytest.raises(GraflowWorkflowCanceledError, match="bad data"):
            context.execute()
    assert context.channel.get("written") is True
    assert context.completed_tasks == []


def test_iterations_run_in_sandboxes_and_are_counted_once() -> None:
    def counts(context: Any, data: int = 0) -> list[Any]:
        channel = context.get_channel()
        channel.append("seen", [context.cycle_count, data, "SLIPWAY_JOB" in os.environ])
        if data < 3:
            channel.append("ids", context.next_iteration(data + 1))
        return [data]

    with workflow("cycle") as flow:
        task("cycle", handler="docker", inject_context=True)(counts)
        context = flow.execute("cycle", ret_context=True)[1]
    assert context.channel.get("seen") == [
        [1, 0, True],
        [2, 1, True],
        [3, 2, True],
        [4, 3, True],
    ]
    assert context.completed_tasks == ["cycle", *context.channel.get("ids")]


def test_the_limit_of_cycles_is_the_callers() -> None:
    def forever(context: Any) -> None:
        context.next_iteration()

    with workflow("cycle") as flow:
        task("cycle", handler="docker", inject_context=True, max_cycles=2)(forever)
        with pytest.raises(CycleLimitExceededError) as caught:
            flow.execute("cycle")
    assert (caught.value.task_id, caught.value.max_cycles) == ("cycle", 2)


def test_checkpoints_are_written_by_the_caller(tmp_path: Any) -> None:
    def asks(context: Any) -> None:
        context.checkpoint({"why": "test"}, path=str(tmp_path / "point"))

    context = run(asks)[1]
    assert context.last_checkpoint_path is not None
    assert list(tmp_path.glob("point*"))


@pytest.mark.parametrize("what", ["checkpoint", "feedback", "lock"])
def test_what_only_the_caller_can_do_is_refused(what: str) -> None:
    def asks(context: Any) -> None:
        if what == "checkpoint":
            context.checkpoint(deferred=False)
        elif what == "feedback":
            context.request_approval("go on?")
        else:
            with context.get_channel().lock("count"):
                context.get_channel().set("count", 1)

    with pytest.raises(GraflowRuntimeError, match="handler='direct'"):
        run(asks)


def test_a_result_that_cannot_be_pickled_is_named() -> None:
    def makes() -> Any:
        import threading

        return threading.Lock()

    with pytest.raises(
        GraflowRuntimeError, match=r"its result \(of type lock\) cannot be pickled"
    ):
        run(lambda context: makes())


def test_a_value_that_cannot_be_pickled_is_named() -> None:
    def writes(context: Any) -> str:
        import threading

        context.get_channel().set("fine", 1)
        context.get_channel().set("lock", threading.Lock())
        return "unused"

    with workflow("one") as flow:
        task("one", handler="docker", inject_context=True)(writes)
        context = ExecutionContext.create(flow.graph, "one")
        with pytest.raises(
            GraflowRuntimeError, match=r"set\('lock', lock\) cannot be pickled"
        ):
            context.execute()
    assert context.channel.get("fine") == 1


def test_a_handler_can_be_called_without_an_engine(handler: SlipwayTaskHandler) -> None:
    with workflow("alone") as flow:
        made = task("alone", inject_context=True)(
            lambda context: [context.task_id, context.cycle_count]
        )
        context = ExecutionContext.create(flow.graph, "alone")
        assert handler.execute_task(made, context) == ["alone", 1]
    assert context.get_result("alone") == ["alone", 1]
