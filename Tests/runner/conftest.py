"""Sandboxes for the tests: in containers where an engine answers, and as processes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterator

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import engine
from harness import Host, process_sandbox


def _needs_engine() -> None:
    if not engine.reachable():
        pytest.skip("no container engine answers (SLIPWAY_TEST_DOCKER_HOST)")


@pytest.fixture(scope="session")
def docker() -> None:
    """Skip where no engine is reachable."""
    _needs_engine()


@pytest.fixture(scope="module")
def container(docker: None) -> Iterator[Host]:
    """One hardened container that the tests of a module share."""
    with engine.container_sandbox() as host:
        yield host


@pytest.fixture(scope="module", params=["process", "container"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Host]:
    """Either kind of sandbox, shared by the tests of a module."""
    if request.param == "process":
        with process_sandbox() as host:
            yield host
    else:
        _needs_engine()
        with engine.container_sandbox() as host:
            yield host
