"""What was installed: names, exact versions, and the hashes that the installer told."""

from __future__ import annotations

import json
import os
import re
import stat
from typing import Any

_REPORT_BYTES = 32 << 20
_HASH = re.compile(r"(sha256|sha384|sha512)[:=]([0-9a-f]{64,128})")


def normalised(name: str) -> str:
    """Return a package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def packages(versions: dict[str, str], reports: list[str]) -> list[dict[str, Any]]:
    """Describe every installed package.

    Parameters
    ----------
    versions
        Names and versions as they lie in the folder.
    reports
        Files that pip wrote; those that are not there are left out.
    """
    known: dict[tuple[str, str], list[str]] = {}
    for path in reports:
        for name, version, hashes in _read(path):
            known[(normalised(name), version)] = hashes
    return [
        {"name": name, "version": version, "hashes": known.get((name, version), [])}
        for name, version in sorted(versions.items())
    ]


def _read(path: str) -> list[tuple[str, str, list[str]]]:
    """Read a report; packages' own code could have written anything there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _REPORT_BYTES:
                return []
            report = json.loads(file.read(_REPORT_BYTES))
        return [_item(item) for item in report["install"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _item(item: dict[str, Any]) -> tuple[str, str, list[str]]:
    name, version = item["metadata"]["name"], item["metadata"]["version"]
    archive = item["download_info"].get("archive_info", {})
    told = [f"{kind}:{digits}" for kind, digits in archive.get("hashes", {}).items()]
    if not told and "hash" in archive:
        told = [archive["hash"]]
    matches = [_HASH.fullmatch(str(text)) for text in told]
    return (
        str(name),
        str(version),
        [f"{found[1]}:{found[2]}" for found in matches if found],
    )
