"""Start a gateway for one measurement."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def running(
    binary: str, docker_host: str, settings: dict[str, str] | None = None
) -> Iterator[tuple[str, str]]:
    """Start a gateway with the shipped settings and a data folder of its own; yield its address and key.

    Parameters
    ----------
    binary
        The slipway binary.
    docker_host
        The container engine.
    settings
        Variables ``SLIPWAY_SECTION_KEY`` that change the shipped settings.
    """
    # Short, because sockets lie below it.
    with tempfile.TemporaryDirectory(
        prefix="slw-bench-", dir="/tmp", ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        environment = {
            **{
                key: value
                for key, value in os.environ.items()
                if not key.startswith("SLIPWAY_")
            },
            "DOCKER_HOST": docker_host,
            "XDG_CONFIG_HOME": str(folder / "c"),
            "XDG_DATA_HOME": str(folder / "d"),
            **(settings or {}),
        }
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [str(Path(binary).resolve()), "serve", "--port", "0"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=folder,
            )
            try:
                assert process.stdout is not None
                found = re.search(r"http://\S+", process.stdout.readline())
                if found is None:
                    raise RuntimeError(
                        f"the gateway did not start: {(folder / 'log').read_text()[-2000:]}"
                    )
                process.stdout.readline()
                key = json.loads(
                    (folder / "c" / "slipway" / "credentials").read_text()
                )["key"]
                yield found[0], key
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)
