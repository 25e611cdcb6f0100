"""Installs requirements into a folder and seals it."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from _builder import installers, interpreter, project, reach, record, seal, verdict
from _builder.installers import UV, Pip, Step
from _builder.output import Output
from _builder.worker import Outcome, Worker

_SCRATCH = ".slipway-tmp"


def build(spec: dict[str, Any], output: Output) -> dict[str, Any]:
    """Install what the specification names; return what came of it."""
    own = interpreter.describe()
    result: dict[str, Any] = {"ok": False, "interpreter": own}
    installer = installers.choose(spec["installer"])
    fault = _fitness(own, spec, installer)
    if fault or installer is None:
        result.update(fault or {})
        return result
    result["installer"] = installer.name
    offline = _offline_reason(spec)
    if offline and not spec["find_links"]:
        result.update(kind="offline", detail=offline)
        return result
    output.say(
        f"Installing with {installer.name} {installer.version}".rstrip()
        + f" for Python {own['version']}"
    )
    target = spec["target"]
    scratch = os.path.join(target, _SCRATCH)
    worker = Worker(spec.get("user"), time.monotonic() + spec["timeout"], output)
    reports: list[str] = []
    try:
        worker.own(target, spec.get("cache"))
        worker.make_folder(scratch)
        outcome = Outcome()
        for step in _steps(spec, own, scratch, worker):
            reports.append(os.path.join(scratch, f"report-{len(reports)}.json"))
            outcome = _install(
                spec, installer, step, worker, reports[-1], offline is not None
            )
            if not outcome.ok:
                break
        if outcome.ok:
            output.say("Compiling byte code")
            _compile(worker, spec, scratch)
    finally:
        worker.sweep()
    result["log"] = output.text[-65_536:]
    if not outcome.ok:
        result.update(_failure(outcome, offline))
        return result
    versions = seal.versions(target)
    result.update(versions=versions, packages=record.packages(versions, reports))
    seal.remove_tree(scratch)
    lock = os.path.join(target, ".lock")
    if os.path.isfile(lock) and not os.path.islink(lock):
        # uv's own, which nobody takes any more.
        os.unlink(lock)
    size = seal.seal(target, spec.get("group"))
    if size > spec["max_bytes"]:
        result.update(kind="too_large", detail=f"it has {size} bytes")
        return result
    result.update(ok=True, bytes=size)
    return result


def _fitness(
    own: dict[str, Any], spec: dict[str, Any], installer: Pip | UV | None
) -> dict[str, str] | None:
    expected = spec.get("expected")
    if expected:
        reason = interpreter.mismatch(own, expected)
        if reason:
            return {"kind": "mismatch", "detail": reason}
    if installer is None:
        if spec["installer"] == "uv":
            return {"kind": "no_uv", "detail": "there is no uv on PATH"}
        return {"kind": "no_pip", "detail": f"Python {own['version']} has no pip"}
    if spec.get("project"):
        reason = project.fault(spec["project"])
        if reason:
            return {"kind": "project", "detail": reason}
    return None


def _offline_reason(spec: dict[str, Any]) -> str | None:
    if spec["no_index"]:
        return "builders have no network (environments.network is none)"
    return reach.reason_unreachable(spec)


def _steps(
    spec: dict[str, Any], own: dict[str, Any], scratch: str, worker: Worker
) -> list[Step]:
    """Plan the calls: what has hashes and what the engine adds without any go apart."""
    has_cloudpickle = (spec.get("expected") or own).get("cloudpickle", False)
    additions = [
        text
        for text in spec["additions"]
        if not (has_cloudpickle and text.startswith("cloudpickle"))
    ]
    source = None
    if spec.get("project"):
        source = os.path.join(scratch, "project")
        for path in project.copy(spec["project"], source):
            worker.give(path)
    if not spec["hashed"]:
        return [Step(spec["requirements"] + additions, project=source)]
    only_wheels = spec["only_wheels"]
    steps = [Step(spec["requirements"], hashed=True, only_wheels=only_wheels)]
    if additions:
        # A cache that tenants share holds nothing that was not checked.
        steps.append(Step(additions, cached=not only_wheels, alone=True))
    return steps


def _install(
    spec: dict[str, Any],
    installer: Pip | UV,
    step: Step,
    worker: Worker,
    report: str,
    no_index: bool,
) -> Outcome:
    path = report.replace("report-", "requirements-").replace(".json", ".txt")
    with open(path, "x", encoding="utf-8") as file:
        file.write("\n".join(installer.lines(spec, step)) + "\n")
    worker.give(path)
    variables = installers.shared_variables(spec, os.path.dirname(report))
    variables.update(installer.variables(spec, step, no_index))
    return worker.run(
        installer.command(spec, step, path, report),
        variables,
        exceeds=lambda: seal.measure(spec["target"]) > spec["max_bytes"],
    )


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
