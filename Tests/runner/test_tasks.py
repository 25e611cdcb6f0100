"""What ordinary and clumsy tasks come back as, in both kinds of sandbox."""

from __future__ import annotations

import base64
import json
import os
import pickle
import signal
from typing import Any, Dict, Optional

import pytest
from harness import Host

SIZES = [10, 12_000, 130_000, 1_000_000, 20_000_000]


def test_source_returns_json(sandbox: Host) -> None:
    result = sandbox.run("def main(x, y=1):\n    return x * y", 21, kwargs={"y": 2})
    assert (result.outcome, result.value()) == ("ok", 42)


@pytest.mark.parametrize("kind", ["source", "command"])
def test_null_counts_as_left_out(sandbox: Host, kind: str) -> None:
    tasks: Dict[str, Dict[str, Any]] = {
        "source": {"code": "def main(*a, **k):\n    return [a, k]"},
        "command": {"argv": ["sh", "-c", "ls; cat"], "files": {"a": "", "b": None}},
    }
    nulls = ["entrypoint", "args", "kwargs", "stdin", "protocol"]
    task = json.dumps({**dict.fromkeys(nulls), **tasks[kind]}).encode()
    result = sandbox.finish(sandbox.start(kind, task))
    assert result.outcome == "ok", result.header
    if kind == "source":
        assert result.value() == [[], {}]
    else:
        assert result.text() == b"a\n"


def test_source_may_be_async(sandbox: Host) -> None:
    code = "import asyncio\nasync def go(x):\n    await asyncio.sleep(0)\n    return x"
    assert sandbox.run(code, "é", entrypoint="go").value() == "é"


def test_callable_returns_pickle(sandbox: Host) -> None:
    data = pickle.dumps((sorted, ([3, 1, 2],), {"reverse": True}), 4)
    result = sandbox.finish(sandbox.start("callable", data))
    assert (result.header["media"], result.value()) == ("pickle", [3, 2, 1])


def test_callable_of_an_unknown_module_is_a_dependency(sandbox: Host) -> None:
    data = b"cno_such_module\nthing\n."
    result = sandbox.finish(sandbox.start("callable", data))
    assert result.outcome == "dependency"
    assert "no_such_module" in result.error["message"]


