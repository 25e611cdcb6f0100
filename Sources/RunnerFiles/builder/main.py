"""Entry point: ``python3 -I -B main.py FOLDER``; see docs/environments.md.

The folder holds ``spec.json``, which says what to do, and gets ``result.json``, and
``output`` while a build runs.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import types
from typing import Any


def _bootstrap() -> None:
    package = types.ModuleType("_builder")
    package.__path__ = [os.path.dirname(os.path.abspath(__file__))]  # type: ignore
    sys.modules["_builder"] = package


def _write(folder: str, result: dict[str, Any]) -> None:
    """Write the result for the owner of the folder, who need not be root."""
    draft = os.path.join(folder, "result.json.tmp")
    owner = os.stat(folder)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
        json.dump(result, file)
    if os.geteuid() == 0:
        os.chown(draft, owner.st_uid, owner.st_gid)
    os.rename(draft, os.path.join(folder, "result.json"))


def _perform(spec: dict[str, Any], folder: str) -> dict[str, Any]:
    from _builder import build, interpreter, output, seal, volume

    mode = spec["mode"]
    if mode == "build":
        return build.build(spec, output.Output(os.path.join(folder, "output")))
    if mode == "probe":
        return {"ok": True, "interpreter": interpreter.describe()}
    if mode == "remove":
        seal.remove(spec["target"], spec["names"])
        return {"ok": True}
    if mode == "close":
        seal.close(spec["target"], spec["names"])
        return {"ok": True}
    if mode == "adopt":
        return volume.adopt(spec)
    if mode == "seal":
        return volume.seal_again(spec)
    if mode == "survey":
        found = volume.survey(spec["target"], spec["names"], spec["removes"])
        return {"ok": True, "names": found}
    return {"ok": False, "kind": "internal", "detail": "unknown mode " + repr(mode)}


def main() -> int:
    """Do what the specification says; 0 when it worked, 1 when it did not."""
    _bootstrap()
    os.umask(0o077)
    # A host with threads may block signals, and blocked ones are inherited.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    folder = sys.argv[1]
    with open(os.path.join(folder, "spec.json"), encoding="utf-8") as file:
        spec = json.load(file)
    try:
        result = _perform(spec, folder)
    except Exception as error:
        detail = f"{type(error).__name__}: {error}"
        result = {"ok": False, "kind": "internal", "detail": detail}
    _write(folder, result)
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
