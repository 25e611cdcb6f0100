"""graflow's own examples, in other words: handlers for direct, docker and custom tasks, images, groups."""

from __future__ import annotations

import io
import os
import tarfile
import time
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.engine import WorkflowEngine
from graflow.core.handler import TaskHandler
from graflow.core.handlers.docker import DockerTaskHandler
from graflow.core.handlers.group_policy import AtLeastNGroupPolicy
from graflow.core.task import Executable
from graflow.core.workflow import workflow
from graflow.exceptions import ParallelGroupError
from graflow_support import IMAGE

from slipway.integrations.graflow import SlipwayTaskHandler, configure


def test_direct_tasks_stay_in_the_process(on_slipway: SlipwayTaskHandler) -> None:
    def fibonacci(number: int) -> int:
        return number if number < 2 else fibonacci(number - 1) + fibonacci(number - 2)

    with workflow("direct") as flow:

        @task
        def without_handler() -> int:
            return os.getpid()

        @task(handler="direct")
        def with_handler(without_handler: int) -> tuple[int, int, int]:
            return without_handler, os.getpid(), fibonacci(12)

        without_handler >> with_handler
        assert flow.execute("without_handler") == (os.getpid(), os.getpid(), 144)


def test_one_workflow_with_direct_and_docker_tasks(
    handler: SlipwayTaskHandler, capsys: Any
) -> None:
    with workflow("mixed") as flow:

        @task(handler="direct")
        def here() -> dict[str, int]:
            return {"pid": os.getpid()}

        @task(handler="docker")
        def there(here: dict[str, int]) -> dict[str, Any]:
            import os

            print("in the sandbox")
            return {
                "pid": os.getpid(),
                "job": os.environ["SLIPWAY_JOB"],
                "caller": here["pid"],
            }

        @task(handler="direct", inject_context=True)
        def compare(context: Any) -> tuple[Any, Any]:
            return context.get_result("here"), context.get_result("there")

        here >> there >> compare
        engine = WorkflowEngine()
        engine.register_handler("docker", handler)
        local, remote = engine.execute(
            ExecutionContext.create(flow.graph, "here", max_steps=10)
        )
    assert local["pid"] == remote["caller"] == os.getpid()
    assert remote["pid"] != os.getpid()
    assert remote["job"].startswith("job_")
    assert capsys.readouterr().out == "in the sandbox\n"


def test_dockers_own_handler_runs_on_slipway_when_installed(
    on_slipway: SlipwayTaskHandler,
) -> None:
    with workflow("unmodified") as flow:

        @task(handler="docker")
        def variables() -> tuple[str | None, bool]:
            import os

            return os.environ.get("GREETING"), "SLIPWAY_JOB" in os.environ

        engine = WorkflowEngine()
        engine.register_handler(
            "docker",
            DockerTaskHandler(image="python:3.11-slim", environment={"GREETING": "hi"}),
        )
        context = ExecutionContext.create(flow.graph, "variables", max_steps=10)
        assert engine.execute(context) == ("hi", True)
        assert context.get_result("variables") == ("hi", True)


def test_a_custom_handler_beside_it(on_slipway: SlipwayTaskHandler) -> None:
    seen = []

    class Noting(TaskHandler):
        def __init__(self, inner: TaskHandler) -> None:
            self.inner = inner

        def execute_task(self, task: Executable, context: ExecutionContext) -> Any:
            began = time.monotonic()
            result = self.inner.execute_task(task, context)
            seen.append((task.task_id, result, time.monotonic() >= began))
            return result

    with workflow("custom") as flow:

        @task(handler="noting")
        def noted() -> str:
            import os

            return os.environ["SLIPWAY_JOB"][:4]

        engine = WorkflowEngine()
        engine.register_handler("noting", Noting(on_slipway))
        assert engine.execute(ExecutionContext.create(flow.graph, "noted")) == "job_"
    assert seen == [("noted", "job_", True)]


def test_groups_run_their_tasks_in_sandboxes(on_slipway: SlipwayTaskHandler) -> None:
    with workflow("group") as flow:

        def make(number: int) -> Any:
            @task(f"part_{number}", handler="docker", inject_context=True)
            def part(context: Any) -> int:
                import os

                context.get_channel().set(f"written_{number}", number)
                return number * number if "SLIPWAY_JOB" in os.environ else -1

            return part

        @task(inject_context=True)
        def total(context: Any) -> tuple[int, int]:
            channel = context.get_channel()
            results = [context.get_result(f"part_{number}") for number in range(4)]
            return sum(results), sum(
                channel.get(f"written_{number}") for number in range(4)
            )

        group = make(0) | make(1) | make(2) | make(3)
        group >> total
        assert flow.execute(group.task_id) == (14, 6)


def test_policies_of_groups_see_failures(on_slipway: SlipwayTaskHandler) -> None:
    def run(policy: Any) -> Any:
        with workflow("policy") as flow:

            @task(handler="docker")
            def fine() -> int:
                return 1

            @task(handler="docker")
            def broken() -> int:
                raise ValueError("broken on purpose")

            group = (fine | broken).with_execution(policy=policy)
            return flow.execute(group.task_id, ret_context=True)[1].get_result("fine")

    assert run(AtLeastNGroupPolicy(min_success=1)) == 1
    with pytest.raises(ParallelGroupError) as caught:
        run("strict")
    [(name, message)] = caught.value.failed_tasks
    assert name == "broken"
    assert message is not None and "broken on purpose" in message


@pytest.fixture(scope="module")
def image(docker_host: str) -> Iterator[str]:
    """Make an image that has one more file."""
    engine = docker.DockerClient(base_url=docker_host)
    container = engine.containers.create(IMAGE, command=["true"])
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("slipway-test-word")
        entry.size, entry.mode = len(b"other"), 0o644
        archive.addfile(entry, io.BytesIO(b"other"))
    container.put_archive("/etc", buffer.getvalue())
    name = f"slipway-test-graflow-{os.getpid()}"
    container.commit(name, "latest")
    container.remove()
    yield f"{name}:latest"
    engine.images.remove(f"{name}:latest", force=True)


def test_handlers_and_tasks_choose_images(
    image: str, handler: SlipwayTaskHandler
) -> None:
    def word() -> str:
        path = "/etc/slipway-test-word"
        return open(path).read() if os.path.exists(path) else "usual"

    with workflow("images") as flow:
        first = task("first", handler="usual")(word)
        second = task("second", handler="other")(word)
        third = configure(task("third", handler="usual")(word), docker_image=image)
        first >> second >> third
        engine = WorkflowEngine()
        engine.register_handler("usual", handler.derive(image=IMAGE))
        engine.register_handler("other", handler.derive(image=image))
        context = ExecutionContext.create(flow.graph, "first")
        engine.execute(context)
    assert [context.get_result(name) for name in ("first", "second", "third")] == [
        "usual",
        "other",
        "other",
    ]
