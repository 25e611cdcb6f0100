"""Connection, reconnection, replay and violations."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import sys
import time
from pathlib import Path
from typing import Iterator

import pytest
from harness import RUNNER, Host, frames, process_sandbox

ECHO = "def main(x=1):\n    return x"
SLOW = (
    "import time, slipway\n"
    "def main():\n"
    "    print('early', flush=True); slipway.emit({'n': 1}); time.sleep(0.5)\n"
    "    print('late'); slipway.emit({'n': 2}); return 'done'\n"
)


def faulted(host: Host, seconds: float = 30.0) -> dict:
    """Wait for FAULT and the end of the supervisor; return FAULT's header."""
    with pytest.raises(ConnectionError):
        host.wait(lambda: False, seconds)
    assert host.process.wait(10) == 1  # type: ignore[attr-defined]
    return next(header for name, header, _ in host.others if name == "FAULT")


def restart(host: Host) -> None:
    """Forget what was received, as a host that was started anew."""
    for result in host.results.values():
        result.__init__()  # type: ignore[misc]
    host.others = []


def test_hello_tells_what_this_is() -> None:
    with process_sandbox(ready=False) as host:
        hello = host.hello
        assert hello["protocol"] == 1 and hello["sandbox"] == "sbx_test"
        assert hello["pid"] == host.process.pid  # type: ignore[attr-defined]
        assert hello["abi"].startswith("cpython-") and hello["configured"] is None
        assert hello["running"] == hello["results"] == hello["queued"] == []


INTERPRETERS = [
    path for path in os.environ.get("SLIPWAY_TEST_PYTHONS", "").split(":") if path
]


@pytest.mark.parametrize("python", [sys.executable] + INTERPRETERS)
def test_every_interpreter_runs_the_runner(python: str) -> None:
    with process_sandbox(python) as host:
        assert host.run(ECHO, 5).value() == 5
        assert host.run("def main():\n    raise OSError(1, 'é')").outcome == "exception"
        data = pickle.dumps((sorted, ([2, 1],), {}), 4)
        assert host.finish(host.start("callable", data)).value() == [1, 2]
        assert host.finish(host.command("true")).outcome == "ok"
        assert host.run(SLOW, timeout=0.1).outcome == "timeout"
        assert host.run(SLOW).events == [{"n": 1}, {"n": 2}]


def test_running_task_survives_a_lost_host() -> None:
    with process_sandbox() as host:
        job = host.source(SLOW)
        host.wait(lambda: bool(host.results[job].events))
        host.drop()
        restart(host)
        hello = host.accept(resume=[host.nonces[job]])
        assert hello["running"] == [host.nonces[job]]
        result = host.finish(job)
        assert result.value() == "done"
        assert result.text() == b"early\nlate\n"
        assert result.events == [{"n": 1}, {"n": 2}]
        assert host.run(ECHO, 5).value() == 5


def test_result_is_kept_until_it_is_acknowledged() -> None:
    with process_sandbox() as host:
        host.acknowledge = False
        job = host.source(SLOW)
        host.finish(job)
        for _ in range(3):
            host.drop()
            restart(host)
            hello = host.accept(resume=[host.nonces[job]])
            assert hello["results"] == [host.nonces[job]] and hello["running"] == []
            result = host.finish(job)
            assert (result.value(), result.text()) == ("done", b"early\nlate\n")
        host.send(frames.ACK, host.nonces[job])
        host.send(frames.ACK, host.nonces[job])  # Ended a moment ago: ignored.
        assert host.run(ECHO, 5).value() == 5
        host.drop()
        restart(host)
        assert len(host.accept(resume=host.hello["results"])["results"]) <= 1


def test_result_that_came_while_nobody_listened() -> None:
    with process_sandbox() as host:
        code = "import time\ndef main():\n    time.sleep(0.2)\n    print('x' * 300000)\n    return 1"
        job = host.source(code, log_limit=100_000)
        host.drop()
        restart(host)
        time.sleep(0.5)
        host.accept(resume=[host.nonces[job]])
        result = host.finish(job)
        assert result.value() == 1 and len(result.text()) == 100_000


def test_what_is_not_resumed_is_killed_and_dropped() -> None:
    with process_sandbox() as host:
        running = host.source("import time\ndef main():\n    time.sleep(1000)")
        queued = host.source(ECHO)
        host.drop()
        restart(host)
        hello = host.accept(resume=[])
        assert hello["running"] == [host.nonces[running]]
        assert hello["queued"] == [host.nonces[queued]]
        assert host.run(ECHO, 5).value() == 5
        assert not host.results[running].header and not host.results[queued].header


def test_without_a_host_it_ends() -> None:
    with process_sandbox(reconnect=0.3) as host:
        marker = os.path.join(host.folder, "pid")
        host.source(
            "import os, time\ndef main(p):\n"
            "    open(p, 'w').write(str(os.getpid())); time.sleep(1000)",
            marker,
        )
        host.wait(
            lambda: os.path.exists(marker) and os.path.getsize(marker) > 0 or _nap()
        )
        pid = int(Path(marker).read_text())
        host.listener.close()
        host.drop()
        assert host.process.wait(10) == 0  # type: ignore[attr-defined]
        _gone(pid)


