"""Children that end before they report ready, so that a job waits for another one."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Iterator

import harness
import pytest
from harness import Host, frames, process_sandbox

#: So many of the next children end at once as the file says.
DIES = """
_prepare = prepare
def prepare(uid, fds, highest):
    path = os.path.join(HERE, "deaths")
    with open(path, "r+") as file:
        left = int(file.read())
        if left:
            file.seek(0)
            file.write(str(left - 1))
            file.flush()
            os._exit(1)
    _prepare(uid, fds, highest)
HERE = os.path.dirname(os.path.abspath(__file__))
"""
DEATHS = 3


class Births:
    """A sandbox whose first children die, and how many are still to."""

    def __init__(self, host: Host, file: Path) -> None:
        self.host = host
        self._file = file

    def await_pause(self) -> None:
        """Wait until the child of a task has died, and the next one is put off."""
        deadline = time.monotonic() + 20
        while int(self._file.read_text() or DEATHS) > 1:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(0.02)


@pytest.fixture
def births(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Births]:
    copy = tmp_path / "runner"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(harness.RUNNER, copy, ignore=ignore)
    with (copy / "task.py").open("a") as file:
        file.write(DIES)
    (copy / "deaths").write_text(str(DEATHS))
    monkeypatch.setattr(harness, "RUNNER", copy)
    with process_sandbox() as host:
        yield Births(host, copy / "deaths")


def test_a_job_keeps_its_input_and_no_timer_of_its_outlives_it(births: Births) -> None:
    text = "x" * 500_000
    job = births.host.source("def main(s):\n    return len(s)", text, timeout=1.0)
    assert births.host.finish(job).value() == len(text)
    code = "import time\ndef main():\n    time.sleep(1.5)\n    return 'whole'"
    assert births.host.run(code).value() == "whole"


def test_a_job_that_waits_for_a_child_can_be_cancelled(births: Births) -> None:
    job = births.host.source("def main():\n    return 1")
    births.await_pause()
    key = births.host.nonces[job]
    births.host.send(frames.CANCEL, {**key, "reason": "cancelled"})
    assert births.host.finish(job).outcome == "cancelled"
    assert births.host.run("def main():\n    return 2").value() == 2


def test_a_job_that_comes_meanwhile_waits(births: Births) -> None:
    first = births.host.source("def main():\n    return 1")
    births.await_pause()
    second = births.host.source("def main():\n    return 2")
    for job, value in ((first, 1), (second, 2)):
        result = births.host.results[job]
        births.host.wait(lambda result=result: result.clean is not None, 15)
        assert result.value() == value


def test_a_job_that_the_host_gave_up_never_runs(births: Births, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    births.host.source("def main(p):\n    open(p, 'w').close()", str(trace))
    births.await_pause()
    births.host.drop()
    births.host.accept(resume=[])
    assert births.host.run("def main():\n    return 2").value() == 2
    assert not trace.exists()


def test_a_job_that_waits_for_a_child_has_not_begun(births: Births) -> None:
    job = births.host.source("def main():\n    return 1")
    births.await_pause()
    births.host.send(frames.WELCOME, {"resume": []})
    births.host.wait(lambda: births.host.others[-1][0] == "FAULT")
    told = births.host.others[-1][1]
    assert (told["begun"], told["unstarted"]) == ([], [births.host.nonces[job]])
