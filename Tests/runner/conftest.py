"""Sandboxes for the tests: in containers where an engine answers, and as processes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Iterator

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


@pytest.fixture(params=["process", "container"])
def waiting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A sandbox that is configured for nobody, with a folder of modules."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    if request.param == "container":
        request.getfixturevalue("docker")
        binds = ["%s:/opt/modules:ro" % tmp_path]
        with engine.container_sandbox(ready=False, binds=binds) as host:
            yield host, tmp_path, "/opt/modules"
    else:
        with process_sandbox(ready=False) as host:
            yield host, tmp_path, str(tmp_path)