def _nap() -> bool:
    time.sleep(0.01)
    return False


def _gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if "\nState:\tZ" in Path("/proc/%d/status" % pid).read_text():
                return
        except OSError:
            return
        time.sleep(0.01)
    pytest.fail("process %d lives on" % pid)


@pytest.mark.parametrize("how", ["shutdown", "sigterm"])
def test_shutdown_ends_everything(how: str) -> None:
    with process_sandbox() as host:
        job = host.source(
            "import os, time\ndef main():\n    print(os.getpid(), flush=True); time.sleep(1000)"
        )
        host.wait(lambda: host.results[job].text().endswith(b"\n"))
        if how == "shutdown":
            host.send(frames.SHUTDOWN, {})
        else:
            host.process.send_signal(signal.SIGTERM)  # type: ignore[attr-defined]
        assert host.process.wait(10) == 0  # type: ignore[attr-defined]
        _gone(int(host.results[job].text()))


def test_death_of_the_zygote_is_told() -> None:
    with process_sandbox() as host:
        running = host.source("import time\ndef main():\n    time.sleep(1000)")
        unstarted = host.source(ECHO)
        # Both were read by then.
        host.drop()
        restart(host)
        hello = host.accept(resume=[host.nonces[running], host.nonces[unstarted]])
        assert hello["queued"] == [host.nonces[unstarted]]
        zygote = min(_children(host.process.pid))  # type: ignore[attr-defined]
        os.kill(zygote, signal.SIGKILL)
        fault = faulted(host)
        assert fault["code"] == "zygote"
        assert fault["unstarted"] == [host.nonces[unstarted]]
        assert fault["begun"] == [host.nonces[running]]


