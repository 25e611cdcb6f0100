"""Measure what requirements cost: installing them, starting with them, and running with them warm.

Everything runs on one plain image, in one run. Beside it, unless left out, graflow's DockerTaskHandler on the same
image: it installs what it needs into each container anew::

    pip install ./clients/python[graflow] docker
    python Benchmarks/environments/measure.py --binary .build/release/slipway --report Benchmarks/environments/report.md

Installing needs the package index. Gateways are started with folders of their own, and their caches are removed.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import io
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "graflow"))

from gateway import running

STEM_TARGET_MS = 50
CODE = "def main():\n    import numpy\n    return int(numpy.arange(10).sum())"
PLAIN = "def main():\n    return 45"
GRAFLOW_SETTINGS = {"PIP_BREAK_SYSTEM_PACKAGES": "1", "PIP_ROOT_USER_ACTION": "ignore"}


class Gateway:
    """One gateway over one kept connection.

    Parameters
    ----------
    url
        Its address.
    key
        A key for it.
    """

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=900
        )
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
        }

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request; return the JSON of its answer."""
        text = None if body is None else json.dumps(body)
        self._connection.request(method, path, text, self._headers)
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answer}")
        return answer

    def run(self, code: str, requirements: list[str]) -> tuple[float, dict[str, Any]]:
        """Run a job; return the seconds from submit to result, and the job."""
        body: dict[str, Any] = {"task": {"type": "source", "code": code}}
        if requirements:
            body["requirements"] = requirements
        began = time.perf_counter()
        job = self.call("POST", "/v1/jobs?wait=60", body)
        while job["state"] not in ("completed", "error", "cancelled"):
            job = self.call("GET", f"/v1/jobs/{job['id']}?wait=60")
        seconds = time.perf_counter() - began
        if job["state"] != "completed" or job["result"]["value"] != 45:
            raise RuntimeError(f"the job ended as {job}")
        return seconds, job

    def install(self, requirements: list[str]) -> float:
        """Install an environment; return the seconds that its build took."""
        made = self.call(
            "POST", "/v1/environments?wait=60", {"requirements": requirements}
        )
        while made["state"] == "building":
            time.sleep(0.2)
            made = self.call("GET", f"/v1/environments/{made['key']}")
        if made["state"] != "ready":
            raise RuntimeError(f"the environment is {made}")
        return float(made["build_seconds"])

    def await_stem(self) -> None:
        """Wait until a sandbox that nobody has used is idle."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            pools = self.call("GET", "/v1/pools")["pools"]
            if any(
                pool["stem"] > 0 and pool["starting"] == 0 and pool["destroying"] == 0
                for pool in pools
            ):
                # What was begun before has to be over, or it would be measured too.
                time.sleep(0.2)
                return
            time.sleep(0.05)
        raise RuntimeError("no sandbox became ready within a minute")


@contextlib.contextmanager
def gateway(
    options: argparse.Namespace, engine: docker.DockerClient, **settings: str
) -> Iterator[Gateway]:
    """Start a gateway with settings of its own, and remove its caches after."""
    variables = {f"SLIPWAY_{name.upper()}": value for name, value in settings.items()}
    variables["SLIPWAY_SANDBOX_IMAGE"] = options.image
    with tempfile.TemporaryDirectory(
        prefix="slw-data-", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:
        variables["SLIPWAY_DATA_DIRECTORY"] = folder
        try:
            with running(options.binary, options.docker_host, variables) as found:
                yield Gateway(*found)
        finally:
            # Only this gateway's: another engine may work on the same machine.
            label = f"slipway.engine={engine_id(folder)}"
            for volume in engine.volumes.list(filters={"label": label}):
                volume.remove(force=True)


def engine_id(folder: str) -> str:
    """Return what names the engine of a data folder."""
    with contextlib.closing(sqlite3.connect(f"{folder}/jobs.sqlite")) as store:
        query = "SELECT value FROM meta WHERE key = 'engine_id'"
        return str(store.execute(query).fetchone()[0])


def first_jobs(
    options: argparse.Namespace, engine: docker.DockerClient
) -> dict[str, list[float]]:
    """Run the first job ever of new gateways, and build again with what their caches keep."""
    seconds: dict[str, list[float]] = {
        "first job ever": [],
        "build, cold cache": [],
        "build, warm cache": [],
    }
    for _ in range(options.builds):
        with gateway(options, engine) as own:
            own.await_stem()
            took, _job = own.run(CODE, [options.requirement])
            seconds["first job ever"].append(took)
            built = own.call("GET", "/v1/environments")["environments"]
            seconds["build, cold cache"].append(built[0]["build_seconds"])
            # Another set with the same downloads: its key is new, so it is built.
            again = own.install([options.requirement, "cloudpickle>=3"])
            seconds["build, warm cache"].append(again)
    return seconds


def from_stems(
    options: argparse.Namespace, engine: docker.DockerClient
) -> dict[str, list[float]]:
    """Run jobs that each take a sandbox nobody has used, with and without an environment."""
    kinds = [
        ("stem, with it", PLAIN, [options.requirement]),
        ("stem, with it and its import", CODE, [options.requirement]),
        ("stem, without", PLAIN, []),
    ]
    seconds: dict[str, list[float]] = {name: [] for name, _, _ in kinds}
    with gateway(options, engine, pools_defaults_max_uses="1") as own:
        own.install([options.requirement])
        for number in range(options.stems + 1):
            for name, code, wanted in kinds:
                own.await_stem()
                took, job = own.run(code, wanted)
                if job["start"] != "stem":
                    continue
                # The first of each compiles what later ones find.
                if number > 0:
                    seconds[name].append(took)
    return seconds


def warm(
    options: argparse.Namespace, engine: docker.DockerClient
) -> dict[str, list[float]]:
    """Run the same plain task in warm sandboxes, with an environment and without, in turns."""
    seconds: dict[str, list[float]] = {"warm, with it": [], "warm, without": []}
    with gateway(options, engine) as own:
        own.install([options.requirement])
        for number in range(options.rounds + 20):
            kinds = [
                ("warm, with it", [options.requirement]),
                ("warm, without", []),
            ]
            # Each comes after the other one equally often.
            for name, wanted in kinds if number % 2 else kinds[::-1]:
                took, job = own.run(PLAIN, wanted)
                if number >= 20 and job["start"] == "warm":
                    seconds[name].append(took)
    return seconds


def peer(options: argparse.Namespace, engine: docker.DockerClient) -> list[float]:
    """Run a graflow task on the same image in graflow's own handler, which installs what it needs each time."""
    from graflow.core.context import ExecutionContext
    from graflow.core.decorators import task
    from graflow.core.engine import WorkflowEngine
    from graflow.core.handlers.docker import DockerTaskHandler
    from graflow.core.workflow import workflow

    settings, volumes = dict(GRAFLOW_SETTINGS), {}
    # Where a proxy signs for the package index, its certificate is in the host's bundle.
    bundle = os.environ.get("SSL_CERT_FILE")
    if bundle:
        settings["PIP_CERT"] = "/tmp/ca.crt"
        volumes[bundle] = {"bind": "/tmp/ca.crt", "mode": "ro"}
    with workflow("benchmark") as flow:

        @task(handler="docker")
        def adds(left: int, right: int) -> int:
            return left + right

    workflow_engine = WorkflowEngine()
    workflow_engine.register_handler(
        "docker",
        DockerTaskHandler(
            with_python(options.image, engine),
            environment=settings,
            volumes=volumes,
            auto_mount_graflow=False,
        ),
    )
    seconds = []
    for _ in range(options.peer_runs):
        context = ExecutionContext.create(flow.graph, "adds")
        context.channel.set("left", 40)
        context.channel.set("right", 2)
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            result = workflow_engine.execute(context)
        seconds.append(time.perf_counter() - began)
        if result != 42:
            raise RuntimeError(f"the result is {result!r}")
    return seconds


