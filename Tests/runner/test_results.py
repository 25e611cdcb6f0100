"""Results that change, come in pieces, or are no results."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from harness import Host, process_sandbox

ROWS = """
import pickle
class Rows:
    def __reduce_ex__(self, protocol):
        scratch = bytearray(100_000)
        def rows():
            for number in range(5):
                scratch[:] = bytes([number]) * len(scratch)
                yield pickle.PickleBuffer(scratch)
        return list, (), None, rows()
made = Rows()
"""
CHANGING = """
import threading
made = bytearray(b"abcdefgh" * 1_000_000)
def work():
    place = 0
    while True:
        made[place % len(made)] = (made[place % len(made)] + 1) & 255
        place += 4099
threading.Thread(target=work, daemon=True).start()
"""


def _returned(sandbox: Host, source: str) -> Any:
    """Run a callable that returns what `source` made."""
    code = "(lambda names: (exec(%r, names), names['made'])[1])({})" % source
    call = pickle.dumps((eval, (code,), {}), 4)
    return sandbox.finish(sandbox.start("callable", call))


def test_a_buffer_that_is_filled_anew_while_it_is_pickled() -> None:
    with process_sandbox() as host:  # Has cloudpickle, and so protocol 5.
        result = _returned(host, ROWS)
    assert result.outcome == "ok", result.header
    names: Any = {}
    exec(ROWS, names)
    expected = pickle.loads(pickle.dumps(names["made"], 5))
    assert [row[0] for row in result.value()] == [row[0] for row in expected]
    assert len({row[0] for row in expected}) > 3


def test_a_result_that_a_thread_goes_on_to_change(sandbox: Host) -> None:
    for _ in range(3):
        result = _returned(sandbox, CHANGING)
        assert result.outcome == "ok", result.header
        assert len(result.value()) == 8_000_000


@pytest.mark.parametrize("packet", ["b'Px'", "b'P' + b'x' * 5000"])
def test_parts_that_no_result_says_it_has(sandbox: Host, packet: str) -> None:
    code = (
        "import os\ndef main():\n    for _ in range(100): os.write(3, %s)\n    return 1"
    )
    result = sandbox.run(code % packet)
    assert (result.outcome, result.body) == ("protocol", b""), result.header
    assert sandbox.run("def main():\n    return 1").value() == 1


def test_a_part_of_nothing_is_the_tasks_own_fault(sandbox: Host) -> None:
    result = sandbox.run("import os\ndef main():\n    os.write(3, b'P')\n    return 1")
    assert result.outcome == "protocol" and "descriptor 3" in result.error["message"]


def test_many_small_parts_take_little_memory() -> None:
    code = "import os\ndef main():\n    for _ in range(300_000): os.write(3, b'Px')"
    with process_sandbox() as host:
        before = _most_memory(host)
        assert host.run(code).outcome == "protocol"
        assert _most_memory(host) - before < 16 << 10


def _most_memory(host: Host) -> int:
    """Return what the supervisor has had at most, in KiB."""
    path = "/proc/%d/status" % host.process.pid  # type: ignore[attr-defined]
    status = Path(path).read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


LONG = [
    "'\u0436' * 40000",
    "chr(0) * 70000",
    "'\U0001f600' * 30000",
    "'\\udcff' * 40000",
]


@pytest.mark.parametrize("text", LONG)
def test_a_long_error_is_told_in_any_script(sandbox: Host, text: str) -> None:
    result = sandbox.run("def main():\n    raise ValueError(%s)" % text)
    assert (result.outcome, result.error["type"]) == ("exception", "ValueError")
    message, shown = (
        result.error["message"],
        eval(text)[:100].replace("\udcff", "\\udcff"),
    )
    assert message.startswith(shown) and message.count("[...]") == 1
    assert "raise ValueError" in result.error["traceback"]


@pytest.mark.parametrize("text", LONG)
def test_a_long_error_of_pickling_is_told(sandbox: Host, text: str) -> None:
    source = (
        "class Odd:\n"
        "    def __reduce__(self): raise TypeError(%s)\n"
        "made = Odd()\n" % text
    )
    result = _returned(sandbox, source)
    assert (result.outcome, result.error["type"]) == ("unpicklable", "TypeError")
    source = "raise ImportError(%s, name=%s)" % (text, text)
    code = pickle.dumps((exec, (source,), {}), 4)
    assert sandbox.finish(sandbox.start("callable", code)).outcome == "exception"


@pytest.mark.parametrize("text", LONG)
def test_a_long_error_of_unpickling_is_told(sandbox: Host, text: str) -> None:
    class Missing:
        def __reduce__(self) -> Any:
            return exec, ("raise ImportError(%s, name=%s)" % (text, text),)

    data = pickle.dumps((len, (Missing(),), {}), 4)
    result = sandbox.finish(sandbox.start("callable", data))
    assert (result.outcome, result.error["type"]) == ("dependency", "ImportError")
    assert "requirements" in result.error["message"]


def test_halves_of_surrogate_pairs_in_an_event_are_spelled_out(sandbox: Host) -> None:
    code = (
        "import slipway\n"
        "def main():\n"
        "    slipway.emit({'whole': '\U0001f600 \u0436'})\n"
        "    slipway.emit({chr(0xdc80): [chr(0xd83d) + 'x', 'a\\\\' + chr(0xdfff)]})\n"
    )
    result = sandbox.run(code)
    assert result.outcome == "ok", result.error
    assert result.events == [
        {"whole": "\U0001f600 \u0436"},
        {"\\udc80": ["\\ud83dx", "a\\\\udfff"]},
    ]
    assert result.header["events_dropped"] == 0
