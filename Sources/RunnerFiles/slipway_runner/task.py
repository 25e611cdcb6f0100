"""A task's process: becomes its uid, waits for START, runs, answers, exits.

Everything that does not depend on START is done before the wait. The messages on the
control socket (sequenced packets, so that they never mix) are: ``R`` ready, ``E`` event,
``P`` part of the result, ``F`` final header and last part; from the supervisor ``S`` the
start header and the first input, ``I`` more input.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import select
import signal
import socket
import struct
import sys
import types

from . import execute, linux
from .limits import EXIT_NO_CHANNEL, task_folder

TYPE_CHECKING = False  # As in typing, whose pages every fork would pay for.
if TYPE_CHECKING:
    from typing import Dict, List, Optional

CONTROL = 3
CHUNK = 131072
LENGTH = struct.Struct(">I")
_REHEARSAL = b'{"code":"def main():\\n    return 1\\n"}'
_REHEARSAL_PICKLE = pickle.dumps((len, ((),), {}))
_REHEARSAL_HEADER = (
    '{"kind":"source","encoding":"identity","env":{},"rlimits":{},'
    '"size":0,"inflated":1000,"result_limit":1000}'
)
_folder = ""
_supervisor = 0
LIMITS = {
    "nofile": resource.RLIMIT_NOFILE,
    "nproc": resource.RLIMIT_NPROC,
    "core": resource.RLIMIT_CORE,
    "fsize": resource.RLIMIT_FSIZE,
}


def load_pickler() -> Optional[str]:
    """Import cloudpickle where it is installed; return its version."""
    return execute.load_pickler()


def announce(top: str, slot: int) -> None:
    """Set, in the zygote, the environment that children for `slot` inherit.

    What is done here a child need not do, which would pay for it in page faults.
    """
    global _folder, _supervisor
    _supervisor = os.getppid()
    _folder = task_folder(top, slot)
    for name in ("HOME", "TMPDIR", "PWD"):
        os.environ[name] = _folder
    os.environ["USER"] = os.environ["LOGNAME"] = "task"


def enter(uid: int, rehearse: bool, fds: List[int], highest: int) -> None:
    """Turn this fresh child into a task; never returns."""
    code = EXIT_NO_CHANNEL
    try:
        control = prepare(uid, fds, highest)
        control.send(b"R")
        if rehearse:
            rehearsal(control)
        code = serve(control)
    except BaseException as error:
        try:
            os.write(2, ("slipway runner: %r\n" % (error,)).encode())
        except OSError:
            pass  # Nobody listens any more.
    finally:
        os._exit(code)


def prepare(uid: int, fds: List[int], highest: int) -> socket.socket:
    """Take the descriptors and the uid of a task."""
    control_fd, out, err = fds
    os.setsid()
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.dup2(control_fd, CONTROL, False)
    os.closerange(CONTROL + 1, highest)
    if uid >= 0:
        os.setresuid(uid, uid, uid)  # The kernel drops all capabilities with it.
        linux.allow_dumps()
    elif (
        os.getppid() == _supervisor
    ):  # Not while a double fork's middle is about to end.
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    _reseed()
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, fileno=CONTROL)


def _reseed() -> None:
    modules = sys.modules
    if "tempfile" in modules:
        modules["tempfile"].tempdir = None  # type: ignore[attr-defined]
    if "random" in modules:
        modules["random"].seed()  # type: ignore[attr-defined]
    numpy_random = modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()  # type: ignore[attr-defined]
    torch = modules.get("torch")
    if torch is not None:
        torch.manual_seed(int.from_bytes(os.urandom(8), "big") >> 1)


def serve(control: socket.socket) -> int:
    """Receive one task, run it, hand over what came of it; return the exit code."""
    data = control.recv(CHUNK + 131072)
    if not data:
        return 0
    (length,) = LENGTH.unpack_from(data, 1)
    header = json.loads(data[5 : 5 + length])
    body = data[5 + length :]
    if len(body) < header["size"]:
        body = _rest(control, body, header["size"])
        if body is None:
            return 0
    os.mkdir(_folder, 0o700)
    os.chdir(_folder)
    os.environ.update(header["env"])
    _limit(header["rlimits"])
    _hook(control)
    outcome = execute.run(header, body)
    del body
    execute.flush_output()
    return _answer(control, outcome)


def rehearsal(control: socket.socket) -> None:
    """Run an empty task while there is nothing else to do.

    A fresh fork spends most of a short task on page faults; what this touches is paid
    for before the task arrives.
    """
    if select.select([control], [], [], 0)[0]:
        return
    header = json.loads(_REHEARSAL_HEADER)
    os.environ.update(header["env"])
    _limit(header["rlimits"])
    outcome = execute.run(header, _REHEARSAL)
    execute.forget_source()
    json.dumps(outcome.header, separators=(",", ":")).encode("ascii")
    pickle.loads(_REHEARSAL_PICKLE)


def _rest(control: socket.socket, first: bytes, size: int) -> Optional[bytearray]:
    body = bytearray(first)
    while len(body) < size:
        data = control.recv(CHUNK + 1)
        if not data:
            return None
        body += memoryview(data)[1:]
    return body


def _limit(wanted: Dict[str, int]) -> None:
    for name, value in wanted.items():
        _, hard = resource.getrlimit(LIMITS[name])
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(LIMITS[name], (value, value))


def _hook(control: socket.socket) -> None:
    """Give the `slipway` module its way out, for this process and its forks."""

    def emit(body: bytes) -> None:
        control.send(b"E" + body)

    module = types.ModuleType("_slipway_task")
    module.emit = emit  # type: ignore[attr-defined]
    sys.modules["_slipway_task"] = module


def _answer(control: socket.socket, outcome: execute.Outcome) -> int:
    text = json.dumps(outcome.header, separators=(",", ":")).encode("ascii")
    body = memoryview(outcome.body)
    start = 0
    try:
        while len(body) - start > CHUNK - len(text):
            control.send(b"".join((b"P", body[start : start + CHUNK])))
            start += CHUNK
            start = min(start, len(body))
        control.send(b"".join((b"F", LENGTH.pack(len(text)), text, body[start:])))
    except OSError:
        return EXIT_NO_CHANNEL
    # The supervisor answers the host before it lets this process use the processor
    # for taking its memory down.
    control.recv(1)
    return 0