def test_callable_of_another_python_is_told_before_it_runs(sandbox: Host) -> None:
    result = sandbox.finish(sandbox.start("callable", b"garbage", python="2.7"))
    assert result.outcome == "python_mismatch"
    assert "2.7" in result.error["message"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("compressible", [True, False])
def test_results_come_back_whole(sandbox: Host, size: int, compressible: bool) -> None:
    code = (
        "import os, hashlib\n"
        "def main(size, compressible):\n"
        "    s = 'a' * size if compressible else os.urandom(size // 2).hex()\n"
        "    return [s, hashlib.sha256(s.encode()).hexdigest()]\n"
    )
    text, digest = sandbox.run(code, size, compressible).value()
    import hashlib

    assert len(text) == size
    assert hashlib.sha256(text.encode()).hexdigest() == digest


@pytest.mark.parametrize("size", [1_048_000, 5_000_000])
def test_inputs_of_any_size_arrive(sandbox: Host, size: int) -> None:
    text = "é" * (size // 2)
    assert sandbox.run("def main(s):\n    return len(s)", text).value() == size // 2


def test_zlib_input(sandbox: Host) -> None:
    import zlib

    task = json.dumps({"code": "def main():\n    return 7"}).encode()
    job = sandbox.start("source", zlib.compress(task), encoding="zlib")
    assert sandbox.finish(job).value() == 7


def test_bomb_stops_at_its_limit(sandbox: Host) -> None:
    import zlib

    bomb = zlib.compress(b" " * 50_000_000)
    job = sandbox.start("source", bomb, encoding="zlib", inflated=1 << 20)
    result = sandbox.finish(job)
    assert result.outcome == "protocol"
    assert result.header["usage"]["max_rss"] < 64 << 20


def test_50_megabytes_are_too_much_for_a_limit(sandbox: Host) -> None:
    code = "def main():\n    return 'x' * 50_000_000"
    result = sandbox.run(code, result_limit=1 << 20)
    assert result.outcome == "result_too_large"


def test_exception_has_the_tasks_own_frames(sandbox: Host) -> None:
    code = "def inner():\n    raise ValueError('no: ü')\ndef main():\n    inner()"
    error = sandbox.run(code).error
    assert (error["type"], error["message"]) == ("ValueError", "no: ü")
    assert "in inner" in error["traceback"] and "raise ValueError" in error["traceback"]
    assert "execute.py" not in error["traceback"]


@pytest.mark.parametrize(
    "body",
    [
        "class E(Exception):\n    def __str__(self): raise KeyError\nraise E",
        "class E(Exception):\n    def __repr__(self): raise KeyError\nraise E",
        "raise type('\\ud800', (Exception,), {})('\\udfff\\0')",
        "raise Exception('x' * 10_000_000)",
        "def f(): f()\nf()",
        "raise KeyboardInterrupt",
        "raise GeneratorExit",
    ],
)
def test_odd_exceptions_are_exceptions(sandbox: Host, body: str) -> None:
    code = "def main():\n" + "".join("    %s\n" % line for line in body.split("\n"))
    result = sandbox.run(code)
    assert result.outcome == "exception"
    assert len(result.error["message"].encode()) <= 16384
    assert len(result.error["traceback"].encode()) <= 65536


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("odd", ["", "\f", "x = '\u2028\x85\x1c'", "# \v"])
def test_lines_are_those_of_the_compiler(sandbox: Host, end: str, odd: str) -> None:
    lines = [odd, "def main():", "    # said", "    raise ValueError"]
    trace = sandbox.run(end.join(lines)).error["traceback"]
    assert "line 4, in main\n    raise ValueError\n" in trace
    trace = sandbox.run(end.join(lines) + end).error["traceback"]
    assert "line 4, in main\n    raise ValueError\n" in trace


def test_one_byte_order_mark_may_begin_the_code(sandbox: Host) -> None:
    assert sandbox.run("\ufeffdef main():\n    return 1").value() == 1
    error = sandbox.run("\ufeff\ufeffdef main():\n    return 1").error
    assert error["type"] == "SyntaxError"


def test_syntax_error_and_missing_entrypoint(sandbox: Host) -> None:
    assert sandbox.run("def main(:").error["type"] == "SyntaxError"
    assert "entrypoint" in sandbox.run("x = 1").error["message"]


@pytest.mark.parametrize(
    ("value", "outcome"), [("object()", "exception"), ("float('nan')", "exception")]
)
def test_source_value_must_be_json(sandbox: Host, value: str, outcome: str) -> None:
    result = sandbox.run("def main():\n    return " + value)
    assert (result.outcome, result.error["type"]) == (outcome, "TypeError")
    assert "JSON" in result.error["message"]


def test_unpicklable(sandbox: Host) -> None:
    data = pickle.dumps((eval, ("(i for i in ())",), {}), 4)
    result = sandbox.finish(sandbox.start("callable", data))
    assert result.outcome == "unpicklable"


@pytest.mark.parametrize(
    ("statement", "outcome", "code"),
    [
        ("sys.exit()", "exit", 0),
        ("sys.exit(5)", "exit", 5),
        ("sys.exit('bye')", "exit", 1),
        ("os._exit(3)", "exit", 3),
        ("os.kill(os.getpid(), 11)", "signal", None),
        ("os.kill(os.getpid(), 9)", "signal", None),
    ],
)
def test_ends(sandbox: Host, statement: str, outcome: str, code: object) -> None:
    result = sandbox.run("import os, sys\ndef main():\n    " + statement)
    assert (result.outcome, result.header["exit_code"]) == (outcome, code)
    if outcome == "signal":
        assert result.header["signal"] in (9, 11)


def test_segfault(sandbox: Host) -> None:
    result = sandbox.run("import ctypes\ndef main():\n    ctypes.string_at(0)")
    assert (result.outcome, result.header["signal"]) == ("signal", signal.SIGSEGV)


def test_output_is_captured_before_the_result(sandbox: Host) -> None:
    code = (
        "import sys, os, ctypes\n"
        "def main():\n"
        "    print('a é', end='')\n"
        "    print('b', file=sys.stderr)\n"
        "    ctypes.CDLL(None).printf(b'from C')\n"
        "    os.system('printf shell')\n"
    )
    result = sandbox.run(code)
    out = result.text()
    assert sorted(out.decode()) == sorted("a éfrom Cshell")
    assert result.text("stderr") == b"b\n"
    assert result.header["log_bytes"]["stdout"] == len(out)


def test_flood_keeps_head_and_tail(sandbox: Host) -> None:
    code = (
        "import sys\n"
        "def main():\n"
        "    line = 'x' * 9999 + '\\n'\n"
        "    print('first')\n"
        "    for _ in range(10_000): sys.stdout.write(line)\n"
        "    print('last', end='')\n"
    )
    result = sandbox.run(code, log_limit=1 << 20)
    total = 100_000_000 + 6 + 4
    logs = result.logs["stdout"]
    assert result.outcome == "ok"
    assert result.header["log_bytes"]["stdout"] == total
    assert len(result.text()) == 1 << 20
    assert result.text().startswith(b"first\n") and result.text().endswith(b"last")
    expected = 0
    for offset, skipped, data in logs:
        assert offset == expected + skipped
        expected = offset + len(data)
    assert expected == total


def test_events_and_progress(sandbox: Host) -> None:
    code = (
        "import slipway, os\n"
        "def main():\n"
        "    slipway.emit({'a': 1})\n"
        "    if os.fork() == 0:\n"
        "        slipway.emit({'child': True}); os._exit(0)\n"
        "    os.wait()\n"
        "    slipway.progress(3, 10, 'three')\n"
        "    try: slipway.emit({'x': 'y' * 70000})\n"
        "    except ValueError: return 'refused'\n"
    )
    result = sandbox.run(code)
    progress = {"type": "progress", "current": 3, "total": 10, "message": "three"}
    assert result.events == [{"a": 1}, {"child": True}, progress]
    assert result.value() == "refused"


def test_event_flood_is_counted(sandbox: Host) -> None:
    code = (
        "import slipway\n"
        "def main():\n    for i in range(11_000): slipway.emit({'i': i})\n"
    )
    result = sandbox.run(code)
    assert len(result.events) == 10_000
    assert result.header["events_dropped"] == 1_000


@pytest.mark.parametrize(
    ("count", "event", "kept"),
    [(10_100, {"n": 1}, 10_000), (40, {"text": "x" * 60_000}, 16)],
)
def test_one_exception_finds_room_after_a_flood_of_events(
    sandbox: Host, count: int, event: Dict[str, Any], kept: int
) -> None:
    code = (
        "import slipway\n"
        "def main(count, event):\n"
        "    for i in range(count): slipway.emit(event)\n"
        "    for i in range(3): slipway.emit({'type': 'exception', 'i': i, 'x': 'y' * 65_000})\n"
    )
    result = sandbox.run(code, count, event)
    *others, last = result.events
    assert (last["type"], last["i"]) == ("exception", 0)
    assert all(other == event for other in others)
    assert len(others) == kept
    size = sum(len(json.dumps(e, separators=(",", ":"))) for e in result.events)
    assert size <= 1048576
    assert result.header["events_dropped"] == count - kept + 2


def test_command(sandbox: Host) -> None:
    data = base64.b64encode(b"\0bin").decode()
    job = sandbox.command(
        "sh",
        "-c",
        "cat; cat sub/f; echo err >/dev/stderr; echo $MODE; exit 3",
        stdin="in ",
        files={"sub/f": {"encoding": "base64", "data": data}},
        env={"MODE": "fast"},
    )
    result = sandbox.finish(job)
    assert (result.outcome, result.header["exit_code"]) == ("exit", 3)
    assert result.text() == b"in \0binfast\n"
    assert result.text("stderr") == b"err\n"


@pytest.mark.parametrize("protocol", ["jsonl", "none", None])
def test_command_lines_become_events(sandbox: Host, protocol: Optional[str]) -> None:
    text = '{"a":1}\\nplain\\n[1]\\n{bad}\\n{"b":2}'
    for _ in range(5):
        job = sandbox.command("printf", text, protocol=protocol)
        result = sandbox.finish(job)
        assert (result.outcome, result.header["media"]) == ("ok", "text")
        assert result.events == ([{"a": 1}, {"b": 2}] if protocol == "jsonl" else [])
        assert result.text().startswith(b'{"a":1}\nplain\n')


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "", "."])
def test_command_files_stay_inside(sandbox: Host, name: str) -> None:
    result = sandbox.finish(sandbox.command("true", files={name: "x"}))
    assert result.outcome == "exception"
    assert "file name" in result.error["message"]


