"""What installed files must match: this Python and its C library."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
import sysconfig
from typing import Any


def describe() -> dict[str, Any]:
    """Name the interpreter's version, ABI and C library."""
    return {
        "executable": sys.executable,
        "version": platform.python_version(),
        "abi": _abi(),
        "libc": _libc(),
        "pip": importlib.util.find_spec("pip") is not None,
        "cloudpickle": importlib.util.find_spec("cloudpickle") is not None,
    }


def mismatch(own: dict[str, Any], expected: dict[str, Any]) -> str | None:
    """Say why files installed by ``own`` do not run on ``expected``."""
    if own["abi"] != expected["abi"]:
        return f"its Python is {own['abi']}, that of the job is {expected['abi']}"
    kind, version = _split(own["libc"])
    other_kind, other_version = _split(expected["libc"])
    if kind != other_kind or version > other_version:
        return f"its C library is {own['libc']}, that of the job is {expected['libc']}"
    return None


def _abi() -> str:
    suffix = sysconfig.get_config_var("SOABI")
    if suffix:
        return str(suffix)
    major, minor = sys.version_info[:2]
    return f"{sys.implementation.name}-{major}{minor}-{platform.machine()}"


def _libc() -> str:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").strip() or "other"
    except (AttributeError, ValueError, OSError):
        return "other"


def _split(libc: str) -> tuple[str, tuple[int, ...]]:
    kind, _, version = libc.partition(" ")
    return kind, tuple(int(part) for part in version.split(".") if part.isdigit())
