"""What the tests of the graflow integration share."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway import Client

IMAGE = "slipway/python:3.11"


@dataclass(frozen=True)
class Gateway:
    """A running gateway: its folder, address, and how its sandboxes run."""

    folder: Path
    url: str
    key: str
    docker_host: str | None

    def client(self, **keywords: Any) -> Client:
        """Return a new connection to it."""
        return Client(self.url, self.key, **keywords)

    def environment(self) -> dict[str, str]:
        """Return the variables with which another process reaches it."""
        return {**os.environ, "SLIPWAY_URL": self.url, "SLIPWAY_KEY": self.key}


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
