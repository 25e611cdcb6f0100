"""Measure one graflow task: on Slipway, in graflow's DockerTaskHandler, and the same code in llm-sandbox's pool.

All three run on one image, in turns within one run, so that whatever else the machine does touches them alike::

    pip install ./clients/python[graflow] docker 'llm-sandbox[docker]==0.3.46'
    python Benchmarks/graflow/compare.py --binary .build/release/slipway --report Benchmarks/graflow/report.md
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import io
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import docker
import graflow
from gateway import running
from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.engine import WorkflowEngine
from graflow.core.handler import TaskHandler
from graflow.core.handlers.docker import DockerTaskHandler
from graflow.core.workflow import workflow
from image import make_image
from llm_sandbox.const import SandboxBackend, SupportedLanguage
from llm_sandbox.pool import PoolConfig, PooledSandboxSession, create_pool_manager

from slipway import Client
from slipway.integrations.graflow import SlipwayTaskHandler

SLIPWAY, GRAFLOW, LLM_SANDBOX = (
    "Slipway",
    "graflow DockerTaskHandler",
    "llm-sandbox pool",
)
# How much faster the median is to be.
TARGETS = {GRAFLOW: 100, LLM_SANDBOX: 50}

Call = Callable[[], None]


def main() -> None:
    """Measure, print the table, and write it where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--binary", required=True, help="the slipway binary, a release build"
    )
    parser.add_argument(
        "--docker-host",
        default=os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"),
    )
    parser.add_argument("--image", default="slipway/python:3.11", help="the base image")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument(
        "--slipway-runs", type=int, default=4, help="runs of Slipway in each round"
    )
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    os.environ["DOCKER_HOST"] = options.docker_host
    engine = docker.DockerClient(base_url=options.docker_host)
    image = make_image(
        engine, options.image, graflow.__version__, cloudpickle.__version__
    )
    with contextlib.ExitStack() as stack:
        url, key = stack.enter_context(running(options.binary, options.docker_host))
        client = stack.enter_context(Client(url, key))
        calls = {
            SLIPWAY: graflow_call(
                SlipwayTaskHandler(image, client=client, provide_graflow=False)
            ),
            GRAFLOW: graflow_call(DockerTaskHandler(image, auto_mount_graflow=False)),
            LLM_SANDBOX: stack.enter_context(pooled(engine, image)),
        }
        seconds = measure(calls, options.rounds, options.slipway_runs)
    text = report(seconds, engine, options)
    print(text)
    if options.report:
        options.report.write_text(text)


def graflow_call(handler: TaskHandler) -> Call:
    """Return a call that runs a workflow of one task on a handler."""
    with workflow("benchmark") as flow:

        @task(handler="docker")
        def adds(left: int, right: int) -> int:
            return left + right

    workflow_engine = WorkflowEngine()
    workflow_engine.register_handler("docker", handler)

    def call() -> None:
        context = ExecutionContext.create(flow.graph, "adds")
        context.channel.set("left", 40)
        context.channel.set("right", 2)
        # graflow's handler prints what it does.
        with contextlib.redirect_stdout(io.StringIO()):
            result = workflow_engine.execute(context)
        if result != 42:
            raise RuntimeError(f"the result is {result!r}")

    return call


@contextlib.contextmanager
def pooled(engine: docker.DockerClient, image: str) -> Iterator[Call]:
    """Yield a call that takes a warm container of llm-sandbox, runs code in it, and gives it back."""
    pool = create_pool_manager(
        client=engine,
        backend=SandboxBackend.DOCKER,
        config=PoolConfig(max_pool_size=2, min_pool_size=2),
        lang=SupportedLanguage.PYTHON,
        image=image,
    )

    def call() -> None:
        with PooledSandboxSession(pool_manager=pool) as session:
            result: Any = session.run("left, right = 40, 2\nprint(left + right)")
        if result.stdout.strip() != "42":
            raise RuntimeError(f"the output is {result.stdout!r} {result.stderr!r}")

    try:
        yield call
    finally:
        pool.close()


def measure(
    calls: dict[str, Call], rounds: int, slipway_runs: int
) -> dict[str, list[float]]:
    """Return the seconds of each call; some of each go ahead and do not count.

    Calls in a row use a second sandbox while the first is proved clean, so one would not do.
    """
    for call in calls.values():
        for _ in range(5):
            call()
    names = list(calls)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        # Each comes after each other one equally often.
        for name in names[number % len(names) :] + names[: number % len(names)]:
            for _ in range(slipway_runs if name == SLIPWAY else 1):
                began = time.perf_counter()
                calls[name]()
                seconds[name].append(time.perf_counter() - began)
    return seconds


def percentile(values: list[float], share: float) -> float:
    """Return the value below which a share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def report(
    seconds: dict[str, list[float]],
    engine: docker.DockerClient,
    options: argparse.Namespace,
) -> str:
    """Return what was measured, as Markdown."""
    median = {name: statistics.median(values) for name, values in seconds.items()}
    lines = [
        "# One graflow task",
        "",
        (
            f"graflow {graflow.__version__}, llm-sandbox {importlib.metadata.version('llm-sandbox')}, "
            f"CPython {platform.python_version()}, Docker {engine.version()['Version']}, "
            f"{platform.machine()}, {os.cpu_count()} processors, Linux {platform.release().split('-')[0]}."
        ),
        "",
        (
            "The task adds two numbers. All three run on one image that holds graflow and cloudpickle, in turns within "
            f"one run: {options.rounds} rounds, {options.slipway_runs} runs of Slipway in each. "
            "Slipway goes over REST, with the gateway's shipped settings. llm-sandbox runs the addition as a script: "
            "it unpickles nothing and knows no workflow."
        ),
        "",
        "| | runs | min (ms) | p50 (ms) | p99 (ms) | p50 / Slipway's | target |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, values in seconds.items():
        ratio = median[name] / median[SLIPWAY]
        target = (
            f"{TARGETS[name]}: {'met' if ratio >= TARGETS[name] else 'missed'}"
            if name in TARGETS
            else ""
        )
        figures = " | ".join(
            f"{value * 1000:.2f}"
            for value in (min(values), median[name], percentile(values, 0.99))
        )
        lines.append(f"| {name} | {len(values)} | {figures} | {ratio:.1f} | {target} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
