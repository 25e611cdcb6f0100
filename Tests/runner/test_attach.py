"""The channel over standard input and output: sessions, strangers' bytes, losses."""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import select
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any, Dict, Iterator, List, Optional

import pytest
from harness import NAMES, RUNNER, Host, frames
from slipway_runner import attach
from test_protocol import check_begun


class StreamHost(Host):
    """A host at the two ends of a supervisor's standard input and output."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.hello: Dict[str, Any] = {}
        self.results = {}
        self.others = []
        self.nonces = {}
        self.acknowledge = True
        self.session = b""
        self._records = attach.Records()

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def open(self, resume: Optional[list] = None, welcome: bool = True) -> Dict:
        """Open a session, pass over what is left of others, and welcome."""
        self.session = secrets.token_hex(8).encode()
        self._records = attach.Records()
        self._records.session = self.session
        self.write(attach.OPEN + self.session + attach.END)
        self.wait(lambda: any(name == "HELLO" for name, _, _ in self.others))
        self.hello = next(h for n, h, _ in self.others if n == "HELLO")
        self.others = [item for item in self.others if item[0] != "HELLO"]
        if welcome:
            self.send(frames.WELCOME, {"resume": resume or []})
        return self.hello

    def send(self, kind: int, header: Dict[str, Any], body: bytes = b"") -> None:
        self.write(attach.record(self.session, frames.encode(kind, header, body)))

    def pump(self, seconds: float) -> None:
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return
        data = os.read(self.process.stdout.fileno(), 1 << 20)
        if not data:
            raise ConnectionError("the supervisor hung up: %r" % self.others[-3:])
        for opens, item in self._records.feed(data):
            assert not opens
            for kind, header, body in frames.Reader(frames.FROM_SUPERVISOR).feed(item):
                self._take(NAMES[kind], header, body)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(20)


@contextlib.contextmanager
def attached(ready: bool = True, **settings: Any) -> Iterator[StreamHost]:
    folder = tempfile.mkdtemp(prefix="slipway-test-")
    argument = {
        "sandbox": "sbx_test",
        "socket": None,
        "uids": None,
        "slots": 1,
        "heartbeat": 0.2,
        "reconnect": 30.0,
        "tmp": folder,
        "runtime": "process",
        **settings,
    }
    script = str(RUNNER / "supervisor.py")
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", script, json.dumps(argument)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    host = StreamHost(process)
    try:
        if ready:
            host.open()
            host.configure()
        yield host
    finally:
        host.close()
        shutil.rmtree(folder, ignore_errors=True)


SLEEPER = "import time\ndef main(n):\n    for i in range(n):\n        print(i, flush=True)\n        time.sleep(0.05)\n    return n"


def test_tasks_run_and_what_the_supervisor_prints_is_no_frame() -> None:
    with attached() as host:
        assert host.run("def main(a): return a * 2", 21).value() == 42
        data = bytes(range(256)) * 3000 + b"\xfe" * 5000 + b"\xfe\x01\xfe\x02\xfe\x03"
        text = data.decode("latin-1")
        assert host.run("def main(t): return t[::-1]", text).value() == text[::-1]
        fds = "import os\ndef main(): return [os.readlink('/proc/%d/fd/%d' % (os.getppid(), n)) for n in (0, 1, 2)]"
        null, out, err = host.run(fds).value()
        assert null == "/dev/null"
        assert out == err


def test_records_survive_every_cut_and_pass_over_other_sessions() -> None:
    draw = random.Random(7)
    ours, theirs = b"0123456789abcdef", b"fedcba9876543210"
    alphabet = b"\xfe\x00\x01\x02\x03ab"
    contents = [
        bytes(draw.choice(alphabet) for _ in range(draw.randrange(60)))
        for _ in range(300)
    ]
    stream = b"rest of something\xfe\x02" + attach.record(theirs, b"x")
    stream += attach.record(theirs, b"cut short")[:-2]
    stream += attach.OPEN + ours + attach.END
    for content in contents:
        stream += attach.record(ours, content) + attach.record(theirs, content)
    for step in (1, 2, 3, 7, 64, len(stream)):
        records = attach.Records()
        found: List[Any] = []
        for start in range(0, len(stream), step):
            found += records.feed(stream[start : start + step])
        assert found[0] == (True, ours)
        assert [item for _, item in found[1:]] == contents


def test_a_foreign_piece_inside_a_record_is_never_taken_for_a_frame() -> None:
    draw = random.Random(11)
    ours, theirs = b"0123456789abcdef", b"fedcba9876543210"
    start = frames.encode(frames.START, {"job": "j"}, b"\xfe" + b"body" * 50)
    mine = attach.record(ours, start)
    foreign = attach.record(theirs, start) * 3
    for _ in range(20000):
        at = draw.randrange(1, len(mine))
        first = draw.randrange(len(foreign))
        piece = foreign[first : first + draw.randrange(1, 200)]
        records = attach.Records()
        records.session = ours
        taken = []
        try:
            for _, item in records.feed(mine[:at] + piece + mine[at:]):
                reader = frames.Reader(frames.FROM_HOST)
                got = reader.feed(item)
                if len(got) != 1 or reader.is_partial:
                    raise frames.Violation("not one frame")
                taken.append(item)
        except frames.Violation:
            continue
        assert taken in ([], [start]), (at, piece)


def test_a_session_that_is_cut_anywhere_is_followed_by_a_sound_one() -> None:
    draw = random.Random(3)
    with attached() as host:
        for _ in range(30):
            old = host.session
            key = {"job": "job_x", "attempt": 1, "nonce": secrets.token_hex(16)}
            frame = frames.encode(frames.INPUT, key, b"\xfe" * 200)
            whole = attach.record(old, frame)
            host.write(whole[: draw.randrange(len(whole))])
            host.open()
            # What the old host still had on its way comes late, and counts no more.
            host.write(attach.record(old, frames.encode(frames.SHUTDOWN, {})))
            assert host.run("def main(): return 1").value() == 1


def test_a_result_without_ack_comes_again_in_the_next_session() -> None:
    with attached() as host:
        host.acknowledge = False
        job = host.source(SLEEPER, 10)
        host.result(job)
        key = host.nonces[job]
        assert host.open(welcome=False)["results"] == [key]
        host.results[job] = type(host.results[job])()
        host.acknowledge = True
        host.send(frames.WELCOME, {"resume": [key]})
        again = host.finish(job)
        assert again.value() == 10
        assert again.text() == b"".join(b"%d\n" % i for i in range(10))
        assert host.open()["results"] == []


def test_a_running_task_is_taken_back_with_all_its_output() -> None:
    with attached() as host:
        job = host.source(SLEEPER, 20)
        host.wait(lambda: host.results[job].text().startswith(b"0\n1\n"))
        key = host.nonces[job]
        time.sleep(0.3)
        assert host.open(welcome=False)["running"] == [key]
        host.results[job] = type(host.results[job])()
        host.send(frames.WELCOME, {"resume": [key]})
        assert host.finish(job).text() == b"".join(b"%d\n" % i for i in range(20))


def test_frames_without_a_session_are_passed_over() -> None:
    with attached(ready=False) as host:
        host.write(attach.record(b"0" * 16, frames.encode(frames.SHUTDOWN, {})))
        host.write(os.urandom(3 << 20))
        host.open()
        host.configure()
        assert host.run("def main(): return 1").value() == 1


@pytest.mark.parametrize(
    "broken",
    [
        lambda s: attach.record(s, frames.encode(frames.ACK, {}))[:-2] * 2,
        lambda s: attach.FRAME + s + b"\xfe\x07" + attach.END,
        lambda s: attach.record(s, b"no frame"),
        lambda s: attach.record(s, frames.encode(frames.SHUTDOWN, {}) * 2),
        lambda s: attach.FRAME + s + b"x" * (attach.MAX_RECORD + 70000),
    ],
)
def test_a_broken_record_ends_the_sandbox(broken: Any) -> None:
    with attached() as host:
        host.write(broken(host.session))
        host.write(attach.record(host.session, b""))
        with pytest.raises(ConnectionError):
            host.wait(lambda: False, 10)
        assert host.others[-1][0] == "FAULT"
        assert host.process.wait(10) == 1


def test_the_end_of_input_ends_the_sandbox() -> None:
    with attached() as host:
        assert host.process.stdin is not None
        host.process.stdin.close()
        assert host.process.wait(10) == 0


def test_silence_ends_the_sandbox_and_a_sign_keeps_it() -> None:
    with attached(reconnect=1.0) as host:
        for _ in range(8):
            time.sleep(0.25)
            host.write(attach.record(host.session, b""))
        assert host.run("def main(): return 1").value() == 1
        assert host.process.wait(10) == 0


def test_a_host_that_does_not_read_stalls_nothing_but_itself() -> None:
    with attached() as host:
        job = host.source("def main(): return 'x' * 3000000 + '%d' % id(0)")
        time.sleep(2.0)
        result = host.finish(job)
        assert len(result.value()) > 3000000


def test_what_was_not_read_when_the_zygote_died_is_not_among_what_began() -> None:
    with attached(slots=2, heartbeat=0.1) as host:
        check_begun(host)
