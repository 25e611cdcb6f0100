"""What has to be in a sandbox for graflow's tasks."""

from __future__ import annotations

import functools
import importlib.metadata
import re
from collections.abc import Iterable
from pathlib import Path

import cloudpickle
import graflow

from .payload import graflow_version

# Where a source tree of graflow is mounted; DockerTaskHandler uses the same place.
GRAFLOW_SOURCE = "/graflow_src"


@functools.cache
def graflow_source() -> str:
    """Return the folder of graflow's source tree, or nothing when an installed package is imported."""
    folder = Path(str(graflow.__file__)).parent.parent
    is_source = (folder / ".git").exists() or (folder / "pyproject.toml").exists()
    return str(folder) if is_source else ""


def with_graflow(requirements: Iterable[str], source: str = "") -> list[str]:
    """Return requirements together with the caller's versions of graflow and cloudpickle.

    Parameters
    ----------
    requirements
        Those of the task; what they say of the two packages holds.
    source
        The source tree that is mounted; then only what graflow itself requires is installed.
    """
    own = list(requirements)
    names = {_name(line) for line in own}
    if source:
        added = [
            line
            for line in importlib.metadata.requires("graflow") or ()
            if "extra ==" not in line
        ]
    else:
        added = [f"graflow=={graflow_version()}"]
    added = [
        f"cloudpickle=={cloudpickle.__version__}",
        *(line for line in added if _name(line) != "cloudpickle"),
    ]
    return [*(line for line in added if _name(line) not in names), *own]


def _name(requirement: str) -> str:
    match = re.match(r"\s*([A-Za-z0-9._-]+)", requirement)
    return re.sub(r"[-_.]+", "-", match[1]).lower() if match else ""
