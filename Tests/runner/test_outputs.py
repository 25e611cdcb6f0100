"""Files that a task leaves in $SLIPWAY_OUTPUT, and attempts to leave something else."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Dict, List

import pytest
from harness import Host, Result, process_sandbox
from slipway_runner import frames, outputs
from slipway_runner.collect import BACKLOG_BYTES, Collection
from slipway_runner.jobs import Job
from slipway_runner.loop import Loop
from test_hostile import healthy

OUT = "import os\nout = os.environ['SLIPWAY_OUTPUT']\n"


def left(sandbox: Host, body: str, **fields: Any) -> Result:
    """Run statements with `out`, the output folder, at hand."""
    lines = "".join("    %s\n" % line for line in body.strip().split("\n"))
    return sandbox.run(OUT + "def main():\n" + lines + "    return 1\n", **fields)


def test_files_arrive_before_the_result(sandbox: Host) -> None:
    body = """
open(out + '/a.txt', 'w').write('hello')
os.makedirs(out + '/sub/deeper')
open(out + '/sub/deeper/b.bin', 'wb').write(bytes(range(256)) * 4096)
open(out + '/empty', 'w').close()
open(out + '/\\u00fc n.txt', 'w').write('x')
"""
    result = left(sandbox, body)
    assert result.value() == 1
    assert result.files == {
        "a.txt": b"hello",
        "empty": b"",
        "sub/deeper/b.bin": bytes(range(256)) * 4096,
        "ü n.txt": b"x",
    }
    assert result.outputs is not None
    assert (result.outputs["files"], result.outputs["skipped"]) == (4, [])
    assert result.outputs["cut"] is False


def test_the_folder_is_there_and_gone(sandbox: Host) -> None:
    code = OUT + (
        "def main():\n"
        "    return [out, oct(os.stat(out).st_mode), os.listdir(out),\n"
        "            os.stat(out).st_uid == os.getuid()]\n"
    )
    for _ in range(3):
        result = sandbox.run(code)
        _, mode, names, own = result.value()
        assert (mode, names, own) == ("0o40700", [], True)
        assert result.outputs is None and result.files == {}
        assert result.clean is not None and result.clean["scrubbed"] == 0


def test_nothing_is_left_for_the_next(sandbox: Host) -> None:
    assert left(sandbox, "open(out + '/a', 'w').write('secret')").files
    code = OUT + "def main():\n    return os.listdir(out)\n"
    for _ in range(2):
        assert sandbox.run(code).value() == []


@pytest.mark.parametrize(
    "ending, outcome, kept",
    [
        ("raise ValueError('x')", "exception", True),
        ("raise SystemExit(3)", "exit", True),
        ("os._exit(4)", "exit", True),
        ("os.kill(os.getpid(), 11)", "signal", True),
        ("return lambda: 1", "exception", True),
        ("import time; time.sleep(60)", "timeout", False),
    ],
)
def test_after_failures(sandbox: Host, ending: str, outcome: str, kept: bool) -> None:
    body = "open(out + '/core.log', 'w').write('why')\n" + ending
    result = left(sandbox, body, timeout=1.0 if outcome == "timeout" else None)
    assert result.outcome == outcome
    assert result.files == ({"core.log": b"why"} if kept else {})
    assert (result.outputs is not None) is kept
    assert sandbox.run(OUT + "def main():\n    return os.listdir(out)").value() == []


def test_command(sandbox: Host) -> None:
    script = 'mkdir "$SLIPWAY_OUTPUT/d"; echo one > "$SLIPWAY_OUTPUT/d/1"; echo done'
    result = sandbox.finish(sandbox.command("sh", "-c", script))
    assert result.outcome == "ok" and result.text() == b"done\n"
    assert result.files == {"d/1": b"one\n"}
    script = 'echo two > "$SLIPWAY_OUTPUT/2"; exit 7'
    result = sandbox.finish(sandbox.command("sh", "-c", script))
    assert (result.outcome, result.header["exit_code"]) == ("exit", 7)
    assert result.files == {"2": b"two\n"}
    # The last line is one without a newline, too, while the files are still read.
    script = 'echo x > "$SLIPWAY_OUTPUT/x"; printf "{\\"a\\":1}\\n{\\"b\\":2}"'
    result = sandbox.finish(sandbox.command("sh", "-c", script, protocol="jsonl"))
    assert result.events == [{"a": 1}, {"b": 2}]
    assert result.files == {"x": b"x\n"}


def test_output_and_events_of_the_last_moment_come_before_the_result(
    sandbox: Host,
) -> None:
    body = """
