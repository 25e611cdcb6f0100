"""Seeded mutations of valid frames, and what the documentation says of the result.

`allowed` is written from docs/runner.md and shares nothing with the code under test but
Python's JSON parser: what it refuses must be refused, what it allows must be accepted.
"""

from __future__ import annotations

import json
import random
import re
import struct
from typing import Any, Callable, Dict, List, Optional, Tuple

WELCOME, CONFIGURE, START, INPUT, CANCEL, ACK, SHUTDOWN = range(1, 8)
PREFIX = struct.Struct(">BBHII")
MAX_HEADER, MAX_BODY = 65536, 1048576
KINDS = (WELCOME, CONFIGURE, START, INPUT, CANCEL, ACK, SHUTDOWN)
NONCE = re.compile("[0-9a-f]{32}")
VERSION = re.compile("[0-9]{1,3}[.][0-9]{1,3}")
NAMES = [
    "job",
    "attempt",
    "nonce",
    "slot",
    "kind",
    "name",
    "timeout",
    "env",
    "encoding",
    "size",
    "inflated",
    "result_limit",
    "log_limit",
    "python",
    "rlimits",
    "resume",
    "reason",
    "key",
    "gid",
    "path",
    "preload",
]
#: Values of every type, and at every edge that a check could have.
ODD: Tuple[Callable[[random.Random], Any], ...] = (
    lambda draw: None,
    lambda draw: draw.random() < 0.5,
    lambda draw: draw.choice((0, 1, -1, 2, 1023, 1 << 31, (1 << 31) + 1)),
    lambda draw: draw.choice((1 << 32, (1 << 32) - 2, (1 << 36) + 1, 1 << 63, 10**400)),
    lambda draw: draw.choice((0.5, -0.5, 1.0, 1e300, -0.0)),
    lambda draw: draw.choice(("", "x", "identity", "zlib", "source", "cancelled")),
    lambda draw: draw.choice(("\0", "a\0b", "\ud800", "a=b", "é\U0001f600", "3.11")),
    lambda draw: "x" * draw.choice((127, 128, 129, 4096, 4097)),
    lambda draw: "%032x" % draw.getrandbits(128),
    lambda draw: ("%032X" % draw.getrandbits(128)) + draw.choice(("", "\n")),
    lambda draw: [],
    lambda draw: [draw.choice(("/a", "a:b", "", 3, None, [], "/\0", "\udfff"))],
    lambda draw: {},
    lambda draw: {draw.choice(("A", "", "A=", "A\0", "nofile", "core", "\ud812")): 1},
    lambda draw: {"A": draw.choice(("x", "x\0", "\ud800", 1, None))},
    lambda draw: {"nofile": draw.choice((0, -1, None, "1", 1 << 36, 1.0, True))},
)


def reference(draw: random.Random) -> Dict[str, Any]:
    """Return what every task frame begins with."""
    return {
        "job": "job_%x" % draw.getrandbits(60),
        "attempt": draw.randint(1, 5),
        "nonce": "%032x" % draw.getrandbits(128),
    }


def start(draw: random.Random, size: int) -> Dict[str, Any]:
    """Return a START header as the host writes it."""
    return {
        **reference(draw),
        "slot": 0,
        "kind": draw.choice(("callable", "source", "command")),
        "name": draw.choice((None, "a name")),
        "timeout": draw.choice((None, 0, 1.5, 3600)),
        "env": {"A": "b", "C": ""},
        "encoding": draw.choice(("identity", "zlib")),
        "size": size,
        "inflated": 1 << 28,
        "result_limit": 1 << 26,
        "log_limit": 1 << 20,
        "python": draw.choice((None, "3.11")),
        "rlimits": {"nofile": 1024, "core": 0, "nproc": None},
    }


