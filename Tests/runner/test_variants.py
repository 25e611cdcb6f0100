"""Sandboxes that differ: two slots, no ctypes, a place to write besides /tmp."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from pathlib import Path
from typing import Iterator, List

import engine
import pytest
from harness import RUNNER, Host, process_sandbox

UIDS = {"zygote": 20000, "tasks": [20001, 20002, 20003, 20004]}
LEFTOVERS = (
    "import os, time\n"
    "def main():\n"
    "    open('/tmp/planted-%d' % os.getpid(), 'w').close()\n"
    "    if os.fork() == 0:\n"
    "        os.setsid(); time.sleep(1000)\n"
    "    return os.getuid()\n"
)
LOOK = (
    "import os\n"
    "def main():\n"
    "    mine = [p for p in os.listdir('/proc') if p.isdigit()\n"
    "            and os.stat('/proc/' + p).st_uid == os.getuid()]\n"
    "    return [len(mine), [n for n in os.listdir('/tmp') if n.startswith('planted')]]\n"
)


@pytest.mark.parametrize("kind", ["process", "container"])
def test_two_slots_run_side_by_side(kind: str, request: pytest.FixtureRequest) -> None:
    if kind == "container":
        request.getfixturevalue("docker")
        sandbox = engine.container_sandbox(settings={"slots": 2, "uids": UIDS})
    else:
        sandbox = process_sandbox(slots=2)
    with sandbox as host:
        long = host.source(
            "import time\ndef main():\n    time.sleep(2)\n    return 'long'", slot=1
        )
        for _ in range(5):
            assert host.run("def main(x):\n    return x", 5, slot=0).value() == 5
        if kind == "container":
            for _ in range(2):
                result = host.run(LEFTOVERS, slot=0)
                assert result.value() in (20001, 20002) and result.clean["swept"] >= 1
                assert host.run(LOOK, slot=0).value() == [1, []]
        assert host.results[long].clean is None
        assert host.finish(long).value() == "long"


KEEPS_IPC = """
import ctypes, time
def main(seconds):
    made = ctypes.CDLL(None).shmget(0, 4096, 0o1666) >= 0
    name = b"/kept-%d" % int(time.time() * 1e6)
    queue = ctypes.CDLL("librt.so.1").mq_open(name, 0o102, 0o666, None) >= 0
    time.sleep(seconds)
    return [made, queue]
"""
IPC_LEFT = """
def main():
    rows = [len(open("/proc/sysvipc/" + kind).readlines()) - 1 for kind in ("shm", "sem", "msg")]
    return sum(rows)
"""


def test_ipc_of_a_neighbour_is_its_own_business(docker: None) -> None:
    with engine.container_sandbox(settings={"slots": 2, "uids": UIDS}) as host:
        keeps = host.source(KEEPS_IPC, 3, slot=1)
        for _ in range(3):
            # Clean although the neighbour's objects are there, and without its own.
            result = host.run(KEEPS_IPC, 0, slot=0)
            assert result.value() == [True, True] and result.clean is not None
            assert host.run(IPC_LEFT, slot=0).value() == 1
        assert host.results[keeps].clean is None
        assert host.finish(keeps).value() == [True, True]
        assert host.run(IPC_LEFT, slot=0).value() == 0


@pytest.fixture
def without_ctypes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The runner's files as an image without ctypes loads them."""
    folder = Path(tempfile.mkdtemp(prefix="slipway-test-"))
    folder.chmod(0o755)
    copy = folder / "runner"
    shutil.copytree(RUNNER, copy, ignore=shutil.ignore_patterns("__pycache__"))
    source = (copy / "linux.py").read_text()
    assert "    import ctypes\n" in source
    (copy / "linux.py").write_text(
        source.replace("    import ctypes\n", "    import no_ctypes\n")
    )
    monkeypatch.setattr(engine, "RUNNER", copy)
    yield
    shutil.rmtree(folder)


def test_without_ctypes_it_works_and_says_so(
    docker: None, without_ctypes: None
) -> None:
    with engine.container_sandbox() as host:
        assert "no-ctypes" in host.hello["degraded"]
        for _ in range(3):
            result = host.run(LEFTOVERS)
            assert result.value() in (20001, 20002) and result.clean["swept"] == 1
            assert host.run(LOOK).value() == [1, []]
        code = (
            "def main():\n"
            "    status = dict(l.split(':', 1) for l in open('/proc/self/status'))\n"
            "    return {status[k].strip() for k in ('CapPrm', 'CapEff')} == {'0' * 16}\n"
        )
        assert host.run(code).value() is True