def test_command_that_is_missing(sandbox: Host) -> None:
    result = sandbox.finish(sandbox.command("no-such-command"))
    assert result.error["type"] == "FileNotFoundError"


def test_surroundings(sandbox: Host) -> None:
    code = (
        "import os, resource\n"
        "def main():\n"
        "    fds = sorted(int(f) for f in os.listdir('/proc/self/fd'))[:4]\n"
        "    return [os.environ['HOME'] == os.getcwd(), os.environ['USER'], fds,\n"
        "        os.getsid(0) == os.getpid(), os.listdir('.'),\n"
        "        os.stat('.').st_mode & 0o777,\n"
        "        resource.getrlimit(resource.RLIMIT_NOFILE)[0], os.environ['A']]\n"
    )
    result = sandbox.run(code, env={"A": "b=c"}, rlimits={"nofile": 77})
    expected = [True, "task", [0, 1, 2, 3], True, [], 0o700, 77, "b=c"]
    assert result.value() == expected


def test_siblings_draw_different_numbers(sandbox: Host) -> None:
    code = "import random\ndef main():\n    return random.random()"
    assert sandbox.run(code).value() != sandbox.run(code).value()


def test_nothing_of_a_task_is_in_the_next(sandbox: Host) -> None:
    plant = (
        "import os, sys, json\n"
        "def main():\n"
        "    os.environ['PLANTED'] = '1'; json.PLANTED = 1; sys.path.append('/planted')\n"
        "    open('planted', 'w').close(); open('../planted', 'w').close()\n"
        "    os.open('/dev/null', os.O_RDONLY)\n"
    )
    look = (
        "import os, sys, json\n"
        "def main():\n"
        "    return ['PLANTED' in os.environ, hasattr(json, 'PLANTED'),\n"
        "            '/planted' in sys.path, os.listdir('.'), 'planted' in os.listdir('..')]\n"
    )
    planted = sandbox.run(plant)
    assert planted.outcome == "ok" and planted.clean["scrubbed"] >= 1
    assert sandbox.run(look).value() == [False, False, False, [], False]


