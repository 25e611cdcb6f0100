"""A filter of system calls that keeps the zygote to the uids and the group of its sandbox.

What a tenant names in `preload` runs in the zygote, which may change its uid to fork
tasks. The kernel runs this short program (classic BPF, as seccomp takes it) before each
call of all its threads and of everything they fork. On Linux 5.11 and later it does not
even that for most calls: those that are allowed whatever their arguments are known ahead.
"""

from __future__ import annotations

import errno
import os
import struct

from . import linux

TYPE_CHECKING = False  # As in typing, whose pages every fork would pay for.
if TYPE_CHECKING:
    from typing import Dict, List, Tuple

_INSTRUCTION = struct.Struct("=HBBI")
_LOAD, _JUMP, _RETURN = 0x20, 0x05, 0x06
_EQUAL, _GREATER, _AT_LEAST = 0x15, 0x25, 0x35
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
#: Where struct seccomp_data has the call's number, its ABI, and its arguments: of each
#: the lower half, which is all that the kernel itself takes of an id.
_NUMBER, _ABI, _ARGUMENTS = 0, 4, (16, 24, 32)
#: Numbers from here on are those of x32, another ABI of the same processors.
_X32 = 0x40000000
_UNCHANGED = 0xFFFFFFFF

_ABIS = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
#: The ABI of 32-bit programs, and its calls that set uids or groups, those for ids of 16
#: bits first. Both machines number them alike.
_NARROW_ABIS = {"x86_64": 0x40000003, "aarch64": 0x40000028}
_NARROW = (
    *(23, 46, 70, 71, 81, 138, 139, 164, 170),
    *(203, 204, 206, 208, 210, 213, 214, 215, 216),
)
#: How many ids each call takes, and whether they are groups.
_CALLS: Dict[str, Tuple[int, bool]] = {
    "setuid": (1, False),
    "setreuid": (2, False),
    "setresuid": (3, False),
    "setfsuid": (1, False),
    "setgid": (1, True),
    "setregid": (2, True),
    "setresgid": (3, True),
    "setfsgid": (1, True),
}
_X86_64 = {
    "setuid": 105,
    "setgid": 106,
    "setreuid": 113,
    "setregid": 114,
    "setgroups": 116,
    "setresuid": 117,
    "setresgid": 119,
    "setfsuid": 122,
    "setfsgid": 123,
}
_AARCH64 = {
    "setregid": 143,
    "setgid": 144,
    "setreuid": 145,
    "setuid": 146,
    "setresuid": 147,
    "setresgid": 149,
    "setfsuid": 151,
    "setfsgid": 152,
    "setgroups": 159,
}
_NUMBERS = {"x86_64": _X86_64, "aarch64": _AARCH64}


def confine(uids: List[int], group: int) -> bool:
    """Keep all threads of this process, and what they fork, to these ids for good.

    Calls that set another uid or group, and setgroups, fail with EPERM, and so do all of
    these in 32-bit programs, whatever the id; calls of a further ABI (x32) with ENOSYS.
    Returns False where that cannot be done: a kernel without seccomp, another machine, no
    ctypes, or a stricter filter.
    """
    machine = os.uname().machine
    if machine not in _ABIS:
        return False
    return linux.add_filter(program(machine, uids, group))


def program(machine: str, uids: List[int], group: int) -> bytes:
    """Return the filter for a machine: an array of struct sock_filter."""
    numbers = _NUMBERS[machine]
    code = _Program()
    code.load(_ABI)
    code.unless(_EQUAL, _ABIS[machine], "another")
    code.load(_NUMBER)
    if machine == "x86_64":
        code.when(_AT_LEAST, _X32, "foreign")
    # Nearly every call is known to be none of these by now.
    code.when(_GREATER, max(numbers.values()), "allow")
    code.unless(_AT_LEAST, min(numbers.values()), "allow")
    for name, (count, is_group) in _CALLS.items():
        code.when(_EQUAL, numbers[name], "%s %d" % (is_group, count))
    code.when(_EQUAL, numbers["setgroups"], "refuse")
    code.jump("allow")
    for is_group, ids in ((False, uids), (True, [group])):
        for count in (3, 2, 1):
            following = "%s %d" % (is_group, count - 1) if count > 1 else "allow"
            code.mark("%s %d" % (is_group, count))
            code.load(_ARGUMENTS[count - 1])
            for first, last in _ranges([*ids, _UNCHANGED]):
                code.within(first, last, following)
            code.jump("refuse")
    code.mark("another")
    code.unless(_EQUAL, _NARROW_ABIS[machine], "foreign")
    code.load(_NUMBER)
    for number in _NARROW:
        code.when(_EQUAL, number, "refuse")
    code.mark("allow")
    code.give(_ALLOW)
    code.mark("refuse")
    code.give(_REFUSE | errno.EPERM)
    code.mark("foreign")
    code.give(_REFUSE | errno.ENOSYS)
    return code.encoded()


def _ranges(ids: List[int]) -> List[Tuple[int, int]]:
    """Return the first and last of each row of ids."""
    found: List[Tuple[int, int]] = []
    for item in sorted(set(ids)):
        if found and found[-1][1] + 1 == item:
            found[-1] = (found[-1][0], item)
        else:
            found.append((item, item))
    return found


class _Program:
    """Instructions whose jumps name places that may come later.

    A conditional jump reaches 255 instructions only, so each steps over one that
    reaches any.
    """

    def __init__(self) -> None:
        self._code: List[Tuple[int, int, int, "int | str"]] = []
        self._places: Dict[str, int] = {}

    def mark(self, place: str) -> None:
        self._places[place] = len(self._code)

    def load(self, offset: int) -> None:
        self._code.append((_LOAD, 0, 0, offset))

    def give(self, answer: int) -> None:
        self._code.append((_RETURN, 0, 0, answer))

    def jump(self, place: str) -> None:
        self._code.append((_JUMP, 0, 0, place))

    def when(self, test: int, value: int, place: str) -> None:
        self._code.append((test, 0, 1, value))
        self.jump(place)

    def unless(self, test: int, value: int, place: str) -> None:
        self._code.append((test, 1, 0, value))
        self.jump(place)

    def within(self, first: int, last: int, place: str) -> None:
        self._code.append((_AT_LEAST, 0, 2, first))
        self._code.append((_GREATER, 1, 0, last))
        self.jump(place)

    def encoded(self) -> bytes:
        lines = []
        for number, (code, yes, no, value) in enumerate(self._code):
            if isinstance(value, str):
                value = self._places[value] - number - 1
            lines.append(_INSTRUCTION.pack(code, yes, no, value))
        return b"".join(lines)