import subprocess, slipway
open(out + '/big', 'wb').write(os.urandom(8 << 20))
slipway.emit({'type': 'note'})
print('last words')
"""
    result = left(sandbox, body)
    assert result.text() == b"last words\n" and result.events == [{"type": "note"}]
    assert len(result.files["big"]) == 8 << 20


LINKS = """
os.symlink('/etc/passwd', out + '/passwd')
os.symlink('/proc/1/environ', out + '/environ')
os.symlink('/', out + '/root')
os.symlink('..', out + '/up')
open('mine', 'w').write('twice')
os.link('mine', out + '/hard')
os.mkfifo(out + '/pipe')
open(out + '/closed', 'w').close()
os.chmod(out + '/closed', 0)
os.mkdir(out + '/shut', 0)
import socket
s = socket.socket(socket.AF_UNIX)
s.bind(out + '/socket')
open(out + '/line\\nbreak', 'w').close()
open(out.encode() + b'/bad\\xff', 'w').close()
open(out + '/back\\\\slash', 'w').close()
with open(out + '/sparse', 'w') as f:
    f.truncate(100 << 30)
open(out + '/good', 'w').write('good')
"""


def test_only_plain_files_of_one_name_are_read(container: Host) -> None:
    began = time.monotonic()
    result = left(container, LINKS)
    assert time.monotonic() - began < 10
    assert result.files == {"good": b"good"}
    skipped = result.skipped()
    assert set(skipped) == {
        "passwd",
        "environ",
        "root",
        "up",
        "hard",
        "pipe",
        "closed",
        "shut",
        "socket",
        "line\\x0abreak",
        "bad\\xff",
        "back\\x5cslash",
        "sparse",
    }
    for name in ("passwd", "environ", "root", "up"):
        assert skipped[name] == "is a symbolic link"
    assert "hard link" in skipped["hard"]
    assert skipped["pipe"] == "is a named pipe"
    assert skipped["closed"] == skipped["shut"] == "Permission denied"
    assert "limit of 33554432 bytes" in skipped["sparse"]
    healthy(container)


@pytest.mark.parametrize("target", ["/etc", "/proc/1", "/tmp", "out"])
def test_the_folder_itself_may_not_be_a_link(container: Host, target: str) -> None:
    body = "os.rmdir(out)\nos.symlink(%r, out)" % target
    result = left(container, body)
    assert result.outcome == "ok" and result.files == {}
    assert list(result.skipped()) == [""]
    healthy(container)


def test_the_folder_may_be_missing_or_something_else(container: Host) -> None:
    assert left(container, "os.rmdir(out)").outputs is None
    result = left(container, "os.rmdir(out)\nos.mkfifo(out)")
    assert result.outcome == "ok" and result.files == {}
    result = left(container, "open(out + '/a', 'w').close()\nos.chmod(out, 0)")
    assert result.files == {} and result.skipped() == {
        "": "the folder cannot be read: Permission denied"
    }
    healthy(container)


def test_limits_of_count_size_and_depth(container: Host) -> None:
    body = """
for i in range(150):
    open(out + '/f%03d' % i, 'w').write(str(i))
"""
    result = left(container, body)
    assert len(result.files) == 100 and result.outputs is not None
    assert result.outputs["cut"] is True and result.outputs["files"] == 100
    body = """
for i in range(3):
    with open(out + '/big%d' % i, 'wb') as f:
        f.truncate(30 << 20)
"""
    result = left(container, body)
    assert sorted(result.files) == ["big0", "big1"]
    assert "limit of bytes for all" in result.skipped()["big2"]
    body = """
path = out
for i in range(40):
    path += '/d'
    os.mkdir(path)
    open(path + '/f', 'w').close()
"""
    result = left(container, body)
    assert len(result.files) == 31
    assert list(result.skipped().values()) == ["lies deeper than 32 folders"]
    body = "os.makedirs(out + 5 * ('/' + 'n' * 250))\nopen(out + '/a', 'w').close()"
    result = left(container, body)
    assert result.files == {"a": b""}
    assert "more than 1024 bytes" in next(iter(result.skipped().values()))
    healthy(container)


def test_very_many_entries_take_little_time(container: Host) -> None:
    body = """
os.chdir(out)
for i in range(100000):
    os.symlink('x', 'l%d' % i)
"""
    result = left(container, body)
    assert result.outputs is not None
    assert result.outputs["cut"] is True and result.files == {}
    assert result.outputs["skipped_count"] == 1200
    healthy(container)


def test_a_racing_task_gains_nothing(container: Host) -> None:
    """Files become links, pipes and folders, and grow, while they are read."""
    body = """
