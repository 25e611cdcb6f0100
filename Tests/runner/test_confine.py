"""What the code of a preloaded module, or of a child that it forks, may not become."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any, Dict, List, Tuple

import engine
import pytest
from harness import RUNNER, Host

assert RUNNER.is_dir()

from slipway_runner import confine

#: Tries, each in a child of its own, what the zygote's rights could be used for.
GREEDY = """
import ctypes, os, threading

CHANGES = {
    "root": lambda: os.setresuid(0, 0, 0),
    "effective root": lambda: os.seteuid(0),
    "saved root": lambda: os.setresuid(-1, -1, 0),
    "root alone": lambda: os.setuid(0),
    "other uid": lambda: os.setresuid(20005, 20005, 20005),
    "other gid": lambda: os.setresgid(60001, 60001, 60001),
    "effective gid": lambda: os.setegid(60001),
    "root's gid": lambda: os.setgid(0),
    "groups": lambda: os.setgroups([60001]),
    "own gid": lambda: os.setresgid(30000, 30000, 30000),
    "own uid": lambda: os.setresuid(20002, 20002, 20002),
    "same": lambda: os.setreuid(-1, 20001),
}


def attempt(change, inside):
    child = os.fork()
    if not child:
        try:
            if inside:
                found = []
                thread = threading.Thread(target=lambda: found.append(tried(change)))
                thread.start()
                thread.join()
                os._exit(found[0])
            os._exit(tried(change))
        finally:
            os._exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def tried(change):
    try:
        change()
    except PermissionError:
        return 1
    return 0


def look(inside=False):
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return {
        "changes": {name: attempt(change, inside) for name, change in CHANGES.items()},
        "capabilities": {name: int(status[name], 16) for name in ("CapEff", "CapPrm")},
        "filters": int(status.get("Seccomp_filters", "0")),
        "ids": [os.getresuid(), os.getresgid()],
    }


FOUND = look()
HOOKED = []


def __slipway_practise__():
    if not HOOKED:
        HOOKED.append(look())
"""
READ = (
    "import sys\n"
    "def main(name):\n"
    "    module = sys.modules[name]\n"
    "    return [module.FOUND] + module.HOOKED\n"
)
ALLOWED = {"own gid", "own uid", "same"}
SETUID = 1 << 7


def _check(found: List[Dict[str, Any]]) -> None:
    assert len(found) == 2, "at the import, and in the hook"
    for looked in found:
        changes = looked["changes"]
        assert {name for name, status in changes.items() if status == 0} == ALLOWED
        assert {status for status in changes.values()} == {0, 1}
        assert looked["capabilities"] == {"CapEff": SETUID, "CapPrm": SETUID}
        assert looked["ids"] == [[20000, 20000, 0], [engine.GROUP] * 3]


@pytest.fixture
def modules(docker: None, tmp_path: Path) -> Tuple[Path, List[str]]:
    """A folder of modules and how a sandbox mounts it."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    (tmp_path / "greedy.py").write_text(GREEDY)
    return tmp_path, ["%s:/opt/modules:ro" % tmp_path]


def test_a_preloaded_module_becomes_nobody_else(
    modules: Tuple[Path, List[str]],
) -> None:
    with engine.container_sandbox(ready=False, binds=modules[1]) as host:
        _preload(host)
        _check(host.run(READ, "greedy").value())


def test_nor_does_one_that_a_tenant_adds_to_what_was_imported_ahead(
    modules: Tuple[Path, List[str]],
) -> None:
    with engine.container_sandbox(ready=False, binds=modules[1]) as host:
        host.configure(preload=["decimal"], ahead=True)
        _preload(host, "decimal")
        _check(host.run(READ, "greedy").value())


