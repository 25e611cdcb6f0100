"""A gateway that runs tasks with the interpreter of the tests, or in containers with one of the same version."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import slipway

BINARY = os.environ.get("SLIPWAY_TEST_BINARY")
# The gateway starts its process sandboxes with signals blocked, SIGCHLD among them, and they wait for that one.
WRAPPER = """#!{python}
import os, signal, sys
signal.pthread_sigmask(signal.SIG_SETMASK, [])
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""


@contextlib.contextmanager
def local_client(containers: bool = False) -> Iterator[slipway.Client]:
    """Start a gateway and give a client of it.

    Parameters
    ----------
    containers
        Use containers instead of the process runtime where there are any for this version of Python.
    """
    assert BINARY is not None
    docker = os.environ.get("SLIPWAY_TEST_DOCKER_HOST") if containers else None
    if sys.version_info[:2] != (3, 11):
        # The base image's.
        docker = None
    with tempfile.TemporaryDirectory(prefix="slw") as name:
        folder = Path(name)
        wrapper = folder / "python"
        wrapper.write_text(WRAPPER.format(python=sys.executable))
        wrapper.chmod(0o755)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("SLIPWAY_")}
        if docker:
            kept["DOCKER_HOST"] = docker
        environment = {
            **kept,
            "HOME": name,
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_DATA_HOME": str(folder / "data"),
            "SLIPWAY_GATEWAY_PORT": "0",
            "SLIPWAY_RUNTIME_DEFAULT": "docker" if docker else "process",
            "SLIPWAY_RUNTIME_PYTHON": str(wrapper),
            "SLIPWAY_POOLS_DEFAULTS_MAX": "6",
        }
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [BINARY, "serve", "--json"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, (folder / "log").read_text()[-2000:]
            said = json.loads(line)
            key = json.loads(Path(said["credentials"]).read_text())["key"]
            with slipway.Client(said["url"], key) as client:
                yield client
        finally:
            process.terminate()
            process.wait(timeout=60)
            if docker:
                # Pip's caches outlive gateways on purpose.
                script = Path(__file__).parents[3] / "scripts" / "sweep.py"
                subprocess.run([sys.executable, str(script), docker, name], check=False)
