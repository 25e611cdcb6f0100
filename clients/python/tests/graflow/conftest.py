"""A gateway of the tests' own, and handlers that run on it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("graflow", reason="graflow is not installed")

from graflow_support import Gateway

from slipway import Client, DependencyError
from slipway.integrations.graflow import SlipwayTaskHandler, install, uninstall
from slipway.integrations.graflow.requirements import with_graflow

# The gateway starts process sandboxes with SIGCHLD blocked, for which they wait.
WRAPPER = """#!{python}
import os, signal, sys
signal.pthread_sigmask(signal.SIG_SETMASK, [])
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""


def sweep(docker_host: str, folder: Path) -> None:
    """Remove what the gateway of a folder left in the container engine: pip's caches outlive gateways on purpose."""
    script = Path(__file__).parents[4] / "scripts" / "sweep.py"
    subprocess.run([sys.executable, str(script), docker_host, str(folder)], check=False)


@pytest.fixture(scope="session")
def gateway() -> Iterator[Gateway]:
    """Start a gateway. Sandboxes are containers where their image has this Python, else processes of this Python."""
    binary = os.environ.get("SLIPWAY_TEST_BINARY")
    if not binary:
        pytest.skip("SLIPWAY_TEST_BINARY names no slipway binary")
    docker_host = (
        os.environ.get("SLIPWAY_TEST_DOCKER_HOST")
        if sys.version_info[:2] == (3, 11)
        else None
    )
    # Short, because sockets lie below it.
    with tempfile.TemporaryDirectory(
        prefix="slw-graflow-", dir="/tmp", ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        (folder / "mounted").mkdir()
        (folder / "mounted" / "file.txt").write_text("from the host\n")
        (folder / "mounted").chmod(0o755)
        (folder / "writable").mkdir()
        # Tasks have a user of their own.
        (folder / "writable").chmod(0o777)
        folder.chmod(0o755)
        environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith("SLIPWAY_")
            },
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_DATA_HOME": str(folder / "data"),
            "SLIPWAY_GATEWAY_PORT": "0",
            "SLIPWAY_SANDBOX_MOUNT_ALLOW": f"{folder}/mounted,{folder}/writable",
            "SLIPWAY_SANDBOX_MOUNT_WRITABLE": str(folder / "writable"),
        }
        if docker_host:
            environment["DOCKER_HOST"] = docker_host
        else:
            python = folder / "python"
            python.write_text(WRAPPER.format(python=sys.executable))
            python.chmod(0o755)
            environment.update(
                SLIPWAY_RUNTIME_DEFAULT="process", SLIPWAY_RUNTIME_PYTHON=str(python)
            )
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [binary, "serve"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=folder,
            )
            try:
                assert process.stdout is not None
                line = process.stdout.readline()
                found = re.search(r"http://\S+", line)
                assert found, (
                    f"the gateway said {line!r}; its log: {(folder / 'log').read_text()[-2000:]}"
                )
                process.stdout.readline()
                credentials = json.loads(
                    (folder / "config" / "slipway" / "credentials").read_text()
                )
                yield Gateway(folder, found[0], credentials["key"], docker_host)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)
                if docker_host:
                    sweep(docker_host, folder)


@pytest.fixture(scope="session")
def client(gateway: Gateway) -> Iterator[Client]:
    """Return a connection to the gateway, which has installed graflow by then."""
    with gateway.client() as client:
        # The package index may fail once, and then every test would tell of it.
        view = client.options(requirements=with_graflow(()))
        for attempt in range(3):
            try:
                view.submit_source("def main(): return 1").result()
                break
            except DependencyError:
                if attempt == 2:
                    raise
                # For so long the gateway repeats the answer of a failed installation.
                time.sleep(10)
        yield client


@pytest.fixture
def handler(client: Client) -> SlipwayTaskHandler:
    """Return a handler on the gateway."""
    return SlipwayTaskHandler(client=client)


@pytest.fixture
def on_slipway(client: Client) -> Iterator[SlipwayTaskHandler]:
    """Install a handler for every engine of this process."""
    # The images that workflows name are not on every machine.
    yield install(client=client, images={"python:3.11-slim": None})
    uninstall()


@pytest.fixture(scope="session")
def docker_host(gateway: Gateway) -> str:
    """Return the address of the container engine."""
    if not gateway.docker_host:
        pytest.skip(
            "the sandboxes of this run are processes: no container engine, or no image of this Python"
        )
    return gateway.docker_host