import subprocess, sys, textwrap, time
code = textwrap.dedent('''
import os, sys
out = sys.argv[1]
os.chdir(out)
grow = open("grow", "ab", 0)
while True:
    try:
        grow.write(b"g" * 65536 if os.fstat(grow.fileno()).st_size < (16 << 20) else b"")
        for make in (lambda: os.symlink("/etc/passwd", "x"), lambda: os.mkfifo("x"),
                     lambda: open("x", "w").close(), lambda: os.mkdir("x")):
            make()
            os.rename("x", "y") if not os.path.isdir("y") else os.rmdir("y")
            if os.path.lexists("x"):
                os.rmdir("x") if os.path.isdir("x") else os.unlink("x")
    except OSError:
        pass
''')
open(out + '/big', 'wb').write(b'b' * (20 << 20))
subprocess.Popen([sys.executable, '-c', code, out])
for _ in range(1000):
    if os.path.exists(out + '/grow'):
        break
    time.sleep(0.01)
time.sleep(0.2)
"""
    for _ in range(3):
        result = left(container, body)
        assert result.outcome == "ok"
        assert len(result.files["big"]) == 20 << 20
        assert set(result.files) <= {"big", "grow", "x", "y"}
        assert set(result.files["grow"]) <= {ord("g")}
        assert all(b"root:" not in data for data in result.files.values())
    healthy(container)


def test_the_reader_cannot_be_touched(container: Host) -> None:
    body = """
import subprocess, sys, textwrap
code = textwrap.dedent('''
import os, signal, sys
seen = set()
log = open("/dev/shm/log", "w")
while True:
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) in (1, os.getpid(), os.getppid()):
            continue
        for number in (signal.SIGKILL, signal.SIGSTOP):
            try:
                if os.stat("/proc/" + name).st_uid != os.getuid():
                    os.kill(int(name), number)
                    print("KILLED", name, file=log, flush=True)
            except OSError:
                pass
        for part in ("mem", "fd/3", "cwd/x"):
            try:
                if os.stat("/proc/" + name).st_uid != os.getuid():
                    open("/proc/%s/%s" % (name, part), "r+b")
                    print("OPENED", name, part, file=log, flush=True)
            except OSError:
                pass
    os.system("cp /dev/shm/log %s/log 2>/dev/null" % sys.argv[1]) if log.tell() else None
''')
open(out + '/big', 'wb').write(b'b' * (24 << 20))
open(out + '/log', 'w').close()
subprocess.Popen([sys.executable, '-c', code, out])
import time
for _ in range(1000):
    if os.path.exists('/dev/shm/log'):
        break
    time.sleep(0.01)
time.sleep(0.2)
"""
    result = left(container, body)
    assert result.files == {"big": b"b" * (24 << 20), "log": b""}
    healthy(container)


def test_cancel_while_outputs_are_read(container: Host) -> None:
    from slipway_runner import frames

    code = OUT + (
        "def main():\n"
        "    for i in range(2):\n"
        "        open(out + '/%d' % i, 'wb').write(b'x' * (25 << 20))\n"
        "    return 1\n"
    )
    job = container.source(code)
    container.wait(lambda: bool(container.results[job].files))
    container.send(frames.CANCEL, {**container.nonces[job], "reason": "cancelled"})
    result = container.finish(job)
    assert result.outcome in ("cancelled", "ok")
    healthy(container)


def test_read_again_after_a_lost_connection() -> None:
    code = OUT + (
        "import time\n"
        "def main():\n"
        "    open(out + '/a', 'w').write('a' * 1000)\n"
        "    open(out + '/b', 'wb').write(b'b' * (24 << 20))\n"
        "    print('printed')\n"
        "    return 5\n"
    )
    with process_sandbox() as host:
        for moment in ("before", "while", "after"):
            host.acknowledge = False
            job = host.source(code)
            result = host.results[job]
            if moment == "before":
                time.sleep(0.1)
            elif moment == "while":
                while "b" not in result.files:
                    host.pump(10)
            else:
                host.result(job)
            # The tests' host takes everything again from the beginning.
            host.results[job] = Result()
            host.drop()
            host.accept([host.nonces[job]])
            host.acknowledge = True
            result = host.finish(job)
            assert result.value() == 5 and result.text() == b"printed\n"
            assert {name: len(data) for name, data in result.files.items()} == {
                "a": 1000,
                "b": 24 << 20,
            }
            assert result.outputs is not None and result.outputs["files"] == 2
            assert os.listdir(host.tmp) == []  # type: ignore[attr-defined]


def test_outputs_stay_until_they_are_acknowledged() -> None:
    from slipway_runner import frames

    with process_sandbox() as host:
        host.acknowledge = False
        code = OUT + "def main():\n    open(out + '/a', 'w').write('a')\n"
        job = host.source(code)
        host.result(job)
        time.sleep(0.2)
        assert host.results[job].clean is None
        assert "output-0" in os.listdir(host.tmp)  # type: ignore[attr-defined]
        host.send(frames.ACK, host.nonces[job])
        host.finish(job)
        host.acknowledge = True
        assert host.run("def main():\n    return 2").value() == 2


def test_a_host_that_does_not_resume_frees_the_slot() -> None:
    with process_sandbox() as host:
        host.acknowledge = False
        code = OUT + "def main():\n    open(out + '/a', 'w').write('a')\n"
        host.result(host.source(code))
        host.drop()
        host.accept([])
        host.acknowledge = True
        assert host.run("def main():\n    return 2").value() == 2


def test_without_limits_nothing_is_kept() -> None:
    with process_sandbox() as host:
        host.configure(outputs=None)
        result = left(host, "open(out + '/a', 'w').close()")
        assert result.outputs is None and result.files == {}


def test_what_is_not_read_in_time_is_left_out() -> None:
    limits = {"files": 10, "file_bytes": 1 << 27, "bytes": 1 << 28, "milliseconds": 1}
    body = """
