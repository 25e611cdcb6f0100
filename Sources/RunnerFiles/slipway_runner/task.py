"""A task's process: becomes its uid, waits for START, runs, answers, exits.

Everything that does not depend on START is done before the wait, and what does not
depend on the task at all is done in the zygote: a fresh fork pays for every page that
it is first to write to, and in Python that is every page of an object that it names.

The messages on the control socket (sequenced packets, so that they never mix) are:
``R`` ready, ``E`` event, ``P`` part of the result, ``F`` final header and last part;
from the supervisor ``S`` the start header (marshal) and the first input, ``I`` more
input.
"""

from __future__ import annotations

import _signal
import marshal
import os
import resource
import select
import struct
import sys
import time
import types

from . import execute, heap, hugepages, linux, packing
from .limits import EXIT_NO_CHANNEL, output_folder, task_folder

TYPE_CHECKING = False  # As in typing, whose pages every fork would pay for.
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional

CONTROL = 3
CHUNK = 131072
#: From here on huge pages pay for an input.
LARGE_BYTES = 1 << 22
LENGTH = struct.Struct(">I")
_REHEARSAL = b'{"code":"def main():\\n    return 1\\n"}'
_buffer = bytearray(CHUNK + 131072)
_buffers = [_buffer]
_view = memoryview(_buffer)
# Looked up once: each look-up writes to the page of the name.
_write = os.write
_readv = os.readv
_mkdir = os.mkdir
_chdir = os.chdir
_setsid = os.setsid
_open = os.open
_dup2 = os.dup2
_closerange = os.closerange
_setresuid = os.setresuid
_exit = os._exit
_getpid = os.getpid
_null = os.devnull
_O_RDONLY = os.O_RDONLY
_loads = marshal.loads
# What os.environ does for each of its entries, without its checks and conversions.
_environment = os.environ._data  # type: ignore[attr-defined]
_putenv = os.putenv
_folder = ""
_output = ""
_supervisor = 0
#: The limits that the zygote has, and so its children, as they travel.
_inherited = b""
#: How many empty tasks specialise the code: more than the interpreter waits for.
PRACTICE = 64
#: Under this name a preloaded module has a function to be practised, see `learn`.
HOOK = "__slipway_practise__"
HOOK_PRACTICE = 32
#: For at most so long all that a module practises, once its first call has ended.
HOOK_SECONDS = 0.1
#: What takes longer, once it is practised, is not for a child that may get a task.
QUICK_SECONDS = 0.005
_learnt: Dict[str, Callable[[], Any]] = {}
_unpractised: List[str] = []
_quick_hooks: List[Callable[[], Any]] = []
#: Files enough for what the zygote and modules of the tenant hold open.
AMPLE = 256
LIMITS = {
    "nofile": resource.RLIMIT_NOFILE,
    "nproc": resource.RLIMIT_NPROC,
    "core": resource.RLIMIT_CORE,
    "fsize": resource.RLIMIT_FSIZE,
}


def load_pickler() -> Optional[str]:
    """Import cloudpickle where it is installed; return its version."""
    return execute.load_pickler()


def practise() -> None:
    """Run empty tasks in the zygote, so that children find specialised code.

    Modules that most tasks need come with it: a cold start does not wait for them.
    """
    import signal  # noqa: F401
    import socket  # noqa: F401
    import traceback  # noqa: F401

    execute.load_rest()
    heap.arrange()
    heap.gather([execute, sys.modules[__name__], sys.modules["json.encoder"]])
    for _ in range(PRACTICE):
        _rehearse()
    practise_hooks()


def learn(name: str, hook: Callable[[], Any]) -> None:
    """Call, in the zygote, what the module `name` wants practised, and keep it.

    It may raise what it likes, and then is not kept. It is to leave nothing behind: no
    files, threads or open descriptors, and nothing that a task could tell.
    """
    if name not in _learnt:
        hook()
        _learnt[name] = hook
        _unpractised.append(name)


def practise_hooks() -> None:
    """Call what modules want practised until their code is specialised.

    What is quick by then, children call while they wait: it touches in time the pages
    that the task would pay for.
    """
    for name in _unpractised:
        hook = _learnt[name]
        began = ended = time.monotonic()
        quickest = QUICK_SECONDS
        try:
            for _ in range(HOOK_PRACTICE):
                last = ended
                hook()
                ended = time.monotonic()
                quickest = min(quickest, ended - last)
                if ended - began > HOOK_SECONDS:
                    break
        except BaseException:
            continue  # It went well once, which is all that anybody was told.
        if quickest < QUICK_SECONDS:
            _quick_hooks.append(hook)
    del _unpractised[:]
    execute.flush_output()


def announce(top: str, slot: int, limits: bytes) -> None:
    """Set, in the zygote, what children for `slot` inherit.

    What is done here a child need not do, which would pay for it in page faults.
    """
    global _folder, _output, _supervisor, _inherited
    _supervisor = os.getppid()
    _folder = task_folder(top, slot)
    _output = output_folder(top, slot)
    for name in ("HOME", "TMPDIR", "PWD"):
        os.environ[name] = _folder
    os.environ["SLIPWAY_OUTPUT"] = _output
    os.environ["USER"] = os.environ["LOGNAME"] = "task"
    hook()
    _inherited = b""
    if limits and _is_ample(marshal.loads(limits)):
        limit(limits)
        _inherited = limits