def test_threads_of_what_was_imported_ahead_are_closed_in_too(
    modules: Tuple[Path, List[str]],
) -> None:
    """The thread was there before the tenant's group was, with every right."""
    folder, binds = modules
    image = folder / "image"
    image.mkdir(mode=0o755)
    (image / "early.py").write_text(
        "import os, queue, threading\n"
        "asked, answers = queue.SimpleQueue(), queue.SimpleQueue()\n"
        "def serve():\n"
        "    while True:\n"
        "        answers.put(asked.get()())\n"
        "threading.Thread(target=serve, daemon=True).start()\n"
    )
    (folder / "greedy.py").write_text(
        "import ctypes, early\n"
        "libc = ctypes.CDLL(None)\n"
        "def change(number, *ids):\n"
        "    early.asked.put(lambda: libc.syscall(number, *ids))\n"
        "    return early.answers.get()\n"
        "import os\n"
        "x86 = os.uname().machine == 'x86_64'\n"
        "FOUND = [change(119 if x86 else 149, 60001, 60001, 60001),\n"
        "    change(117 if x86 else 147, 0, 0, 0)]\n"
        "HOOKED = []\n"
    )
    with engine.container_sandbox(ready=False, binds=binds) as host:
        path = ["/opt/modules/image"]
        ready = host.configure(preload=["early"], path=path, ahead=True)
        assert ready["preload"]["errors"] == []
        _preload(host, "early")
        assert host.run(READ, "greedy").value() == [[-1, -1]]


def _preload(host: Host, *before: str) -> None:
    ready = host.configure(
        preload=[*before, "greedy"], path=["/opt/modules"], gid=engine.GROUP
    )
    assert ready["preload"]["errors"] == []


def test_a_task_cannot_change_its_group_and_may_keep_it(container: Host) -> None:
    code = (
        "import os\n"
        "def main():\n"
        "    os.setresgid(-1, os.getgid(), -1)\n"
        "    os.setresuid(os.getuid(), -1, os.getuid())\n"
        "    try:\n"
        "        os.setgid(60001)\n"
        "    except PermissionError:\n"
        "        return 'refused'\n"
    )
    assert container.run(code).value() == "refused"


def _answer(text: bytes, abi: int, number: int, *arguments: int) -> int:
    """What the kernel would answer: an interpreter of the few instructions used."""
    data = struct.pack("=iIQ", number, abi, 0)
    data += struct.pack("=6Q", *(arguments + (0,) * 6)[:6])
    code = list(struct.iter_unpack("=HBBI", text))
    place, value = 0, 0
    while True:
        kind, yes, no, operand = code[place]
        place += 1
        if kind == 0x20:
            (value,) = struct.unpack_from("=I", data, operand)
        elif kind == 0x05:
            place += operand
        elif kind == 0x06:
            return operand
        else:
            test = {
                0x15: value == operand,
                0x25: value > operand,
                0x35: value >= operand,
            }
            place += yes if test[kind] else no


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize(
    "uids", [[20000, 20001, 20002], list(range(5, 5000, 7))], ids=["block", "scattered"]
)
def test_the_filter_allows_the_own_ids_only(machine: str, uids: List[int]) -> None:
    text = confine.program(machine, uids, 60001)
    assert len(text) // 8 < 130 or len(uids) > 3
    abi, numbers = confine._ABIS[machine], confine._NUMBERS[machine]
    allow, refuse, foreign = 0x7FFF0000, 0x00050001, 0x00050026
    unchanged = (1 << 64) - 1
    for name, (count, is_group) in confine._CALLS.items():
        good = [60001, unchanged] if is_group else [uids[0], uids[-1], unchanged]
        bad = [0, 60000, 60002] if is_group else [0, uids[0] - 1, uids[-1] + 1, 60001]
        # The kernel sees the lower half of an argument only, and so must we.
        bad.append(1 << 32)
        for place in range(count):
            for item in good + bad:
                ids = [good[0]] * count
                ids[place] = item
                expected = allow if item in good else refuse
                assert _answer(text, abi, numbers[name], *ids) == expected
    assert _answer(text, abi, numbers["setgroups"], 0) == refuse
    narrow = confine._NARROW_ABIS[machine]
    answers = {
        number: _answer(text, narrow, number, uids[0], uids[0]) for number in range(500)
    }
    assert {number for number in answers if answers[number] != allow} == {
        *(23, 46, 70, 71, 81, 138, 139, 164, 170),
        *(203, 204, 206, 208, 210, 213, 214, 215, 216),
    }
    assert {answers[number] for number in confine._NARROW} == {refuse}
    assert _answer(text, 0xC0000015, numbers["setuid"], uids[0]) == foreign
    others = set(range(500)) - set(numbers.values())
    assert {_answer(text, abi, number, 0) for number in others} == {allow}
    if machine == "x86_64":
        assert _answer(text, abi, 0x40000000 | numbers["setresuid"], uids[0]) == foreign


def test_without_ctypes_nothing_is_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confine.linux, "_libc", None)
    assert not confine.confine([os.getuid()], os.getgid())
