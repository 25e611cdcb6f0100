"""A real gateway for the tests, started from a built binary."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# The Python of the base image: functions of other versions run as processes of their own interpreter.
_IMAGE_PYTHON = (3, 11)
# The gateway starts process sandboxes with SIGCHLD blocked, for which they wait.
_WRAPPER = """#!{python}
import os, signal, sys
signal.pthread_sigmask(signal.SIG_SETMASK, [])
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""


@dataclass(frozen=True)
class Gateway:
    """A gateway that runs.

    Attributes
    ----------
    url, key
        How to reach it.
    config_home
        The folder to name in ``XDG_CONFIG_HOME``, in which the credentials file is.
    runtime
        ``docker`` or ``process``.
    """

    url: str
    key: str
    config_home: Path
    runtime: str


@contextlib.contextmanager
def running(binary: str, folder: Path) -> Iterator[Gateway]:
    """Run a gateway in a folder of its own, with tasks in containers where that can be.

    Parameters
    ----------
    binary
        The built ``slipway``.
    folder
        An empty folder.
    """
    docker = os.environ.get("SLIPWAY_TEST_DOCKER_HOST")
    if sys.version_info[:2] != _IMAGE_PYTHON:
        docker = None
    python = folder / "python"
    python.write_text(_WRAPPER.format(python=sys.executable))
    python.chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SLIPWAY_")}
    runtime = "docker" if docker else "process"
    environment = {
        **kept,
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "data"),
        "SLIPWAY_GATEWAY_PORT": "0",
        "SLIPWAY_RUNTIME_DEFAULT": runtime,
        "SLIPWAY_RUNTIME_PYTHON": str(python),
        "SLIPWAY_POOLS_DEFAULTS_MAX": "2",
    }
    if docker:
        environment["DOCKER_HOST"] = docker
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [binary, "serve", "--json"],
            env=environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(
                    f"no gateway: {(folder / 'log').read_text()[-2000:]}"
                )
            said = json.loads(line)
            credentials = json.loads(Path(said["credentials"]).read_text())
            home = Path(said["credentials"]).parent.parent
            yield Gateway(said["url"], credentials["key"], home, runtime)
        finally:
            process.terminate()
            process.wait(timeout=60)
            if docker:
                # Pip's caches outlive gateways on purpose.
                script = Path(__file__).parents[3] / "scripts" / "sweep.py"
                subprocess.run(
                    [sys.executable, str(script), docker, str(folder)], check=False
                )