with open(out + '/b', 'wb') as f:
    f.truncate(64 << 20)
"""
    with process_sandbox() as host:
        host.configure(outputs=limits)
        result = left(host, body)
        assert result.value() == 1
        reasons = [item["reason"] for item in (result.outputs or {})["skipped"]]
        limit = "0.001 s (jobs.output_timeout)"
        told = "outputs are missing: reading them took more than " + limit
        assert reasons == [told]
        # The sandbox is none the worse for it.
        host.configure(outputs={**limits, "milliseconds": 600000})
        assert len(left(host, body).files["b"]) == 64 << 20


def test_slow_host_is_waited_for() -> None:
    """The supervisor reads no faster than the host does."""
    with process_sandbox() as host:
        code = OUT + (
            "def main():\n    open(out + '/b', 'wb').write(b'b' * (30 << 20))\n"
        )
        job = host.source(code)
        time.sleep(1.0)
        pid = host.process.pid  # type: ignore[attr-defined]
        status = Path("/proc/%d/status" % pid).read_text()
        resident = int(status.partition("VmRSS:")[2].split()[0])
        assert resident < 40 << 10, "%d KiB" % resident
        assert len(host.finish(job).files["b"]) == 30 << 20


def test_nothing_wakes_the_supervisor_while_the_host_is_behind(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)
    limits = {"files": 9, "file_bytes": 999, "bytes": 999, "milliseconds": 20000}
    loop = Loop()
    made: List[Any] = []
    job = Job(("job", 1, "0" * 32), {"log_limit": 10})
    collection = Collection(loop, job, made.extend)
    collection.on_done = loop.stop
    collection.start(None, None, str(tmp_path), limits)
    collection.pace(BACKLOG_BYTES + 1)
    os.waitpid(collection.pid or -1, 0)  # It has said everything and hung up.
    collection.pid = None
    loop.after(0.1, loop.stop)
    wakes: List[int] = []
    wait = loop._wait_seconds
    loop._wait_seconds = lambda: (wakes.append(1), wait())[1]  # type: ignore[method-assign]
    loop.run()
    assert len(wakes) <= 3 and not made
    collection.pace(0)
    loop._running = True
    loop.run()
    assert [item[1] for item in made] == [frames.OUTPUT, frames.OUTPUTS]


def collected(folder: str, **limits: int) -> Dict[str, bytes]:
    """Collect in this process; return the packets' first words."""
    packets = []
    wanted = {"files": 10, "file_bytes": 1 << 20, "bytes": 1 << 20, **limits}
    outputs.Collector(packets.append, wanted).collect(folder)
    files = {}
    for packet in packets:
        if packet[:1] == b"F":
            length, last = outputs.FILE.unpack_from(packet, 1)
            start = 1 + outputs.FILE.size
            files[packet[start : start + length].decode()] = packet[start + length :]
            assert last
    return files


def test_collector_alone(tmp_path: Any) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"22")
    assert collected(str(tmp_path)) == {"a": b"1", "b": b"22"}
    assert collected(str(tmp_path), files=1) == {"a": b"1"}
    assert collected(str(tmp_path), bytes=2) == {"a": b"1"}
    assert collected(str(tmp_path / "none")) == {}


@pytest.mark.parametrize(
    "name, shown",
    [
        ("a\nb", "a\\x0ab"),
        ("\udcff", "\\xff"),
        ("\x85", "\\x85"),
        ("\ud800", "\\ud800"),
        ("x" * 300, "x" * 200),
    ],
)
def test_names_are_shown_without_harm(name: str, shown: str) -> None:
    assert outputs.readable(name) == shown
