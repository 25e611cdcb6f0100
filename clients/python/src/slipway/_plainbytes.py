"""Reads the pickle of one bytes object without unpickling."""

from __future__ import annotations

import struct

_PROTOCOL, _FRAME, _MEMOIZE, _STOP = 0x80, 0x95, 0x94, 0x2E
_LENGTHS = {0x43: "<B", 0x42: "<I", 0x8E: "<Q"}


def bytes_of(pickled: bytes) -> bytes | None:
    """Return the bytes object that a pickle holds, or nothing if it holds anything else.

    Nothing is executed and nothing imported, whatever the pickle says.

    Parameters
    ----------
    pickled
        A pickle of protocol 4 or 5.
    """
    found: bytes | None = None
    at = 0
    try:
        while True:
            opcode = pickled[at]
            at += 1
            if opcode == _STOP:
                return found if at == len(pickled) else None
            if opcode == _PROTOCOL:
                at += 1
            elif opcode == _FRAME:
                at += 8
            elif opcode in _LENGTHS and found is None:
                form = _LENGTHS[opcode]
                (length,) = struct.unpack_from(form, pickled, at)
                at += struct.calcsize(form)
                found = pickled[at : at + length]
                if len(found) != length:
                    return None
                at += length
            elif opcode != _MEMOIZE:
                return None
    except (IndexError, struct.error):
        return None
