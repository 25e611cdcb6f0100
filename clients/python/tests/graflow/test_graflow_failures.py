"""What graflow's DockerTaskHandler was seen to get wrong, each as a test that passes here."""

from __future__ import annotations

import base64
import copyreg
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import docker
import pytest
from graflow.core.decorators import task
from graflow.core.engine import WorkflowEngine
from graflow.core.workflow import workflow
from graflow.exceptions import GraflowRuntimeError
from graflow_support import Gateway, wait_for

from slipway import Client, TaskCancelled, TaskExit, TaskTimeout
from slipway.integrations.graflow import SlipwayTaskHandler


def run(function: Any, name: str = "job", **channel: Any) -> Any:
    """Run one function as a docker task of a workflow; return the result and the context."""
    with workflow("one") as flow:
        task(name, handler="docker")(function)
        return flow.execute(name, ret_context=True, initial_channel=channel)


@pytest.mark.parametrize("size", [20_000, 5_000_000])
def test_results_of_any_size(on_slipway: SlipwayTaskHandler, size: int) -> None:
    result, context = run(lambda: {"data": os.urandom(size), "text": "x" * size})
    assert len(result["data"]) == len(result["text"]) == size
    assert context.get_result("job") is result


def test_long_lines_do_not_disturb_the_result(
    on_slipway: SlipwayTaskHandler, capsys: Any
) -> None:
    def prints() -> int:
        print("y" * 200_000)
        return 7

    assert run(prints)[0] == 7
    assert capsys.readouterr().out == "y" * 200_000 + "\n"


def test_inputs_larger_than_a_command_line(on_slipway: SlipwayTaskHandler) -> None:
    def length(data: bytes) -> int:
        return len(data)

    assert run(length, data=os.urandom(1_000_000))[0] == 1_000_000


@pytest.mark.parametrize("code", [0, 3])
def test_sys_exit_is_no_success(on_slipway: SlipwayTaskHandler, code: int) -> None:
    with pytest.raises(GraflowRuntimeError) as caught:
        run(lambda: sys.exit(code))
    error = caught.value.cause
    assert isinstance(error, TaskExit)
    assert error.exit_code == code


def test_os_exit_is_explained(on_slipway: SlipwayTaskHandler) -> None:
    with pytest.raises(GraflowRuntimeError) as caught:
        run(lambda: os._exit(3))
    error = caught.value.cause
    assert isinstance(error, TaskExit)
    assert error.exit_code == 3
    assert "3" in str(error)


def test_output_without_a_line_end(on_slipway: SlipwayTaskHandler, capsys: Any) -> None:
    def prints() -> str:
        print("no line end", end="")
        print("to stderr", end="", file=sys.stderr)
        return "result"

    assert run(prints)[0] == "result"
    written = capsys.readouterr()
    assert (written.out, written.err) == ("no line end", "to stderr")


def test_output_of_a_task_that_fails(
    on_slipway: SlipwayTaskHandler, capsys: Any
) -> None:
    def prints() -> None:
        print("before the end", flush=True)
        os._exit(1)

    with pytest.raises(GraflowRuntimeError):
        run(prints)
    assert capsys.readouterr().out == "before the end\n"


def test_groups_know_the_handler(on_slipway: SlipwayTaskHandler) -> None:
    with workflow("group") as flow:

        @task(handler="docker")
        def left() -> int:
            return 1

        @task(handler="docker")
        def right() -> int:
            return 2

        group = left | right
        context = flow.execute(group.task_id, ret_context=True)[1]
    assert (context.get_result("left"), context.get_result("right")) == (1, 2)


def test_nothing_that_is_printed_is_unpickled(
    on_slipway: SlipwayTaskHandler, tmp_path: Path
) -> None:
    marker = tmp_path / "unpickled"
    # What graflow's handler would load from a line that begins so.
    forged = pickle.dumps(Opens(str(marker)))

    def prints() -> str:
        print("CONTEXT:" + base64.b64encode(forged).decode())
        return "mine"

    assert run(prints)[0] == "mine"
    assert not marker.exists()