def test_a_volume_is_scanned_and_scrubbed(docker: None) -> None:
    volume = Path(tempfile.mkdtemp(prefix="slipway-test-"))
    volume.chmod(0o777)
    try:
        with engine.container_sandbox(binds=["%s:/volume" % volume]) as host:
            assert "writable-mount:/volume" in host.hello["degraded"]
            plant = (
                "import os\n"
                "def main():\n"
                "    os.makedirs('/volume/a/b'); open('/volume/a/b/c', 'w').close()\n"
                "    os.chmod('/volume/a', 0)\n"
            )
            assert host.run(plant).clean is not None
            assert list(volume.iterdir()) == []
    finally:
        shutil.rmtree(volume)


def test_a_place_that_others_fill_too_is_scanned_and_scrubbed(docker: None) -> None:
    # Below the host's own tmpfs, of which others' files would be counted.
    shared = Path(tempfile.mkdtemp(prefix="slipway-test-", dir="/dev/shm"))
    shared.chmod(0o1777)
    try:
        with engine.container_sandbox(
            settings={"shared": ["/dev/shm"]}, binds=["%s:/dev/shm" % shared]
        ) as host:
            assert "writable-mount:/dev/shm" in host.hello["degraded"]
            plant = (
                "import os\n"
                "def main():\n"
                "    open('/dev/shm/mine', 'w').close()\n"
                "    return os.listdir('/dev/shm')\n"
            )
            for number in range(2):
                other = shared / ("others-%d" % number)
                other.write_text("from a neighbour")
                result = host.run(plant)
                assert other.name in result.value()
                assert not (shared / "mine").exists() and other.exists()
    finally:
        shutil.rmtree(shared)


def test_what_tasks_write_to_a_folder_of_the_host_stays(docker: None) -> None:
    folder = Path(tempfile.mkdtemp(prefix="slipway-test-"))
    (folder / "below").mkdir()
    for place in (folder, folder / "below"):
        place.chmod(0o1777)
    try:
        with engine.container_sandbox(
            settings={"kept": ["/data"]},
            binds=["%s:/data" % folder, "%s:/data/below" % (folder / "below")],
        ) as host:
            assert "writable-mount:/data" in host.hello["degraded"]
            write = (
                "import os\n"
                "def main(name):\n"
                "    for place in '/data/', '/data/below/', '/tmp/':\n"
                "        open(place + name, 'w').close()\n"
                "    return os.listdir('/tmp')\n"
            )
            for name in "abc":
                result = host.run(write, name)
                assert result.clean is not None and result.clean["scrubbed"] == 1
                assert name in result.value()
            for place in (folder, folder / "below"):
                assert {path.name for path in place.iterdir()} >= set("abc")
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("kind", ["process", "container"])
def test_preload_with_threads(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    module = tmp_path / "threaded.py"
    module.write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
    )
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    if kind == "container":
        request.getfixturevalue("docker")
        binds = ["%s:/opt/modules:ro" % tmp_path]
        sandbox, path = (
            engine.container_sandbox(ready=False, binds=binds),
            "/opt/modules",
        )
    else:
        sandbox, path = process_sandbox(ready=False), str(tmp_path)
    with sandbox as host:
        ready = host.configure(path=[path], preload=["threaded"], gid=engine.GROUP)
        assert ready["preload"]["errors"] == []
        code = (
            "import sys, threading\n"
            "def main():\n    return ['threaded' in sys.modules, threading.active_count()]\n"
        )
        for _ in range(20):
            assert host.run(code).value() == [True, 1]
        assert (
            host.run("import time\ndef main():\n    time.sleep(9)", timeout=0.2).outcome
            == "timeout"
        )
        assert host.run(code).value() == [True, 1]


@pytest.mark.parametrize("kind", ["process", "container"])
def test_limits_get_tighter_from_task_to_task(
    kind: str, request: pytest.FixtureRequest
) -> None:
    code = (
        "import resource\n"
        "def main():\n"
        "    return [resource.getrlimit(resource.RLIMIT_NOFILE),\n"
        "            resource.getrlimit(resource.RLIMIT_CORE)]\n"
    )
    if kind == "container":
        request.getfixturevalue("docker")
        sandbox = engine.container_sandbox()
    else:
        sandbox = process_sandbox()
    with sandbox as host:
        for wanted in (900, 900, 300, 77, 300, 300):
            result = host.run(code, rlimits={"nofile": wanted, "core": 0})
            assert result.value() == [[wanted, wanted], [0, 0]]


def test_hello_names_the_task_of_each_slot() -> None:
    with process_sandbox(slots=2) as host:
        job = host.source("import time\ndef main():\n    time.sleep(1)", slot=1)
        host.drop()
        hello = host.accept(resume=[host.nonces[job]])
        assert [slot["task"] for slot in hello["slots"]] == [None, host.nonces[job]]
        assert host.finish(job).outcome == "ok"