@contextlib.contextmanager
def dying_zygote(host: Host) -> Iterator[None]:
    """Kill the zygote while the supervisor stands still: it learns that first.

    What is sent inside finds the supervisor with its zygote dead.
    """
    zygote = min(_children(host.process.pid))  # type: ignore[attr-defined]
    caught_up(host)
    os.kill(host.process.pid, signal.SIGSTOP)  # type: ignore[attr-defined]
    try:
        os.kill(zygote, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while _state(zygote) != "Z" and time.monotonic() < deadline:
            time.sleep(0.001)
        assert _state(zygote) == "Z"
        yield
    finally:
        os.kill(host.process.pid, signal.SIGCONT)  # type: ignore[attr-defined]


def caught_up(host: Host) -> None:
    """Wait until the supervisor has read all that was there, and waits for more."""
    host.others = []
    # Before the second one, it read what had come before the first.
    host.wait(lambda: sum(name == "HEARTBEAT" for name, _, _ in host.others) == 2)


def _state(pid: int) -> str:
    return Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[0]


def check_begun(host: Host) -> None:
    """A supervisor whose zygote died tells what it began, whatever else was sent."""
    done = host.source(ECHO, slot=0)
    host.acknowledge = False
    host.finish(done)
    running = host.source("import time\ndef main():\n    time.sleep(1000)", slot=0)
    queued = host.source(ECHO, slot=0)
    with dying_zygote(host):
        host.source(ECHO, slot=1)
    fault = faulted(host)
    assert fault["code"] == "zygote"
    assert fault["begun"] == [host.nonces[done], host.nonces[running]]
    assert fault["unstarted"] == [host.nonces[queued]]


def test_what_was_not_read_when_the_zygote_died_is_not_among_what_began() -> None:
    with process_sandbox(slots=2, heartbeat=0.1) as host:
        check_begun(host)


def test_a_task_whose_child_was_never_forked_is_told() -> None:
    with process_sandbox(heartbeat=0.1) as host:
        pid = host.process.pid  # type: ignore[attr-defined]
        zygote = min(_children(pid))
        # A child sleeps when it has reported ready and waits for its task.
        deadline = time.monotonic() + 30
        while [_state(child) for child in _children(pid) if child != zygote] != ["S"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        caught_up(host)
        os.kill(zygote, signal.SIGSTOP)
        # The child that waited takes the first; the next one cannot be forked.
        assert host.run(ECHO, 1).value() == 1
        unstarted = host.source(ECHO)
        host.drop()
        restart(host)
        hello = host.accept(resume=[host.nonces[unstarted]])
        assert hello["slots"][0]["task"] == host.nonces[unstarted]
        with dying_zygote(host):
            pass
        fault = faulted(host)
        assert fault["unstarted"] == [host.nonces[unstarted]]
        assert fault["begun"] == []


DYING = """
import os, time

def end():
    time.sleep(0.5)
    os.close(3)
    time.sleep(60)

os.register_at_fork(before=end)
"""


def test_a_zygote_that_ends_with_a_fork_in_its_hands_has_begun_nothing(
    tmp_path: Path,
) -> None:
    # Its channel to the supervisor is gone while it still holds the child's.
    (tmp_path / "dying.py").write_text(DYING)
    with process_sandbox(ready=False) as host:
        ready = host.configure(preload=["dying"], path=[str(tmp_path)])
        assert ready["preload"]["errors"] == []
        unstarted = host.source(ECHO)
        fault = faulted(host)
        assert fault["code"] == "zygote"
        assert fault["unstarted"] == [host.nonces[unstarted]]
        assert fault["begun"] == []


def _children(parent: int) -> list:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, _, rest = stat.read_text().partition(" ")
        except OSError:
            continue
        if int(rest.rpartition(")")[2].split()[1]) == parent:
            found.append(int(pid))
    return found


def violations() -> list:
    """Return (name, bytes) that must end the sandbox when they come after WELCOME."""
    nonce = {"job": "job_x", "attempt": 1, "nonce": "0" * 32}
    start = {**nonce, "kind": "source", "encoding": "identity", "size": 0}
    limits = {"inflated": 10, "result_limit": 10, "log_limit": 10}

    def prefix(version=1, kind=6, reserved=0, header=2, body=0, tail=b"{}") -> bytes:
        return frames.PREFIX.pack(version, kind, reserved, header, body) + tail

    def raw(kind: int, header: object, body: bytes = b"") -> bytes:
        text = json.dumps(header).encode()
        return frames.PREFIX.pack(1, kind, 0, len(text), len(body)) + text + body

    return [
        ("version", prefix(version=2)),
        ("type", prefix(kind=99)),
        ("reserved type", prefix(kind=8)),
        ("own type", prefix(kind=0x87)),
        ("reserved bits", prefix(reserved=1)),
        ("long header", prefix(header=65537)),
        ("long body", prefix(body=1048577)),
        ("not JSON", prefix(tail=b"{]")),
        ("not UTF-8", prefix(tail=b"\xff\xff")),
        ("not an object", prefix(tail=b"[]")),
        ("NaN", prefix(header=3, tail=b"NaN")),
        ("deep", prefix(header=60000, tail=b"[" * 60000)),
        ("second WELCOME", raw(1, {"resume": []})),
        ("unknown job", raw(6, nonce)),
        ("bad nonce", raw(6, {**nonce, "nonce": "x"})),
        ("bad attempt", raw(6, {**nonce, "attempt": True})),
        ("cancel of unknown", raw(5, {**nonce, "reason": "cancelled"})),
        ("bad slot", raw(3, {**start, **limits, "slot": 1})),
        ("bad kind", raw(3, {**start, **limits, "kind": ["source"]})),
        ("no limits", raw(3, start)),
        ("too much body", raw(3, {**start, **limits}, b"x")),
        ("bad env", raw(3, {**start, **limits, "env": {"A=": "b"}})),
        ("NUL in env", raw(3, {**start, **limits, "env": {"A": "\0"}})),
        ("bad timeout", raw(3, {**start, **limits, "timeout": -1})),
        ("bad rlimit", raw(3, {**start, **limits, "rlimits": {"as": 1}})),
        ("bad path", raw(2, {"key": "k", "path": ["relative"]})),
    ]


@pytest.mark.parametrize(
    ("name", "data"), violations(), ids=lambda v: v if type(v) is str else ""
)
def test_violations_end_the_sandbox(name: str, data: bytes) -> None:
    with process_sandbox() as host:
        host.connection.sendall(data)  # type: ignore[union-attr]
        assert faulted(host)["code"] == "violation"


def test_nothing_before_welcome() -> None:
    with process_sandbox(ready=False) as host:
        host.drop()
        host.accept(welcome=False)
        host.send(frames.SHUTDOWN, {})
        assert faulted(host)["code"] == "violation"


def test_an_attempt_is_started_once() -> None:
    with process_sandbox() as host:
        job = host.source(ECHO)
        host.finish(job)
        fields = {"kind": "source", "encoding": "identity", "size": 2, "inflated": 9}
        limits = {"result_limit": 9, "log_limit": 9}
        host.send(frames.START, {**host.nonces[job], **fields, **limits}, b"{}")
        assert faulted(host)["code"] == "violation"


def test_a_third_task_for_one_slot_is_refused() -> None:
    with process_sandbox() as host:
        code = "import time\ndef main():\n    time.sleep(1000)"
        for _ in range(3):
            host.source(code)
        assert faulted(host)["code"] == "violation"


def test_frames_may_be_split_anywhere() -> None:
    with process_sandbox() as host:
        task = json.dumps({"code": ECHO, "args": ["ü" * 3]}).encode()
        plain = host.send
        sent = []
        host.send = lambda *frame: sent.append(frames.encode(*frame))  # type: ignore
        job = host.start("source", task)
        host.send = plain  # type: ignore[method-assign]
        for byte in b"".join(sent):
            host.connection.sendall(bytes((byte,)))  # type: ignore[union-attr]
        assert host.finish(job).value() == "üüü"


def test_every_file_is_embedded() -> None:
    listed = (RUNNER.parent / "RunnerFiles.c").read_text()
    found = [path.relative_to(RUNNER) for path in RUNNER.rglob("*.py")]
    assert found
    for path in found:
        assert '#embed "slipway_runner/%s"' % path in listed
        assert '{"%s",' % path in listed
