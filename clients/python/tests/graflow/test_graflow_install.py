"""Installing makes unmodified workflows run on Slipway; uninstalling leaves nothing of it."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import graflow
import pytest
import redis
from fakeredis import TcpFakeServer
from graflow.coordination.threading_coordinator import ThreadingCoordinator
from graflow.core import decorators as graflow_decorators
from graflow.core.context import ExecutionContext
from graflow.core.engine import WorkflowEngine
from graflow.core.handlers.docker import DockerTaskHandler
from graflow.core.workflow import workflow
from graflow.queue.base import TaskSpec
from graflow.queue.distributed import DistributedTaskQueue
from graflow.worker.worker import TaskWorker
from graflow_support import Gateway, wait_for

from slipway import Client
from slipway.integrations.graflow import (
    SlipwayTaskHandler,
    install,
    installed,
    uninstall,
)


def patched() -> tuple[Any, ...]:
    """Return what install() replaces."""
    return (
        WorkflowEngine._register_default_handlers,
        DockerTaskHandler.execute_task,
        ThreadingCoordinator.execute_group,
        graflow_decorators.task,
        graflow.task,
        dict(vars(graflow_decorators)).keys() - {"_"},
    )


def test_uninstalling_restores_everything() -> None:
    before = patched()
    first = install()
    second = install(timeout=5)
    assert installed() is second is not first
    assert WorkflowEngine()._handlers["docker"] is second
    uninstall()
    uninstall()
    assert patched() == before
    assert installed() is None
    assert "docker" not in WorkflowEngine()._handlers


def test_keywords_are_for_the_handler_that_is_made() -> None:
    with pytest.raises(TypeError):
        install(SlipwayTaskHandler(), timeout=3)
    assert installed() is None


def test_engines_handlers_of_their_own_stay(on_slipway: SlipwayTaskHandler) -> None:
    engine = WorkflowEngine()
    own = SlipwayTaskHandler()
    engine.register_handler("docker", own)
    assert engine._handlers["docker"] is own
    assert engine._handlers["slipway"] is on_slipway


@pytest.mark.parametrize("keyword", ["handler", "handler_type"])
def test_the_decorator_takes_the_spellings_of_graflows_documents(
    on_slipway: SlipwayTaskHandler, keyword: str, gateway: Gateway
) -> None:
    from graflow.core.decorators import task

    host = str(gateway.folder / "mounted")
    with workflow("documents") as flow:

        @task(  # type: ignore[call-overload]
            **{keyword: "docker"},
            docker_image="python:3.11-slim",
            docker_environment={
                "API_KEY": "word",
                "PIP_INDEX_URL": "https://pypi.org/simple",
            },
            reuse_containers=True,
        )
        def configured() -> list[Any]:
            import os

            return [
                os.environ.get("API_KEY"),
                os.environ.get("PIP_INDEX_URL"),
                "SLIPWAY_JOB" in os.environ,
            ]

        fields = on_slipway.fields(configured)
        assert "image" not in fields
        assert flow.execute("configured") == ["word", "https://pypi.org/simple", True]

        volumes = {host: "/data"}
        mounted = task("mounted", docker_volumes=volumes)(
            lambda: Path("/data/file.txt").read_text()
        )  # type: ignore[call-overload]
        assert mounted.handler_type == "docker"
        assert on_slipway.fields(mounted)["mounts"] == [
            {"source": host, "target": "/data", "mode": "rw"}
        ]
        if gateway.docker_host:
            assert flow.execute("mounted") == "from the host\n"


def test_copies_of_a_task_keep_what_it_asks_for(on_slipway: SlipwayTaskHandler) -> None:
    from graflow.core.decorators import task

    with workflow("copies") as flow:

        @task(timeout=7, inject_context=False)  # type: ignore[call-overload]
        def adds(left: int, right: int) -> int:
            return left + right

        copy = adds(task_id="copy", left=1, right=2)
        assert (
            on_slipway.fields(copy)["timeout"]
            == on_slipway.fields(adds)["timeout"]
            == 7
        )
        assert flow.execute("copy") == 3


def test_a_task_may_define_tasks(on_slipway: SlipwayTaskHandler) -> None:
    # The decorator that install() put in place is not in the sandbox by itself.
    from graflow.core.decorators import task

    with workflow("inner") as flow:

        @task(handler="docker", inject_context=True)
        def plans(context: Any) -> None:
            @task(handler="docker", timeout=9)  # type: ignore[call-overload]
            def inner() -> bool:
                import os

                return "SLIPWAY_JOB" in os.environ

            context.next_task(inner)

        context = flow.execute("plans", ret_context=True)[1]
        assert context.get_result("inner") is True
        assert on_slipway.fields(context.graph.get_node("inner"))["timeout"] == 9


def test_the_docker_package_is_not_needed(
    monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name == "docker" else find_spec(name, *more),
    )
    monkeypatch.delitem(sys.modules, "graflow.core.handlers.docker")
    monkeypatch.delattr("graflow.core.handlers.docker", raising=False)
    install(client=client, images={"python:3.11-slim": None}, environment={"A": "1"})
    try:
        module = importlib.import_module("graflow.core.handlers.docker")
        handler = module.DockerTaskHandler(
            image="python:3.11-slim", environment={"B": "2"}
        )
        assert isinstance(handler, SlipwayTaskHandler)
        assert isinstance(handler, module.DockerTaskHandler)
        with workflow("without") as flow:
            made = graflow_decorators.task("without")(lambda: 4)
            context = ExecutionContext.create(flow.graph, "without")
            assert handler.execute_task(made, context) == 4
            fields = handler.fields(made)
        assert fields["env"] == {"A": "1", "B": "2"}
        assert "image" not in fields
    finally:
        uninstall()
    assert "graflow.core.handlers.docker" not in sys.modules


def test_an_unmodified_script(gateway: Gateway, tmp_path: Path) -> None:
    script = tmp_path / "flow.py"
    script.write_text(
        textwrap.dedent("""
        import os
        import sys
        from dataclasses import dataclass

        from graflow.core.context import ExecutionContext
        from graflow.core.decorators import task
        from graflow.core.engine import WorkflowEngine
        from graflow.core.handlers.docker import DockerTaskHandler
        from graflow.core.workflow import workflow

        OFFSET = 40

        @dataclass
        class Sum:
            value: int

        def plus(number):
            return Sum(number + OFFSET)

        if __name__ == "__main__":
            with workflow("script") as flow:
                @task
                def start():
                    return int(sys.argv[1])

                @task(handler="docker")
                def adds(start):
                    print("adding")
                    return plus(start) if "SLIPWAY_JOB" in os.environ else None

                @task(inject_context=True)
                def shows(context):
                    result = context.get_result("adds")
                    print(result, type(result) is Sum)

                start >> adds >> shows
                if "own engine" in sys.argv:
                    engine = WorkflowEngine()
                    engine.register_handler("docker", DockerTaskHandler(image="python:3.11-slim", auto_mount_graflow=False))
                    engine.execute(ExecutionContext.create(flow.graph, "start", max_steps=10))
                else:
                    flow.execute("start")
        """)
    )
    for more in ([], ["own engine"]):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "slipway.integrations.graflow",
                "--map-image",
                "python:3.11-slim",
                str(script),
                "2",
                *more,
            ],
            env=gateway.environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=tmp_path,
        )
        assert (done.returncode, done.stdout) == (0, "adding\nSum(value=42) True\n"), (
            done.stderr
        )


def test_a_worker_of_a_distributed_workflow(on_slipway: SlipwayTaskHandler) -> None:
    server = TcpFakeServer(("127.0.0.1", 0))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        direct, docker = (
            distributed(handler, server.server_address[:2])
            for handler in ("direct", "docker")
        )
    finally:
        server.shutdown()
        server.server_close()
    # What a worker can read of its channel is graflow's affair: the same in both.
    assert docker == {**direct, "job": True}
    assert docker["list"] == ["written"]


def distributed(handler: str, address: Any) -> dict[str, Any]:
    """Let a worker of graflow run one task; return what it saw and wrote."""
    from graflow.core.decorators import task

    host, port = address
    connection = redis.Redis(host=host, port=port, decode_responses=True)
    with workflow(f"distributed {handler}") as flow:

        @task(handler=handler, inject_context=True)
        def works(context: Any) -> dict[str, Any]:
            import os

            context.get_channel().append("list", "written")
            return {
                "word": context.get_channel().get("word"),
                "job": "SLIPWAY_JOB" in os.environ,
            }

        context = ExecutionContext.create(
            flow.graph,
            "works",
            channel_backend="redis",
            config={"host": host, "port": port},
        )
        context.channel.set("word", "from redis")
        queue = DistributedTaskQueue(
            redis_client=connection, key_prefix=f"graflow-{handler}"
        )
        worker = TaskWorker(queue, "worker", max_concurrent_tasks=1, poll_interval=0.02)
        queue.enqueue(TaskSpec(executable=works, execution_context=context))
        worker.start()
        try:
            wait_for(lambda: context.get_result("works"))
        finally:
            worker.stop()
    written = connection.lrange(context.channel._get_key("list"), 0, -1)
    return {
        **context.get_result("works"),
        "list": [json.loads(item) for item in written],
    }


def test_a_channel_in_redis(on_slipway: SlipwayTaskHandler) -> None:
    """The sandbox reads a snapshot: it has no network, no redis package, and no password."""
    from graflow.core.decorators import task

    server = TcpFakeServer(("127.0.0.1", 0))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host, port = server.server_address[:2]
    try:
        with workflow("redis") as flow:

            @task(handler="docker", inject_context=True)
            def works(context: Any) -> list[Any]:
                channel = context.get_channel()
                return [
                    channel.get("word"),
                    channel.atomic_add("count", 2),
                    context.execution_context.config,
                ]

            config = {"host": host, "port": port}
            context = ExecutionContext.create(
                flow.graph, "works", channel_backend="redis", config=config
            )
            context.channel.set("word", "from redis")
            context.channel.atomic_add("count", 40)
            context.execute()
            assert context.get_result("works") == ["from redis", 42, {}]
            assert context.channel.get("count") == 42
    finally:
        server.shutdown()
        server.server_close()
