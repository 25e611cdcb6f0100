"""What several tests need."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import slipway

sys.path.insert(0, str(Path(__file__).resolve().parent))

from gateway import Gateway, running
from scripted import KEY, Answer, Asked, Scripted


@pytest.fixture(autouse=True)
def _own_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Keep the caller's own gateway out of the tests."""
    for name in ("SLIPWAY_URL", "SLIPWAY_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Asked], Answer]], Scripted]]:
    """Start scripted servers."""
    with ExitStack() as stack:
        yield lambda script: stack.enter_context(Scripted(script))


@pytest.fixture
def connect() -> Iterator[Callable[..., slipway.Client]]:
    """Make clients of scripted servers."""
    with ExitStack() as stack:

        def make(server: Scripted, **more: object) -> slipway.Client:
            more = {"retry_seconds": 5, **more}
            client = slipway.Client(server.url, KEY, **more)  # type: ignore[arg-type]
            return stack.enter_context(client)

        yield make


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A real gateway; skipped only where no binary is given."""
    binary = os.environ.get("SLIPWAY_TEST_BINARY")
    if not binary:
        pytest.skip("no gateway: SLIPWAY_TEST_BINARY names no binary")
    # Sockets have short paths.
    with running(binary, tmp_path_factory.mktemp("gw")) as started:
        yield started


@pytest.fixture
def client(gateway: Gateway) -> Iterator[slipway.Client]:
    """A client of the real gateway."""
    with slipway.Client(gateway.url, gateway.key) as made:
        yield made


@pytest.fixture
def containers(gateway: Gateway) -> None:
    """Skip what only containers do, where there is no engine, or no image of this Python."""
    if gateway.runtime != "docker":
        pytest.skip(
            "no containers: no SLIPWAY_TEST_DOCKER_HOST, or not the image's Python"
        )
