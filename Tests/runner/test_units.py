"""Parts of the runner that need no process."""

from __future__ import annotations

import _thread
import array
import os
import pickle
import time
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest
from slipway_runner import (
    checks,
    frames,
    hygiene,
    limits,
    outcomes,
    packing,
    scrub,
)
from slipway_runner.joblog import LogWindow
from slipway_runner.jobs import JsonLines
from slipway_runner.local import remove_tree

MOUNTINFO = """\
1 0 0:1 / / ro,relatime - overlay overlay rw
2 1 0:2 / /proc rw,nosuid - proc proc rw
3 1 0:3 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k
4 3 0:4 / /dev/shm rw - tmpfs shm rw
5 1 0:5 / /tmp rw - tmpfs tmpfs rw
6 1 8:1 /x /opt/slipway ro,relatime - ext4 /dev/vda rw
7 1 8:1 /v /tmp/with\\040space rw - ext4 /dev/vda rw
8 1 0:6 / /sys/fs/cgroup rw - tmpfs tmpfs ro,mode=755
9 3 0:7 / /dev/mqueue rw - mqueue mqueue rw
10 1 0:8 / /tmp rw shared:1 - tmpfs tmpfs rw
"""


def test_writable_mounts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "isdir", lambda path: True)
    assert hygiene.writable_mounts(MOUNTINFO.splitlines()) == [
        ("/dev", "tmpfs"),
        ("/dev/shm", "tmpfs"),
        ("/tmp", "tmpfs"),
        ("/tmp/with space", "ext4"),
    ]


@pytest.mark.parametrize(
    "sizes",
    [[5], [100], [3] * 50, [1000, 1, 1], [101], [1] * 250, [9000, 1, 2, 4097, 30, 1]],
)
def test_log_window_keeps_head_and_tail(sizes: list) -> None:
    window = LogWindow(100)
    sent, everything = b"", b""
    for index, size in enumerate(sizes):
        data = bytes((index % 256,)) * size
        offset, live = window.feed(data)
        assert offset == len(everything)
        if live:
            assert offset == len(sent)
        sent += live
        everything += data
    tail = window.tail()
    if len(everything) <= 50:
        assert tail is None and sent == everything
    else:
        assert tail is not None
        offset, skipped, data = tail
        assert (
            sent == everything[:50]
            and data == everything[-min(50, len(everything) - 50) :]
        )
        assert (offset, skipped) == (len(everything) - len(data), offset - 50)
    assert window.tail() == tail


@pytest.mark.parametrize("sizes", [[2], [2, 2, 2, 5000], [3, 4]])
def test_log_window_of_short_pieces_takes_little_memory(sizes: list) -> None:
    limit = 1 << 15
    window = LogWindow(limit)
    tracemalloc.start()
    try:
        for index in range(1 << 15):
            window.feed(bytes((index % 251,)) * sizes[index % len(sizes)])
        assert tracemalloc.get_traced_memory()[0] < 2 * limit
    finally:
        tracemalloc.stop()


def test_log_window_of_nothing() -> None:
    window = LogWindow(0)
    assert window.feed(b"abc") == (0, b"")
    assert window.tail() == (3, 3, b"")


def test_json_lines_however_split() -> None:
    data = b'{"a":1}\nx\n {"b":"' + b"y" * 70000 + b'"}\n{"c":3}\r\n{"d":4}'
    for step in (1, 7, 65536, len(data)):
        lines = JsonLines()
        found = []
        for start in range(0, len(data), step):
            found += lines.feed(data[start : start + step])
        found = [line for line in found + lines.last() if len(line) < 65536]
        assert found == [b'{"a":1}', b'{"c":3}', b'{"d":4}']


def test_clip_never_breaks_a_character() -> None:
    text = "é" * 1000
    for limit in range(100, 140):
        clipped = limits.clip(text, limit)
        assert len(clipped.encode()) <= limit
        assert set(clipped) <= set("é\n[.]")


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"outcome": "timeout"},
        {"outcome": ["ok"]},
        {"outcome": "ok", "media": "html", "encoding": "zlib"},
        {"outcome": "ok", "media": "json", "encoding": {}},
    ],
)
def test_malformed_answers_are_refused(told: dict) -> None:
    assert outcomes.from_child(told) is None