def test_descriptors_share_nothing_with_the_next(sandbox: Host) -> None:
    code = (
        "import fcntl, os\n"
        "def main(plant):\n"
        "    fcntl.flock(0, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "    found = [os.get_blocking(fd) for fd in range(3)]\n"
        "    for fd in range(3):\n"
        "        if plant: os.set_blocking(fd, False)\n"
        "    if plant: fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())\n"
        "    return found + [fcntl.fcntl(0, fcntl.F_GETOWN), os.read(0, 1) == b'']\n"
    )
    for plant in (True, True, False, False):
        result = sandbox.run(code, plant)
        found = result.value()
        assert found[:3] + found[4:] == [True] * 4
        assert plant or found[3] == 0


def test_timeout_and_cancel_kill_the_tree(sandbox: Host) -> None:
    code = (
        "import os, signal, time\n"
        "def main():\n"
        "    for s in (signal.SIGTERM, signal.SIGINT): signal.signal(s, signal.SIG_IGN)\n"
        "    for _ in range(10):\n"
        "        if os.fork() == 0:\n"
        "            os.setsid()\n"
        "            if os.fork(): os._exit(0)\n"
        "            time.sleep(1000)\n"
        "    print('up', flush=True)\n"
        "    time.sleep(1000)\n"
    )
    result = sandbox.run(code, timeout=1.0)
    assert result.outcome == "timeout" and result.clean["swept"] >= 10
    job = sandbox.source(code)
    sandbox.wait(lambda: b"up" in sandbox.results[job].text())
    sandbox.send(5, {**sandbox.nonces[job], "reason": "cancelled"})
    result = sandbox.finish(job)
    assert result.outcome == "cancelled" and result.clean["swept"] >= 10