def with_python(image: str, engine: docker.DockerClient) -> str:
    """Return the image with a program named python, which graflow's handler calls."""
    name = "slipway-benchmark-plain:1"
    container = engine.containers.create(
        image,
        command=[
            "sh",
            "-c",
            "command -v python || ln -s $(command -v python3) /usr/local/bin/python",
        ],
        user="0",
    )
    try:
        container.start()
        container.wait()
        container.commit(*name.split(":"), changes='CMD ["python3"]')
    finally:
        container.remove(force=True)
    return name


def report(
    seconds: dict[str, list[float]],
    engine: docker.DockerClient,
    options: argparse.Namespace,
) -> str:
    """Return what was measured, as Markdown."""
    lines = [
        f"# What `{options.requirement}` costs",
        "",
        (
            f"CPython {platform.python_version()} as client, Docker {engine.version()['Version']}, "
            f"{platform.machine()}, {os.cpu_count()} processors, Linux {platform.release().split('-')[0]}, "
            f"image {options.image}. Seconds from submit to result over REST, builds without their jobs."
        ),
        "",
        "| | runs | min (ms) | p50 (ms) | max (ms) |",
        "|---|---|---|---|---|",
    ]
    for name, values in seconds.items():
        if not values:
            lines.append(f"| {name} | 0 | | | |")
            continue
        figures = " | ".join(
            f"{value * 1000:.2f}"
            for value in (min(values), statistics.median(values), max(values))
        )
        lines.append(f"| {name} | {len(values)} | {figures} |")
    lines.append("")
    stem = seconds.get("stem, with it")
    if stem:
        median = statistics.median(stem) * 1000
        verdict = "met" if median <= STEM_TARGET_MS else "missed"
        lines.append(
            f"From an idle sandbox that nobody has used, with the environment there: {median:.1f} ms in the median, "
            f"target {STEM_TARGET_MS} ms {verdict}."
        )
    pair = seconds.get("warm, with it"), seconds.get("warm, without")
    if pair[0] and pair[1]:
        difference = (statistics.median(pair[0]) - statistics.median(pair[1])) * 1000
        quartiles = statistics.quantiles(pair[1], n=4)
        spread = (quartiles[2] - quartiles[0]) * 1000
        lines.append(
            f"Warm, requirements add {difference:+.3f} ms to the median; the middle half of the runs without any lies "
            f"within {spread:.3f} ms."
        )
    if seconds.get("graflow DockerTaskHandler"):
        lines.append(
            "graflow's handler adds two numbers, and installs graflow and cloudpickle, not the requirement, in every run."
        )
    return "\n".join([*lines, ""])


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
    parser.add_argument("--image", default="slipway/python:3.11", help="a plain image")
    parser.add_argument(
        "--requirement", default="numpy==2.1.3", help="some version of numpy"
    )
    parser.add_argument("--builds", type=int, default=3, help="gateways of their own")
    parser.add_argument("--stems", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=500, help="of warm jobs")
    parser.add_argument("--peer-runs", type=int, default=3, help="0 leaves graflow out")
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    os.environ["DOCKER_HOST"] = options.docker_host
    engine = docker.DockerClient(base_url=options.docker_host)
    seconds = first_jobs(options, engine)
    seconds.update(from_stems(options, engine))
    seconds.update(warm(options, engine))
    if options.peer_runs:
        seconds["graflow DockerTaskHandler"] = peer(options, engine)
    text = report(seconds, engine, options)
    print(text)
    if options.report:
        options.report.write_text(text)


if __name__ == "__main__":
    main()
