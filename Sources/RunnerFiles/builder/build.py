"""Installs requirements into a folder and seals it."""

from __future__ import annotations

import os
import shlex
import sys
import time
from typing import Any
from urllib.parse import urlsplit

from _builder import interpreter, reach, seal, verdict
from _builder.worker import Outcome, Worker

_SCRATCH = ".slipway-tmp"


def build(spec: dict[str, Any]) -> dict[str, Any]:
    """Install what the specification names; return what came of it."""
    own = interpreter.describe()
    result: dict[str, Any] = {"ok": False, "interpreter": own}
    fault = _fitness(own, spec.get("expected"))
    if fault:
        result.update(fault)
        return result
    offline = _offline_reason(spec)
    if offline and not spec["find_links"]:
        result.update(kind="offline", detail=offline)
        return result
    target = spec["target"]
    scratch = os.path.join(target, _SCRATCH)
    worker = Worker(spec.get("user"), time.monotonic() + spec["timeout"])
    try:
        worker.own(target, spec.get("cache"))
        worker.make_folder(scratch)
        requirements = _write_requirements(spec, scratch, worker)
        outcome = worker.run(
            _pip(spec, requirements),
            _environment(spec, scratch, no_index=offline is not None),
            exceeds=lambda: seal.measure(target) > spec["max_bytes"],
        )
        if outcome.ok:
            _compile(worker, spec, scratch)
    finally:
        worker.sweep()
    result["log"] = outcome.text[-65_536:]
    if not outcome.ok:
        result.update(_failure(outcome, offline))
        return result
    seal.remove_tree(scratch)
    size = seal.seal(target, spec.get("group"))
    if size > spec["max_bytes"]:
        result.update(kind="too_large", detail=f"it has {size} bytes")
        return result
    result.update(ok=True, versions=seal.versions(target), bytes=size)
    return result


def _fitness(
    own: dict[str, Any], expected: dict[str, Any] | None
) -> dict[str, str] | None:
    if expected:
        reason = interpreter.mismatch(own, expected)
        if reason:
            return {"kind": "mismatch", "detail": reason}
    if not own["pip"]:
        return {"kind": "no_pip", "detail": f"Python {own['version']} has no pip"}
    return None


def _offline_reason(spec: dict[str, Any]) -> str | None:
    if spec["no_index"]:
        return "builders have no network (environments.network is none)"
    return reach.reason_unreachable(spec)


def _write_requirements(spec: dict[str, Any], scratch: str, worker: Worker) -> str:
    lines = ["--find-links " + shlex.quote(place) for place in spec["find_links"]]
    for text in spec["requirements"]:
        if text.lstrip().startswith("-") or not text.isprintable():
            raise ValueError("not a requirement: " + repr(text))
        lines.append(text)
    path = os.path.join(scratch, "requirements.txt")
    with open(path, "x", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    worker.give(path)
    return path


def _pip(spec: dict[str, Any], requirements: str) -> list[str]:
    return [
        sys.executable,
        "-I",
        "-m",
        "pip",
        "install",
        "--target",
        spec["target"],
        "--requirement",
        requirements,
        "--no-input",
        "--no-compile",
        "--disable-pip-version-check",
        "--progress-bar=off",
        "--retries=2",
        "--timeout=15",
    ]


def _environment(spec: dict[str, Any], scratch: str, no_index: bool) -> dict[str, str]:
    """Make pip's variables; addresses may hold passwords, so none is an argument."""
    kept = ("PATH", "LANG", "LC_ALL", "TZ")
    variables = {name: os.environ[name] for name in kept if name in os.environ}
    # On the disk: wheels can be larger than memory, and moving them costs nothing.
    variables["TMPDIR"] = scratch
    variables["HOME"] = (
        os.environ.get("HOME", scratch) if spec.get("user") is None else scratch
    )
    if spec.get("cache"):
        variables["PIP_CACHE_DIR"] = spec["cache"]
    else:
        variables["PIP_NO_CACHE_DIR"] = "1"
    if spec.get("ca_bundle"):
        for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
            variables[name] = spec["ca_bundle"]
    if spec.get("proxy"):
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            variables[name] = spec["proxy"]
    extra = list(spec.get("extra_index_urls") or [])
    if no_index:
        variables["PIP_NO_INDEX"] = "1"
    else:
        if spec.get("index_url"):
            variables["PIP_INDEX_URL"] = spec["index_url"]
        if extra:
            variables["PIP_EXTRA_INDEX_URL"] = " ".join(extra)
    # The operator named these addresses without encryption; pip wants to hear it twice.
    addresses = [spec.get("index_url") or ""] + extra + spec["find_links"]
    plain = [
        urlsplit(url).netloc.rpartition("@")[2]
        for url in addresses
        if url.startswith("http://")
    ]
    if plain:
        variables["PIP_TRUSTED_HOST"] = " ".join(sorted(set(plain)))
    return variables


def _compile(worker: Worker, spec: dict[str, Any], scratch: str) -> None:
    """Write byte code: sandboxes mount the folder read-only and never could.

    Files that do not compile, such as templates, are left alone.
    """
    command = [
        sys.executable,
        "-I",
        "-m",
        "compileall",
        "-q",
        "-j",
        str(spec["workers"]),
    ]
    variables = {
        "PATH": os.environ.get("PATH", os.defpath),
        "TMPDIR": scratch,
        "HOME": scratch,
    }
    worker.run(
        command + ["-x", _SCRATCH, spec["target"]], variables, shows_output=False
    )


def _failure(outcome: Outcome, offline: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"lines": verdict.last_lines(outcome.text)}
    if outcome.stopped:
        found.update(kind=outcome.stopped)
    elif outcome.ran_out_of_memory:
        found.update(kind="memory")
    else:
        found.update(verdict.judge(outcome.text))
        if offline and found["kind"] == "missing":
            # Only the folders of wheels could be looked at.
            found.update(kind="offline", detail=offline)
    return found