def valid(draw: random.Random) -> Tuple[int, Dict[str, Any], bytes]:
    """Return a frame that the protocol allows."""
    kind = draw.choice(KINDS)
    body = bytes(draw.randrange(64)) if kind in (START, INPUT) else b""
    header: Dict[str, Any] = {}
    if kind == WELCOME:
        header = {"resume": [reference(draw) for _ in range(draw.randrange(3))]}
    elif kind == CONFIGURE:
        header = {
            "key": "k",
            "gid": draw.choice((None, 1, 30000)),
            "path": ["/opt/a", "/opt/b"],
            "preload": ["json"],
            "env": {"LANG": "C.UTF-8"},
            "ahead": draw.random() < 0.5,
            "outputs": draw.choice(
                (None, {"files": 1, "file_bytes": 2, "bytes": 3, "milliseconds": 4})
            ),
        }
    elif kind == START:
        header = start(draw, len(body) + draw.randrange(3))
    elif kind == CANCEL:
        header = {**reference(draw), "reason": draw.choice(("cancelled", "timeout"))}
    elif kind != SHUTDOWN:
        header = reference(draw)
    return kind, header, body


def dumps(value: Any) -> bytes:
    """Return JSON text in which lone surrogates stay escapes."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def pack(kind: int, text: bytes, body: bytes) -> bytes:
    """Return the bytes of a frame."""
    return PREFIX.pack(1, kind, 0, len(text), len(body)) + text + body


def mutate(draw: random.Random) -> bytes:
    """Return a valid frame with one to three things changed, or its bytes damaged."""
    kind, header, body = valid(draw)
    way = draw.randrange(10)
    if way < 5:
        for _ in range(draw.randint(1, 3)):
            _change(draw, header)
        return pack(kind, dumps(header), body)
    data = bytearray(pack(kind, dumps(header), body))
    if way == 5:  # Any byte of the prefix.
        data[draw.randrange(PREFIX.size)] = draw.randrange(256)
    elif way == 6:  # Lengths that lie.
        at = draw.choice((4, 8))
        length = draw.choice((0, 1, 2, MAX_HEADER + 1, MAX_BODY + 1, 1 << 31, 99))
        data[at : at + 4] = struct.pack(">I", length)
    elif way == 7:  # Bits of the header's text.
        for _ in range(draw.randint(1, 4)):
            data[draw.randrange(PREFIX.size, len(data))] ^= 1 << draw.randrange(8)
    elif way == 8:  # Something in between.
        at = draw.randrange(PREFIX.size, len(data))
        data[at:at] = draw.choice((b"\0", b"\xff", b'"', b"}", b"NaN", b"[" * 2000))
    else:  # Text that is no object, or none at all.
        texts = (b"[]", b"3", b'"x"', b"null", b"{}{}", b"{", b"\xef\xbb\xbf{}", b"")
        more = (b"[" * 30000, b'{"a":' * 9000, b'{"a":NaN}', b'{"a":' + b"9" * 6000)
        data = bytearray(pack(kind, draw.choice(texts + more), body))
    return bytes(data)


def _change(draw: random.Random, header: Dict[str, Any]) -> None:
    names = list(header) or NAMES
    way = draw.randrange(6)
    if way == 0 and header:
        del header[draw.choice(names)]
    elif way == 1:
        header[draw.choice(NAMES)] = draw.choice(ODD)(draw)
    else:
        header[draw.choice(names)] = draw.choice(ODD)(draw)


# What docs/runner.md allows


def split(data: bytes) -> Optional[Tuple[int, bytes, bytes, bytes]]:
    """Return kind, header text, body and rest; None where the prefix is not allowed.

    Raises
    ------
    EOFError
        When the frame is not complete.
    """
    if len(data) < PREFIX.size:
        raise EOFError
    version, kind, reserved, header, body = PREFIX.unpack_from(data)
    if version != 1 or reserved or kind not in KINDS:
        return None
    if header > MAX_HEADER or body > (MAX_BODY if kind in (START, INPUT) else 0):
        return None
    end = PREFIX.size + header + body
    if len(data) < end:
        raise EOFError
    middle = PREFIX.size + header
    return kind, data[PREFIX.size : middle], data[middle:end], data[end:]


def parsed(text: bytes) -> Optional[Dict[str, Any]]:
    """Return the JSON object in `text`; None where there is none."""
    if b"NaN" in text or b"Infinity" in text:
        stripped = re.sub(rb'"(\\.|[^"\\])*"', b"", text)
        if b"NaN" in stripped or b"Infinity" in stripped:
            return None
    try:
        value = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def allowed(kind: int, header: Dict[str, Any], body: bytes) -> bool:
    """Whether the supervisor may act on such a frame."""
    if kind == WELCOME:
        resume = header.get("resume", [])
        return _list(resume) and all(_is(i, dict) and _reference(i) for i in resume)
    if kind == CONFIGURE:
        return _configure(header)
    if kind == SHUTDOWN:
        return True
    if not _reference(header):
        return False
    if kind == CANCEL:
        return header.get("reason", "cancelled") in ("cancelled", "timeout")
    return kind != START or (_start(header) and len(body) <= header["size"])


def _is(value: Any, kind: type) -> bool:
    return type(value) is kind


def _list(value: Any) -> bool:
    return _is(value, list)


def _integer(value: Any, low: int, high: int) -> bool:
    return _is(value, int) and low <= value <= high


def _text(value: Any, limit: int) -> bool:
    if not _is(value, str) or len(value) > limit or "\0" in value:
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def _reference(header: Dict[str, Any]) -> bool:
    nonce = header.get("nonce")
    return (
        _text(header.get("job"), 128)
        and header["job"] != ""
        and _integer(header.get("attempt"), 1, 1 << 31)
        and _is(nonce, str)
        and NONCE.fullmatch(nonce) is not None
    )


def _environment(value: Any) -> bool:
    return _is(value, dict) and all(
        _text(name, 1 << 20) and name and "=" not in name and _text(item, 1 << 20)
        for name, item in value.items()
    )


def _strings(value: Any) -> bool:
    return _list(value) and all(_text(item, 1 << 20) and item for item in value)


def _configure(header: Dict[str, Any]) -> bool:
    gid, path = header.get("gid"), header.get("path", [])
    return (
        _text(header.get("key"), 4096)
        and (gid is None or _integer(gid, 1, (1 << 32) - 2))
        and _strings(path)
        and all(item.startswith("/") and ":" not in item for item in path)
        and _strings(header.get("preload", []))
        and _environment(header.get("env", {}))
        and _is(header.get("ahead", False), bool)
        and _outputs(header.get("outputs"))
    )


def _outputs(value: Any) -> bool:
    names = ("files", "file_bytes", "bytes")
    return value is None or (
        _is(value, dict)
        and all(_integer(value.get(name), 0, 1 << 36) for name in names)
        and _integer(value.get("milliseconds", 1), 1, 86400000)
    )


def _start(header: Dict[str, Any]) -> bool:
    timeout, python = header.get("timeout"), header.get("python")
    limits = header.get("rlimits", {})
    sizes: List[str] = ["size", "inflated", "result_limit", "log_limit"]
    return (
        header.get("kind") in ("callable", "source", "command")
        and header.get("encoding") in ("identity", "zlib")
        and _integer(header.get("slot", 0), 0, 0)
        and (header.get("name") is None or _text(header["name"], 4096))
        and (timeout is None or (type(timeout) in (int, float) and timeout >= 0))
        and timeout != float("inf")
        and _environment(header.get("env", {}))
        and all(_integer(header.get(name), 0, 1 << 36) for name in sizes)
        and (python is None or (_is(python, str) and bool(VERSION.fullmatch(python))))
        and _is(limits, dict)
        and all(
            name in ("nofile", "nproc", "core", "fsize")
            and (item is None or _integer(item, 0, 1 << 36))
            for name, item in limits.items()
        )
    )