FILL = (
    "import time\n"
    "def main(seconds):\n"
    "    time.sleep(seconds)\n"
    "    return len(b'x' * (400 << 20))\n"
)


def _children(pid: int) -> List[int]:
    children = Path("/proc/%d/task/%d/children" % (pid, pid)).read_text()
    return [int(child) for child in children.split()]


def test_memory_that_runs_out_with_the_zygote_ends_a_task_as_oom(docker: None) -> None:
    """In little memory the kernel may end the zygote, which is as large as the task."""
    with engine.container_sandbox(memory=64 << 20) as host:
        job = host.source(FILL, 0.5)
        time.sleep(0.2)
        zygote = _children(host.peer)[0]
        for pid in (*_children(host.peer), *_children(zygote)):
            score = "1000" if pid == zygote else "0"
            Path("/proc/%d/oom_score_adj" % pid).write_text(score)
        result = host.results[job]
        # After the zygote the sandbox goes, too, and hears no acknowledgement.
        with contextlib.suppress(ConnectionError):
            host.wait(lambda: bool(result.header))
        assert result.outcome == "oom"
        with pytest.raises(ConnectionError):
            host.wait(lambda: False)


def test_a_task_is_out_of_memory_before_a_slow_supervisor_goes_on(
    docker: None, tmp_path: Path
) -> None:
    """What the kernel counted is looked at before the task begins, not soon after."""
    slow = tmp_path / "runner"
    shutil.copytree(RUNNER, slow)
    with (slow / "child.py").open("a") as file:
        file.write(
            "\nimport time\n_start = Child.start\n"
            "def _slowly(*given): _start(*given); time.sleep(0.5)\n"
            "Child.start = _slowly\n"
        )
    for path in (tmp_path.parent, tmp_path):
        path.chmod(0o755)
    with engine.container_sandbox(memory=64 << 20, runner=str(slow)) as host:
        assert host.run(FILL, 0).outcome == "oom"


#: Says on standard error how each helper ended.
TELLS_ENDS = r"""
_ended_child = Supervisor._ended_child
def _told(self, pid, status, usage):
    if any(slot.helper == pid for slot in self.slots):
        os.write(2, b"helper:%d;\n" % status)
    _ended_child(self, pid, status, usage)
Supervisor._ended_child = _told
"""
#: The helper of one slot is at work while that of the other kills.
SLOW_HELPERS = """
_kill_all = kill_all
def kill_all():
    time.sleep(0.2)
    _kill_all()
    time.sleep(0.2)
"""
FIRST_HELPER_DIES = """
_launch, launched = launch, []
def launch(*given):
    launched.append(_launch(*given))
    if len(launched) == 1:
        os.kill(launched[0], signal.SIGKILL)
    return launched[-1]
"""


@contextlib.contextmanager
def _two_slots(tmp_path: Path, helpers: str) -> Iterator[Host]:
    """Two slots of a runner that tells of its helpers, which are changed by `helpers`."""
    copy = tmp_path / "runner"
    shutil.copytree(RUNNER, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for name, more in (("core.py", TELLS_ENDS), ("scrub.py", helpers)):
        with (copy / name).open("a") as file:
            file.write(more)
    for path in (*tmp_path.parents[:2], tmp_path):
        path.chmod(0o755)
    settings = {"slots": 2, "uids": UIDS}
    with engine.container_sandbox(settings=settings, runner=str(copy)) as host:
        yield host


def _helper_ends(host: Host, count: int) -> List[int]:
    """Return how helpers ended, as soon as the engine's log has so many."""
    deadline = time.monotonic() + 10
    while True:
        logs: bytes = host.container.logs()  # type: ignore[attr-defined]
        ends = [int(part.split(b";")[0]) for part in logs.split(b"helper:")[1:]]
        if len(ends) >= count or time.monotonic() > deadline:
            return ends
        time.sleep(0.05)


def test_helpers_of_two_slots_let_each_other_live(docker: None, tmp_path: Path) -> None:
    with _two_slots(tmp_path, SLOW_HELPERS) as host:
        jobs = [host.source(LEFTOVERS, slot=slot) for slot in (0, 1)]
        for job in jobs:
            assert host.finish(job).clean is not None
        ends = _helper_ends(host, 2)
        assert len(ends) >= 2 and set(ends) == {0}


def test_a_helper_that_is_killed_proves_nothing(docker: None, tmp_path: Path) -> None:
    with _two_slots(tmp_path, FIRST_HELPER_DIES) as host:
        assert host.run("def main():\n    return 1").clean is not None
        assert _helper_ends(host, 2) == [9, 0]
