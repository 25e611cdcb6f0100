"""Modules that are imported ahead: for nobody yet, then for a tenant."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import engine
import pytest
from harness import Host, frames, process_sandbox

LOOK = (
    "import sys, os\n"
    "def main(name):\n"
    "    module = sys.modules.get(name)\n"
    "    return [module is not None, getattr(module, 'EDITION', None),\n"
    "            os.getgid(), os.getgroups()]\n"
)


def zygote_of(host: Host) -> int:
    """The zygote's pid, from the process table of the machine."""
    children = "/proc/%d/task/%d/children" % (host.peer, host.peer)
    return int(Path(children).read_text().split()[0])


def test_what_was_imported_ahead_serves_the_tenant(waiting: Any) -> None:
    host, folder, path = waiting
    (folder / "extra.py").write_text("EDITION = 'extra'\n")
    ready = host.configure(preload=["decimal"], ahead=True)
    assert ready["preload"]["errors"] == []
    before = zygote_of(host)
    ready = host.configure(preload=["decimal", "extra"], path=[path], gid=engine.GROUP)
    assert ready["preload"]["errors"] == []
    assert zygote_of(host) == before, "the interpreter was not used again"
    found, _, group, groups = host.run(LOOK, "decimal").value()
    assert found
    assert host.run(LOOK, "extra").value()[:2] == [True, "extra"]
    if hasattr(host, "container"):
        assert [group, groups] == [engine.GROUP, []]


def test_an_environment_goes_before_what_the_image_has(waiting: Any) -> None:
    host, folder, path = waiting
    (folder / "decimal_like.py").write_text("EDITION = 'environment'\n")
    (folder / "cmd.py").write_text("EDITION = 'environment'\n")
    host.configure(preload=["cmd"], ahead=True)
    before = zygote_of(host)
    host.configure(preload=["cmd", "decimal_like"], path=[path], gid=engine.GROUP)
    assert zygote_of(host) != before, "it may have another edition of cmd"
    assert host.run(LOOK, "decimal_like").value()[1] == "environment"


def test_another_preload_takes_a_new_interpreter(waiting: Any) -> None:
    host, _, _ = waiting
    host.configure(preload=["decimal"], ahead=True)
    host.configure(preload=["fractions"], gid=engine.GROUP)
    assert host.run(LOOK, "fractions").value()[0]
    host.configure(preload=["decimal", "fractions"], gid=engine.GROUP)
    assert host.run(LOOK, "decimal").value()[0]


def test_errors_are_told_for_nobody_and_for_the_tenant(waiting: Any) -> None:
    host, folder, path = waiting
    (folder / "late.py").write_text("EDITION = 'late'\n")
    (folder / "broken.py").write_text("raise RuntimeError('not today')\n")
    ready = host.configure(preload=["late", "broken"], ahead=True)
    assert [e["module"] for e in ready["preload"]["errors"]] == ["late", "broken"]
    ready = host.configure(preload=["late", "broken"], path=[path], gid=engine.GROUP)
    errors = ready["preload"]["errors"]
    assert [e["module"] for e in errors] == ["broken"]
    assert "not today" in errors[0]["message"]
    assert host.run(LOOK, "late").value()[1] == "late"


def test_no_task_starts_before_there_is_a_tenant() -> None:
    with process_sandbox(ready=False) as host:
        host.configure(preload=["decimal"], ahead=True)
        host.source("def main():\n    return 1")
        with pytest.raises(ConnectionError):
            host.wait(lambda: False)
        assert any(name == "FAULT" for name, _, _ in host.others)
        assert frames.FAULT


NUMBERS = (
    "import random\n"
    "import numpy\n"
    "def main():\n"
    "    return [random.random(), float(numpy.random.rand()),\n"
    "        int(numpy.random.randint(1 << 62)),\n"
    "        float(numpy.random.default_rng().random()),\n"
    "        random.SystemRandom().random()]\n"
)


def _numpy_path() -> str:
    numpy = pytest.importorskip("numpy", reason="this Python has no numpy")
    return str(Path(numpy.__file__).parents[1])


def test_no_two_tasks_draw_the_same_numbers_of_numpy() -> None:
    path = _numpy_path()
    with process_sandbox(ready=False) as host:
        ready = host.configure(preload=["numpy", "numpy.random"], path=[path])
        assert ready["preload"]["errors"] == []
        _draw(host)


def test_no_two_tasks_of_a_container_draw_the_same_numbers_of_numpy(
    docker: None,
) -> None:
    path = _numpy_path()
    if sys.version_info[:2] != (3, 11):
        pytest.skip("this Python's numpy is not for the image's")
    binds = [
        "%s/%s:/opt/modules/%s:ro" % (path, name, name)
        for name in ("numpy", "numpy.libs")
    ]
    with engine.container_sandbox(ready=False, binds=binds) as host:
        ready = host.configure(
            preload=["numpy", "numpy.random"], path=["/opt/modules"], gid=engine.GROUP
        )
        assert ready["preload"]["errors"] == []
        _draw(host)


def _draw(host: Host) -> None:
    drawn = [host.run(NUMBERS).value() for _ in range(30)]
    for column in zip(*drawn):
        assert len(set(column)) == len(drawn)


@pytest.mark.parametrize("text", ["x", "\u0436", "\0", "\ud800"])
@pytest.mark.parametrize("ahead", [True, False])
def test_many_long_errors_of_imports_are_told(
    waiting: Any, text: str, ahead: bool
) -> None:
    host, folder, path = waiting
    names = ["broken_%d" % number for number in range(101)]
    for name in names:
        code = "raise ImportError('why ' + %r * 1000)\n" % text
        (folder / (name + ".py")).write_text(code)
    if ahead:
        host.configure(preload=names[:1], ahead=True)
    ready = host.configure(preload=names, path=[path], gid=engine.GROUP)
    errors = ready["preload"]["errors"]
    assert [item["module"] for item in errors] == names[:100]
    for item in errors:
        assert item["message"].startswith("ImportError: why ")
    assert host.run("def main():\n    return 1").value() == 1


def test_an_environment_may_be_long_in_any_script(waiting: Any) -> None:
    host, _, _ = waiting
    value = "\u0436" * 27000
    host.configure(env={"LONG": value})
    code = "import os\ndef main():\n    return os.environ['LONG']"
    assert host.run(code).value() == value
