"""Frames between host and supervisor: a 12-byte prefix, a JSON header, a raw body."""

from __future__ import annotations

import json
import struct
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from .jsontext import make_encoder

VERSION = 1
PROTOCOL = 1
MAX_HEADER = 65536
MAX_BODY = 1048576
PREFIX = struct.Struct(">BBHII")

WELCOME = 1
CONFIGURE = 2
START = 3
INPUT = 4
CANCEL = 5
ACK = 6
SHUTDOWN = 7
CALL = 8

HELLO = 0x81
READY = 0x82
LOG = 0x84
EVENT = 0x85
RESULT_PART = 0x86
RESULT = 0x87
CLEAN = 0x88
HEARTBEAT = 0x89
FAULT = 0x8A
OUTPUT = 0x8B
OUTPUTS = 0x8C

FROM_HOST = frozenset((WELCOME, CONFIGURE, START, INPUT, CANCEL, ACK, SHUTDOWN))
FROM_SUPERVISOR = frozenset(
    (
        HELLO,
        READY,
        LOG,
        EVENT,
        RESULT_PART,
        RESULT,
        CLEAN,
        HEARTBEAT,
        FAULT,
        OUTPUT,
        OUTPUTS,
    )
)
#: Types whose frames carry a body.
WITH_BODY = frozenset((START, INPUT, LOG, EVENT, RESULT_PART, RESULT, OUTPUT))

Frame = Tuple[int, Dict[str, Any], bytes]
#: A whole frame to send, or what makes one in this order.
Whole = Union[bytes, Tuple[bytes, ...]]


class Violation(Exception):
    """Bytes or fields that the protocol does not allow; ends the connection."""


def _refuse_constant(name: str) -> Any:
    raise ValueError("%s is not JSON" % name)


_encode = make_encoder(None)
_decoder = json.JSONDecoder(parse_constant=_refuse_constant)
_scan = _decoder.scan_once


def encode(kind: int, header: Dict[str, Any], body: bytes = b"") -> bytes:
    """Return one whole frame.

    Parameters
    ----------
    kind
        The frame type.
    header
        A JSON object, at most 64 KiB once encoded.
    body
        At most 1 MiB.

    Raises
    ------
    ValueError
        When header or body is too long, or the header is not JSON.
    """
    text = _encode(header).encode("utf-8", "replace")
    if len(text) > MAX_HEADER or len(body) > MAX_BODY:
        raise ValueError("frame too long: %d + %d bytes" % (len(text), len(body)))
    return PREFIX.pack(VERSION, kind, 0, len(text), len(body)) + text + body


def encode_parts(kind: int, header: Dict[str, Any], body: Sequence[bytes]) -> Whole:
    """Return one whole frame as `encode` does, of a body that is not copied."""
    if len(body) < 2:
        return encode(kind, header, *body)
    text = _encode(header).encode("utf-8", "replace")
    size = sum(map(len, body))
    if len(text) > MAX_HEADER or size > MAX_BODY:
        raise ValueError("frame too long: %d + %d bytes" % (len(text), size))
    return (PREFIX.pack(VERSION, kind, 0, len(text), size) + text, *body)


def buffers_of(made: Sequence[Whole]) -> List[bytes]:
    """Return what to write for these frames, one after the other."""
    buffers: List[bytes] = []
    for item in made:
        if type(item) is tuple:
            buffers += item
        else:
            buffers.append(item)
    return buffers


def object_from(text: bytes) -> Dict[str, Any]:
    """Return the JSON object in `text`, or raise `Violation`."""
    try:
        string = text.decode("utf-8")
        try:
            value, end = _scan(string, 0)
        except StopIteration:
            end = -1
        if end != len(string):  # White space around it, or something else.
            value = _decoder.decode(string)
    except (ValueError, RecursionError) as error:
        raise Violation("header is not JSON: %s" % type(error).__name__) from None
    if type(value) is not dict:
        raise Violation("header is not a JSON object")
    return value


class Reader:
    """Cuts a byte stream into frames, wherever the stream was split.

    Parameters
    ----------
    accepted
        The frame types that the other side may send.
    """

    def __init__(self, accepted: frozenset) -> None:
        self._accepted = accepted
        self._pending: List[bytes] = []
        self._pending_size = 0
        self._wanted = PREFIX.size

    @property
    def is_partial(self) -> bool:
        """Whether a frame has begun and is not complete."""
        return self._pending_size > 0

    def feed(self, data: bytes) -> List[Frame]:
        """Take `data` and return the frames that are now complete.

        Raises
        ------
        Violation
            On the first prefix or header that the protocol does not allow.
        """
        self._pending.append(data)
        self._pending_size += len(data)
        if self._pending_size < self._wanted:
            return []
        buffer = data if len(self._pending) == 1 else b"".join(self._pending)
        frames: List[Frame] = []
        start = 0
        while True:
            end = self._frame_end(buffer, start)
            if end is None:
                break
            frames.append(self._frame(buffer, start))
            start = end
        rest = buffer[start:]
        self._pending = [rest] if rest else []
        self._pending_size = len(rest)
        return frames

    def _frame_end(self, buffer: bytes, start: int) -> Optional[int]:
        available = len(buffer) - start
        self._wanted = PREFIX.size
        if available < PREFIX.size:
            return None
        version, kind, reserved, header, body = PREFIX.unpack_from(buffer, start)
        if version != VERSION:
            raise Violation("version %d is not %d" % (version, VERSION))
        if kind not in self._accepted:
            raise Violation("type 0x%02x is not allowed here" % kind)
        if reserved:
            raise Violation("reserved bits are set")
        if body and kind not in WITH_BODY:
            raise Violation("type 0x%02x carries no body" % kind)
        if header > MAX_HEADER or body > MAX_BODY:
            raise Violation("frame too long: %d + %d bytes" % (header, body))
        self._wanted = PREFIX.size + header + body
        return None if available < self._wanted else start + self._wanted

    @staticmethod
    def _frame(buffer: bytes, start: int) -> Frame:
        _, kind, _, header, body = PREFIX.unpack_from(buffer, start)
        start += PREFIX.size
        middle = start + header
        return kind, object_from(buffer[start:middle]), buffer[middle : middle + body]