def test_hostile_answers_are_cleaned() -> None:
    error = {"type": 1, "message": "\ud800" * 99999, "traceback": "\0" * 99999}
    told = {
        "outcome": "exception",
        "error": error,
        "run": -1,
        "usage": {"max_rss": "x"},
    }
    fields = outcomes.from_child(told)
    assert fields is not None and fields["run"] == 0
    encoded = frames.encode(frames.RESULT, fields)
    assert len(encoded) < 65536


def test_scrub_removes_what_is_deep_closed_and_oddly_named(tmp_path: Path) -> None:
    top = tmp_path / "t"
    top.mkdir()
    here = os.getcwd()
    os.chdir(top)
    try:
        for _ in range(1500):
            os.mkdir("d" * 100)
            os.chdir("d" * 100)
            open(b"\n\xff", "w").close()
    finally:
        os.chdir(here)
    (top / "closed").mkdir(mode=0)
    parent = os.open(tmp_path, os.O_RDONLY)
    scrub.remove_tree(parent, "t", time.monotonic() + 60)
    os.close(parent)
    assert os.listdir(tmp_path) == []


def test_local_removal_opens_closed_folders(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("x")
    os.chmod(tmp_path / "a" / "b", 0)
    os.chmod(tmp_path / "a", 0)
    remove_tree(str(tmp_path / "a"))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "header",
    [
        {"gid": 0, "key": "k"},
        {"gid": None, "key": 3},
        {"key": "k", "env": {"": "x"}},
        {"key": "k", "env": {"A": "\ud800"}},
        {"key": "k", "preload": "numpy"},
        {"key": "k", "path": ["/a:b"]},
    ],
)
def test_configure_is_checked(header: dict) -> None:
    with pytest.raises(frames.Violation):
        checks.configure(header)


@pytest.mark.parametrize("size", [1048577, 3000001, 20000000])
@pytest.mark.parametrize("threads", [True, False])
def test_a_large_result_is_one_zlib_stream(
    size: int, threads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> int:
        raise RuntimeError("can't start new thread")

    if not threads:
        monkeypatch.setattr(_thread, "start_new_thread", refuse)
    lines = b"".join(b"line %d of a log\n" % line for line in range(size // 10))
    data = lines[:size]
    assert len(data) == size
    for cuts in ((), (1, 2, 70000), (size // 2,), (size // 2 + 1, size - 1)):
        edges = [0, *cuts, size]
        parts = [data[start:end] for start, end in zip(edges, edges[1:])]
        encoding, made = packing.compress(parts)
        reader = zlib.decompressobj()
        assert encoding == "zlib"
        assert reader.decompress(b"".join(made)) == data
        assert (reader.eof, reader.unused_data) == (True, b"")


def test_noise_stays_in_its_parts() -> None:
    parts = [b"head", os.urandom(3 << 20), b"tail"]
    encoding, made = packing.compress(parts)
    assert encoding == "identity"
    assert made is parts
    pieces = list(packing.pieces(parts, 131072))
    assert b"".join(pieces) == b"".join(parts)
    assert max(map(len, pieces)) == 131072


@pytest.mark.parametrize("protocol", [4, 5])
def test_large_blocks_are_not_copied_into_one(protocol: int) -> None:
    block = os.urandom(1 << 20)
    flat = array.array("d", range(100000))
    value = [block, bytearray(block), "\u00e4" * 400000, flat, [1, 2, {"a": block[:9]}]]
    value.append(memoryview(flat).obj)
    sink = packing.Sink()
    pickle.dump(value, sink, protocol=protocol)
    assert any(part is block for part in sink.parts)
    assert pickle.loads(b"".join(sink.parts)) == value
    sink = packing.Sink()
    pickle.dump(pickle.PickleBuffer(memoryview(flat)), sink, protocol=5)
    assert bytes(pickle.loads(b"".join(sink.parts))) == flat.tobytes()