def _is_ample(limits: Dict[str, int]) -> bool:
    """Whether the zygote itself can work under these limits."""
    return limits.get("nofile", AMPLE) >= AMPLE and limits.get("nproc", AMPLE) >= 32


def enter(uid: int, rehearse: bool, fds: List[int], highest: int) -> None:
    """Turn this fresh child into a task; never returns."""
    code = EXIT_NO_CHANNEL
    try:
        prepare(uid, fds, highest)
        pid = _getpid()
        _write(CONTROL, b"R")
        if rehearse:
            rehearsal()
        code = serve(rehearse, pid)
    except BaseException as error:
        try:
            os.write(2, ("slipway runner: %r\n" % (error,)).encode())
        except OSError:
            pass  # Nobody listens any more.
    finally:
        _exit(code)


def prepare(uid: int, fds: List[int], highest: int) -> None:
    """Take the descriptors and the uid of a task."""
    control_fd, out, err = fds
    _setsid()
    # Of its own: the flags and locks of an open file are shared by all who inherit it.
    _dup2(_open(_null, _O_RDONLY), 0)
    _dup2(out, 1)
    _dup2(err, 2)
    _dup2(control_fd, CONTROL, False)
    _closerange(CONTROL + 1, highest)
    if uid >= 0:
        _setresuid(uid, uid, uid)  # The kernel drops all capabilities with it.
        linux.allow_dumps()
    elif (
        os.getppid() == _supervisor
    ):  # Not while a double fork's middle is about to end.
        linux.prctl(linux.PR_SET_PDEATHSIG, _signal.SIGKILL)
    _reseed()


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


def serve(lingers: bool, pid: int) -> int:
    """Receive one task, run it, hand over what came of it; return the exit code.

    Parameters
    ----------
    lingers
        Whether to wait for leave to end, once the result is handed over.
    pid
        Of this process: one that the task forked answers nothing in its place.
    """
    size = _readv(CONTROL, _buffers)
    if not size:
        return 0
    (length,) = LENGTH.unpack_from(_buffer, 1)
    length += 5
    kind, env, encoding, size_in_all, inflated, result_limit, limits = _loads(
        _view[5:length]
    )
    body = _view[length:size].tobytes()
    if len(body) < size_in_all:
        body = _rest(body, size_in_all)
        if body is None:
            return 0
    _mkdir(_folder, 0o700)
    _mkdir(_output, 0o700)
    _chdir(_folder)
    for name, value in env:
        _environment[name] = value
        _putenv(name, value)
    if limits != _inherited:
        limit(limits)
    outcome = execute.run(kind, encoding, inflated, result_limit, body)
    if _getpid() != pid:
        return outcome.told()
    del body
    execute.flush_output()
    code = _answer(outcome)
    if lingers and not code:
        # The supervisor answers the host before it lets this process use the processor
        # for taking its memory down.
        os.read(CONTROL, 1)
    return code


def rehearsal() -> None:
    """Run an empty task while there is nothing else to do.

    A fresh fork spends most of a short task on page faults; what this touches is paid
    for before the task arrives.
    """
    if not select.select([CONTROL], [], [], 0)[0]:
        _rehearse()
    if _quick_hooks:
        _rehearse_hooks()


def _rehearse_hooks() -> None:
    for hook in _quick_hooks:
        if select.select([CONTROL], [], [], 0)[0]:
            break
        try:
            hook()
        except BaseException:
            continue  # The tenant's own code; the task shows what is wrong.
    _reseed()


def _rehearse() -> None:
    outcome = execute.run("source", "identity", 1000, 1000, _REHEARSAL)
    execute.forget_source()
    outcome.encoded()
    marshal.loads(marshal.dumps(("", [], 0)))
    execute.rehearse_pickle()


def _rest(first: bytes, size: int) -> Optional[bytearray]:
    """Read what follows of the input into its place."""
    if size >= LARGE_BYTES and hugepages.wanted():
        linux.widen_heap(2 * size)  # For what comes in, and what is made of it.
    body = bytearray(size)
    view = memoryview(body)
    view[: len(first)] = first
    kind, start = bytearray(1), len(first)
    while start < size:
        count = os.readv(CONTROL, (kind, view[start : start + CHUNK]))
        if not count:
            return None
        start += count - 1
    return body


def limit(packed: bytes) -> None:
    """Set resource limits, as far as the hard ones let us."""
    for name, value in marshal.loads(packed).items():
        _, hard = resource.getrlimit(LIMITS[name])
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(LIMITS[name], (value, value))


def hook() -> None:
    """Give the `slipway` module its way out, for children and their forks."""

    def emit(body: bytes, write: Any = os.write) -> None:
        write(CONTROL, b"E" + body)

    module = types.ModuleType("_slipway_task")
    module.emit = emit  # type: ignore[attr-defined]
    sys.modules["_slipway_task"] = module


def _answer(outcome: execute.Outcome) -> int:
    text = outcome.encoded()
    body = outcome.body
    room = CHUNK - len(text)
    try:
        if sum(map(len, body)) <= room:
            _write(CONTROL, b"".join((b"F", LENGTH.pack(len(text)), text, *body)))
        else:
            for piece in packing.pieces(body, CHUNK):
                os.writev(CONTROL, (b"P", piece))
            _write(CONTROL, b"".join((b"F", LENGTH.pack(len(text)), text)))
    except OSError:
        return EXIT_NO_CHANNEL
    return 0
