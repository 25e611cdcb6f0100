"""Reads from the own words of pip or uv why an installation failed."""

from __future__ import annotations

import re

# The first that matches names the failure; the group, if any, the culprit.
_SIGNS: list[tuple[str, re.Pattern[str]]] = [
    (
        "hash",
        re.compile(
            r"DO NOT MATCH THE HASHES|Hashes are required|--require-hashes|Hash mismatch for"
        ),
    ),
    (
        "certificate",
        re.compile(
            r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|invalid peer certificate"
        ),
    ),
    (
        "offline",
        re.compile(
            r"NewConnectionError|ConnectTimeoutError|Temporary failure in name resolution"
            r"|Name or service not known|Network is unreachable|ProxyError|ReadTimeoutError"
            r"|error sending request for url|tcp connect error|dns error"
        ),
    ),
    ("disk", re.compile(r"No space left on device|Disk quota exceeded")),
    ("conflict", re.compile(r"ResolutionImpossible|conflicting dependencies")),
    ("python", re.compile(r"requires a different Python: (.+)")),
    ("missing", re.compile(r"No matching distribution found for ([^\n(]+)")),
    ("missing", re.compile(r"there (?:is|are) no versions? of ([^\s,]+)")),
    ("missing", re.compile(r"Because ([^\s,]+) was not found in ")),
    ("missing", re.compile(r"Because ([^\s,]+) needs to be downloaded from ")),
    ("python", re.compile(r"Python version \([^)]*\) does not satisfy ([^\s,]+)")),
    ("conflict", re.compile(r"No solution found when resolving")),
    ("invalid", re.compile(r"Invalid requirement: '?([^\n']+)")),
    (
        "compile",
        re.compile(
            r"Failed (?:building wheel for|to build) `?([^\n`]+)|subprocess-exited-with-error"
            r"|error: command .* failed|metadata-generation-failed"
        ),
    ),
]
_NOISE = re.compile(
    r"^\s*$|^\[notice\]|^Using CPython |^WARNING: (?:There was an error checking|Retrying \()"
    r"|^\s*(?:Collecting|Downloading|Using cached|Looking in|Requirement already) "
)


def judge(text: str) -> dict[str, str]:
    """Name the kind of failure and, where pip tells it, the requirement."""
    for kind, sign in _SIGNS:
        match = sign.search(text)
        if match:
            culprit = next((group for group in match.groups() if group), "")
            return {"kind": kind, "culprit": culprit.strip()[:200]}
    return {"kind": "failed", "culprit": ""}


def last_lines(text: str, count: int = 15) -> list[str]:
    """Keep the lines that a person wants to read."""
    lines = [
        line.rstrip()[:500] for line in text.splitlines() if not _NOISE.match(line)
    ]
    errors = [
        place
        for place, line in enumerate(lines)
        if line.startswith(("ERROR:", "error:"))
    ]
    start = max(0, len(lines) - count)
    if errors and errors[0] < start:
        # What pip calls an error says more than what follows it.
        return [lines[errors[0]]] + lines[start + 1 :]
    return lines[start:]