class Opens:
    """Makes a file where it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


def test_exceptions_keep_type_traceback_and_notes(
    on_slipway: SlipwayTaskHandler,
) -> None:
    class Odd(Exception):
        def __init__(self, left: int, *, right: int) -> None:
            super().__init__(f"{left} is not {right}")
            self.left, self.right = left, right

    def inner() -> None:
        error = Odd(1, right=2)
        if hasattr(error, "add_note"):
            error.add_note("seen in the sandbox")
        raise error

    def fails() -> None:
        inner()

    with pytest.raises(GraflowRuntimeError) as caught:
        run(fails)
    error = caught.value.cause
    assert type(error) is Odd
    assert (error.left, error.right, str(error)) == (1, 2, "1 is not 2")
    if sys.version_info >= (3, 11):
        assert error.__notes__ == ["seen in the sandbox"]
    text = "".join(traceback.format_exception(error))
    assert ", in fails" in text
    assert ", in inner" in text
    assert "slipway graflow" not in text


def test_exceptions_without_handlers_of_their_own(
    on_slipway: SlipwayTaskHandler,
) -> None:
    def fails() -> None:
        {}["missing"]

    with pytest.raises(GraflowRuntimeError) as caught:
        run(fails)
    assert type(caught.value.cause) is KeyError
    assert caught.value.cause.args == ("missing",)


@pytest.mark.parametrize(
    "name",
    ["it's", 'a "quoted" one', "line\nbreak", "{{ 7 * 7 }}", "ünïcödé", "a" * 400],
)
def test_any_task_id(on_slipway: SlipwayTaskHandler, name: str) -> None:
    result, context = run(lambda: 5, name)
    assert result == context.get_result(name) == 5


def test_retries_are_graflows(on_slipway: SlipwayTaskHandler) -> None:
    with workflow("retries") as flow:

        @task(handler="docker", inject_context=True, max_retries=2)
        def third_time(context: Any) -> int:
            attempt: int = context.get_channel().atomic_add("attempts", 1)
            if attempt < 3:
                os._exit(attempt) if attempt == 2 else None
                raise ValueError(attempt)
            return attempt

        # A killed attempt leaves no record of what it wrote, so it is counted by graflow only.
        with pytest.raises(GraflowRuntimeError):
            flow.execute("third_time")

    with workflow("retries") as flow:

        @task(handler="docker", inject_context=True, max_retries=2)
        def again(context: Any) -> int:
            attempt: int = context.get_channel().atomic_add("attempts", 1)
            if attempt < 3:
                raise ValueError(attempt)
            return attempt

        assert flow.execute("again") == 3


def test_a_task_that_takes_too_long(client: Client) -> None:
    handler = SlipwayTaskHandler(client=client, timeout=1)
    with workflow("slow") as flow:

        @task(handler="docker")
        def endless() -> None:
            while True:
                pass

        engine = WorkflowEngine()
        engine.register_handler("docker", handler)
        from graflow.core.context import ExecutionContext

        with pytest.raises(GraflowRuntimeError) as caught:
            engine.execute(ExecutionContext.create(flow.graph, "endless"))
    assert isinstance(caught.value.cause, TaskTimeout)
    assert isinstance(caught.value.cause, TimeoutError)


def test_running_tasks_can_be_cancelled(
    on_slipway: SlipwayTaskHandler, client: Client
) -> None:
    caught: list[BaseException | None] = []

    def sleeps() -> None:
        time.sleep(600)

    def execute() -> None:
        try:
            run(sleeps, "cancelled from outside")
        except GraflowRuntimeError as error:
            caught.append(error.cause)

    thread = threading.Thread(target=execute)
    thread.start()
    wait_for(lambda: list(client.jobs(name="cancelled from outside", state="running")))
    assert on_slipway.cancel() == 1
    thread.join(30)
    assert [type(error) for error in caught] == [TaskCancelled]


@pytest.mark.parametrize("grouped", [False, True])
def test_an_interrupted_caller_leaves_nothing_running(
    gateway: Gateway, client: Client, tmp_path: Path, grouped: bool
) -> None:
    name = f"interrupted-{grouped}"
    script = tmp_path / "flow.py"
    script.write_text(
        textwrap.dedent(f"""
        import signal
        import time
        from graflow.core.decorators import task
        from graflow.core.workflow import workflow
        from slipway.integrations.graflow import configure

        # Whoever runs the tests in the background has it ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)

        with workflow("interrupted") as flow:
            def sleeps():
                time.sleep(600)

            one = configure(task("one", handler="docker")(sleeps), name="{name}")
            if {grouped}:
                two = configure(task("two", handler="docker")(sleeps), name="{name}")
                flow.execute((one | two).task_id)
            else:
                flow.execute("one")
        """)
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "slipway.integrations.graflow", str(script)],
        env=gateway.environment(),
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    )
    try:
        wait_for(
            lambda: len(list(client.jobs(name=name, state="running"))) == 1 + grouped
        )
        process.send_signal(signal.SIGINT)
        _, text = process.communicate(timeout=60)
    finally:
        process.kill()
    assert b"KeyboardInterrupt" in text
    wait_for(lambda: all(job.done() for job in client.jobs(name=name)))
    assert {job.status for job in client.jobs(name=name)} == {"cancelled"}


def test_the_engine_shows_nothing_of_a_task(
    on_slipway: SlipwayTaskHandler, client: Client, docker_host: str
) -> None:
    secret = "a-secret-of-the-payload"
    engine = docker.DockerClient(base_url=docker_host)
    seen: list[str] = []

    def sleeps(word: str) -> str:
        time.sleep(2)
        return word

    thread = threading.Thread(target=lambda: run(sleeps, "looked at", word=secret))
    thread.start()
    wait_for(lambda: list(client.jobs(name="looked at", state="running")))
    for container in engine.containers.list(all=True):
        try:
            seen.append(str(engine.api.inspect_container(container.id)))
        except docker.errors.NotFound:
            continue
    thread.join(30)
    plain = base64.b64encode(secret.encode()).decode()[:16]
    assert seen
    assert not [text for text in seen if secret in text or plain in text]


def test_how_the_caller_pickles_exceptions_is_its_own_business(
    on_slipway: SlipwayTaskHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As tblib does for every exception, so that tracebacks travel, too; a sandbox has no tblib.
    def reduce(error: ValueError) -> Any:
        raise AssertionError("the caller's registration was used")

    monkeypatch.setitem(copyreg.dispatch_table, ValueError, reduce)
    with workflow("registered") as flow:

        @task(handler="docker", inject_context=True, max_retries=1)
        def once_more(context: Any) -> int:
            attempt: int = context.get_channel().atomic_add("attempts", 1)
            if attempt < 2:
                raise ValueError(attempt)
            return attempt

        assert flow.execute("once_more") == 2