def test_cancel_in_the_first_moment(sandbox: Host) -> None:
    for _ in range(20):
        job = sandbox.source("def main():\n    return 1")
        sandbox.send(5, {**sandbox.nonces[job], "reason": "cancelled"})
        assert sandbox.finish(job).outcome in ("cancelled", "ok")


def test_start_waits_for_the_task_before(sandbox: Host) -> None:
    first = sandbox.source(
        "import time\ndef main():\n    time.sleep(0.2)\n    return 1"
    )
    second = sandbox.source("def main():\n    return 2")
    assert sandbox.finish(second).value() == 2
    assert sandbox.results[first].clean is not None
    first = sandbox.source("import time\ndef main():\n    time.sleep(1000)")
    second = sandbox.source("def main():\n    return 2")
    for job in (second, first):
        sandbox.send(5, {**sandbox.nonces[job], "reason": "cancelled"})
    assert sandbox.finish(second).outcome == "cancelled"
    assert sandbox.finish(first).outcome == "cancelled"


def test_stopped_task_times_out(sandbox: Host) -> None:
    code = "import os\ndef main():\n    os.kill(os.getpid(), 19)"
    assert sandbox.run(code, timeout=0.5).outcome == "timeout"


def test_closing_every_descriptor_is_the_tasks_own_fault(sandbox: Host) -> None:
    code = "import os\ndef main():\n    os.closerange(0, 4096)\n    return 1"
    result = sandbox.run(code)
    assert result.outcome == "protocol" and "descriptor 3" in result.error["message"]
    assert sandbox.run("def main():\n    return 1").value() == 1


def test_writing_to_every_descriptor_is_the_tasks_own_fault(sandbox: Host) -> None:
    code = (
        "import os, time\n"
        "def main():\n"
        "    for fd in range(256):\n"
        "        try: os.write(fd, b'\\x01\\x87\\0\\0\\0\\0\\0\\x02\\0\\0\\0\\0{}')\n"
        "        except OSError: pass\n"
        "    time.sleep(5)\n"
    )
    assert sandbox.run(code).outcome == "protocol"
    assert sandbox.run("def main():\n    return 1").value() == 1


def test_task_that_lives_on_after_its_result(sandbox: Host) -> None:
    code = (
        "import threading, time, os\n"
        "def main():\n"
        "    threading.Thread(target=lambda: time.sleep(1000)).start()\n"
        "    if os.fork() == 0: time.sleep(1000)\n"
        "    return 1\n"
    )
    result = sandbox.run(code)
    assert result.value() == 1 and result.clean["swept"] == 1


def test_name_with_quote_and_newline(sandbox: Host) -> None:
    assert sandbox.run("def main():\n    return 1", name="a'\"\n`").value() == 1


def test_reconfigured_with_preload_and_path(sandbox: Host) -> None:
    ready = sandbox.configure(
        preload=["decimal", "no_such"], path=["/opt"], gid=30001, env={"BASE": "1"}
    )
    assert [e["module"] for e in ready["preload"]["errors"]] == ["no_such"]
    code = (
        "import sys, os\n"
        "def main():\n"
        "    return ['decimal' in sys.modules, '/opt' in sys.path, os.environ['BASE'],\n"
        "            sys.path[-1].endswith('lib'), os.environ['PYTHONPATH']]\n"
    )
    assert sandbox.run(code).value() == [True, True, "1", True, "/opt"]
    assert os.path.exists(sandbox.path)
