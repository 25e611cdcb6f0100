"""Checks of what the host sends: every field's type and range, nothing assumed."""

from __future__ import annotations

import math
import re
from typing import Any, Dict, List, Optional, Tuple

from .frames import Violation

Key = Tuple[str, int, str]

MAX_BYTES = 1 << 36
_NONCE = re.compile("[0-9a-f]{32}").fullmatch
_PYTHON = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}").fullmatch
_KINDS = ("callable", "source", "command")
_ENCODINGS = ("identity", "zlib")
OUTPUT_LIMITS = ("files", "file_bytes", "bytes")
RLIMITS = ("nofile", "nproc", "core", "fsize")


def text(header: Dict[str, Any], name: str, limit: int = 4096) -> str:
    """Return a string field without NUL, at most `limit` characters."""
    value = header.get(name)
    if type(value) is not str or len(value) > limit or not _is_plain(value):
        raise Violation("%s is not a string of at most %d characters" % (name, limit))
    return value


def _is_plain(value: str) -> bool:
    """Whether the kernel and the zygote can be told: no NUL, no half characters."""
    if "\0" in value:
        return False
    try:
        value.isascii() or value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def integer(
    header: Dict[str, Any],
    name: str,
    low: int,
    high: int,
    default: Optional[int] = None,
) -> int:
    """Return an integer field between `low` and `high`."""
    value = header.get(name, default)
    if type(value) is not int or not low <= value <= high:
        raise Violation("%s is not an integer from %d to %d" % (name, low, high))
    return value


def seconds(header: Dict[str, Any], name: str) -> Optional[float]:
    """Return a duration field, or None where it is null or absent."""
    value = header.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise Violation("%s is not a duration in seconds" % name)
    return float(min(value, 1e9))


def environment(header: Dict[str, Any], name: str) -> Dict[str, str]:
    """Return a field that maps environment names to values."""
    value = header.get(name, {})
    if type(value) is not dict:
        raise Violation("%s is not an object" % name)
    for key, item in value.items():
        if type(item) is not str or not key or "=" in key or not _is_plain(key + item):
            raise Violation("%s has an entry that no environment can hold" % name)
    return value


def strings(header: Dict[str, Any], name: str) -> List[str]:
    """Return a field that is a list of strings without NUL."""
    value = header.get(name, [])
    if type(value) is not list:
        raise Violation("%s is not an array" % name)
    for item in value:
        if type(item) is not str or not item or not _is_plain(item):
            raise Violation("%s holds something that is not a string" % name)
    return value


def key(header: Dict[str, Any]) -> Key:
    """Return the job, attempt and nonce that every task frame names."""
    job = text(header, "job", 128)
    attempt = integer(header, "attempt", 1, 1 << 31)
    nonce = header.get("nonce")
    if not job or type(nonce) is not str or not _NONCE(nonce):
        raise Violation("job or nonce is malformed")
    return job, attempt, nonce


def keys(header: Dict[str, Any], name: str) -> List[Key]:
    """Return a list of job, attempt and nonce."""
    value = header.get(name, [])
    if type(value) is not list:
        raise Violation("%s is not an array" % name)
    found = []
    for item in value:
        if type(item) is not dict:
            raise Violation("%s holds something that is not an object" % name)
        found.append(key(item))
    return found


def cancel(header: Dict[str, Any]) -> Tuple[Key, str]:
    """Return whom CANCEL names, and why: the outcome that RESULT will have."""
    reason = header.get("reason", "cancelled")
    if reason not in ("cancelled", "timeout"):
        raise Violation("reason is neither cancelled nor timeout")
    return key(header), reason


def rlimits(header: Dict[str, Any]) -> Dict[str, int]:
    """Return the resource limits of a task, by their lower-case names."""
    value = header.get("rlimits", {})
    if type(value) is not dict:
        raise Violation("rlimits is not an object")
    found = {}
    for name in value:
        if name not in RLIMITS:
            raise Violation("rlimits has an unknown name")
        if value[name] is not None:
            found[name] = integer(value, name, 0, MAX_BYTES)
    return found


def start(header: Dict[str, Any], slots: int) -> Dict[str, Any]:
    """Return the checked fields of START."""
    kind = header.get("kind")
    encoding = header.get("encoding")
    python = header.get("python")
    if kind not in _KINDS or type(kind) is not str:
        raise Violation("kind is not one of %s" % ", ".join(_KINDS))
    if encoding not in _ENCODINGS or type(encoding) is not str:
        raise Violation("encoding is not one of %s" % ", ".join(_ENCODINGS))
    if python is not None and (type(python) is not str or not _PYTHON(python)):
        raise Violation("python is not a version such as 3.11")
    if header.get("name") is not None:
        text(header, "name")
    return {
        "slot": integer(header, "slot", 0, slots - 1, 0),
        "kind": kind,
        "encoding": encoding,
        "python": python,
        "timeout": seconds(header, "timeout"),
        "env": environment(header, "env"),
        "size": integer(header, "size", 0, MAX_BYTES),
        "inflated": integer(header, "inflated", 0, MAX_BYTES),
        "result_limit": integer(header, "result_limit", 0, MAX_BYTES),
        "log_limit": integer(header, "log_limit", 0, MAX_BYTES),
        "rlimits": rlimits(header),
    }


def outputs(header: Dict[str, Any]) -> Optional[Dict[str, int]]:
    """Return the limits of what tasks may leave behind; None where nothing is kept."""
    value = header.get("outputs")
    if value is None:
        return None
    if type(value) is not dict:
        raise Violation("outputs is not an object")
    limits = {name: integer(value, name, 0, MAX_BYTES) for name in OUTPUT_LIMITS}
    limits["milliseconds"] = integer(value, "milliseconds", 1, 86400000, 20000)
    return limits


def configure(header: Dict[str, Any]) -> Dict[str, Any]:
    """Return the checked fields of CONFIGURE."""
    gid = header.get("gid")
    if gid is not None:
        gid = integer(header, "gid", 1, (1 << 32) - 2)
    path = strings(header, "path")
    if any(":" in item or not item.startswith("/") for item in path):
        raise Violation("path holds something that is not an absolute folder")
    ahead = header.get("ahead", False)
    if type(ahead) is not bool:
        raise Violation("ahead is not true or false")
    return {
        "key": text(header, "key"),
        "ahead": ahead,
        "gid": gid,
        "path": path,
        "preload": strings(header, "preload"),
        "env": environment(header, "env"),
        "outputs": outputs(header),
    }
