"""Run graflow's tasks on Slipway.

Either name the handler where the engine is built::

    engine.register_handler("docker", SlipwayTaskHandler(requirements=["numpy==2.1.3"]))

or change nothing in the workflows::

    from slipway.integrations.graflow import install

    install()

or not even that: ``python -m slipway.integrations.graflow workflow.py``.
"""

from __future__ import annotations

from .decorators import configure, task
from .errors import RemoteTaskError, VersionMismatch
from .handler import SlipwayTaskHandler
from .patching import install, installed, uninstall

__all__ = [
    "RemoteTaskError",
    "SlipwayTaskHandler",
    "VersionMismatch",
    "configure",
    "install",
    "installed",
    "task",
    "uninstall",
]
