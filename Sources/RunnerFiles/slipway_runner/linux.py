"""The Linux calls that Python lacks, through ctypes where it is there.

Everything here answers False or None without ctypes; the caller says so in HELLO.
"""

from __future__ import annotations

import _signal
import functools
import os

TYPE_CHECKING = False  # As in typing, whose pages every fork would pay for.
if TYPE_CHECKING:
    from typing import Any, Callable, Optional

try:
    import ctypes
except ImportError:  # An image without libffi.
    ctypes = None  # type: ignore[assignment]

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_GET_TID_ADDRESS = 40

CAP_SETGID = 6
CAP_SETUID = 7

_MADV_DONTFORK, _MADV_DOFORK, _MADV_HUGEPAGE, _MADV_COLLAPSE = 10, 11, 14, 25
#: Just below the most that the C library's threshold for mappings grows to.
_MOST_HEAP_BLOCK = (32 << 20) - 65536
_MAP_PRIVATE, _MAP_ANONYMOUS, _MAP_FIXED_NOREPLACE = 0x02, 0x20, 0x100000
_PROT_NONE = 0
_PAGE_BYTES = 4096

_CLONE_PARENT = 0x00008000
_CLONE_CHILD_CLEARTID = 0x00200000
_CLONE_CHILD_SETTID = 0x01000000
_SYS_CLONE = {"x86_64": 56, "aarch64": 220}
_CAPABILITY_VERSION = 0x20080522

_SYS_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SECCOMP_SET_MODE_FILTER = 1
#: For all threads; and without the kernel's remedy for speculation that slows a process
#: down, which Linux before 5.16 has for every process with a filter.
_FILTER_TSYNC, _FILTER_SPEC_ALLOW = 1, 4
_FILTER_INSTRUCTION_BYTES = 8


def _load() -> Any:
    if ctypes is None:
        return None
    try:
        # PyDLL keeps the interpreter lock, which a raw clone needs.
        return ctypes.PyDLL(None, use_errno=True)
    except OSError:
        return None


_libc = _load()


def c_functions() -> Any:
    """Return the C library, whose calls keep the interpreter's lock; None without one."""
    return _libc


def available() -> bool:
    """Whether the calls of this file work."""
    return _libc is not None


def prctl(option: int, value: int) -> bool:
    """Call prctl with one argument; True when it succeeded."""
    if _libc is None:
        return False
    return _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) == 0


def _no_dumps() -> None:
    """Do nothing where prctl cannot be called."""


def _make_allow_dumps() -> Callable[[], Any]:
    if _libc is None:
        return _no_dumps
    zero = ctypes.c_ulong(0)
    one = ctypes.c_ulong(1)
    return functools.partial(_libc.prctl, PR_SET_DUMPABLE, one, zero, zero, zero)


#: Makes this process dumpable, which owns /proc/self again; quick after a fork.
allow_dumps = _make_allow_dumps()


def set_capabilities(mask: int) -> bool:
    """Make `mask` the effective and permitted set of this thread."""
    if _libc is None:
        return False
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    data = (ctypes.c_uint32 * 6)(mask, mask, 0, 0, 0, 0)
    return _libc.capset(header, data) == 0


def add_filter(program: bytes) -> bool:
    """Have a program look at the system calls of all our threads from now on.

    Parameters
    ----------
    program
        An array of struct sock_filter.
    """
    number = _SYS_SECCOMP.get(os.uname().machine)
    if _libc is None or number is None:
        return False
    text = ctypes.create_string_buffer(program, len(program))
    length = len(program) // _FILTER_INSTRUCTION_BYTES
    # struct sock_fprog: a short, and a pointer where the next word begins.
    description = (ctypes.c_size_t * 2)(length, ctypes.addressof(text))
    call = _libc.syscall
    call.restype = ctypes.c_long
    for flags in (_FILTER_TSYNC | _FILTER_SPEC_ALLOW, _FILTER_TSYNC):
        mode, options = _SECCOMP_SET_MODE_FILTER, ctypes.c_ulong(flags)
        if call(ctypes.c_long(number), mode, options, description) == 0:
            return True
    return False


def trim_heap(room: int) -> None:
    """Give free memory back but `room` bytes; every fork would otherwise map it again."""
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(ctypes.c_size_t(room))


def fill_heap(largest: int, most: int) -> None:
    """Take the C library's free chunks, so that what comes next lies at its end.

    Parameters
    ----------
    largest
        The largest size that is asked for, in bytes.
    most
        How many chunks are taken at most.
    """
    report = getattr(_libc, "mallinfo2", None)
    if report is None:
        return  # No ctypes, or a C library that does not tell where its heap ends.
    # struct mallinfo2 is ten sizes; `keepcost`, what is free at the end, stands last.
    sizes = [("size%d" % place, ctypes.c_size_t) for place in range(10)]
    report.restype = type("mallinfo2", (ctypes.Structure,), {"_fields_": sizes})
    for name in ("malloc", "sbrk"):
        getattr(_libc, name).restype = ctypes.c_size_t
    size = largest
    while size >= 24 and most:
        most -= 1
        end = _libc.sbrk(ctypes.c_ssize_t(0)) - report().size9
        address = _libc.malloc(ctypes.c_size_t(size))
        if address == 0:
            return
        if address >= end:
            size = size * 3 // 4 if size > 1376 else size - 16


def widen_heap(size: int) -> None:
    """Have the C library's heap end with so many free bytes, and those on huge pages.

    What is allocated next then costs a page fault for 2 MiB instead of one for 4 KiB. At
    most 32 MiB, the largest block that the library would not map by itself.
    """
    if not hasattr(_libc, "mallinfo2"):
        return  # No ctypes, or another library.
    _libc.malloc.restype = ctypes.c_size_t
    size = min(size, _MOST_HEAP_BLOCK)
    # The first is mapped, if blocks of this size were so far: its end teaches better.
    for _ in range(2):
        block = _libc.malloc(ctypes.c_size_t(size))
        if not block:
            return
        first = block + -block % _PAGE_BYTES
        length = ctypes.c_size_t((block + size - first) // _PAGE_BYTES * _PAGE_BYTES)
        _libc.madvise(ctypes.c_size_t(first), length, _MADV_HUGEPAGE)
        _libc.free(ctypes.c_size_t(block))


def heap_end() -> int:
    """Return where the C library's heap ends; 0 where nobody can tell."""
    if not hasattr(_libc, "mallinfo2"):
        return 0
    _libc.sbrk.restype = ctypes.c_size_t
    return _libc.sbrk(ctypes.c_ssize_t(0))


def move_heap_end(count: int) -> None:
    """Move the heap's end by so many bytes, of which the C library is told nothing.

    Nothing here calls mallopt: with its first setting the library stops to learn which
    sizes are worth keeping, and every large block of a task is mapped anew.
    """
    _libc.sbrk(ctypes.c_ssize_t(count))


def reserve(start: int, end: int) -> None:
    """Keep these addresses from being used, where nothing is there yet."""
    if _libc is not None and end > start:
        flags = _MAP_PRIVATE | _MAP_ANONYMOUS | _MAP_FIXED_NOREPLACE
        place, size = ctypes.c_size_t(start), ctypes.c_size_t(end - start)
        _libc.mmap(place, size, _PROT_NONE, flags, -1, ctypes.c_size_t(0))


def resident_pages(start: int, size: int) -> int:
    """Return how many pages of a mapping are in memory."""
    if _libc is None:
        return 0
    pages = (ctypes.c_ubyte * (size // _PAGE_BYTES))()
    if _libc.mincore(ctypes.c_size_t(start), ctypes.c_size_t(size), pages) != 0:
        return 0
    return sum(page & 1 for page in pages)


def collapse(start: int, size: int) -> None:
    """Make one huge page of a block of anonymous memory, with an entry for each page.

    Without those every child, at its first write, would have to make them.
    """
    if _libc is None:
        return
    block = ctypes.c_size_t(start)
    if _libc.madvise(block, ctypes.c_size_t(size), _MADV_COLLAPSE) != 0:
        return  # An older kernel, or no memory.
    for advice in (_MADV_DONTFORK, _MADV_DOFORK):  # Cut in two, and mended.
        _libc.madvise(block, ctypes.c_size_t(_PAGE_BYTES), advice)


def interpreter_code() -> int:
    """Return an address inside the interpreter's code; 0 where nobody can tell."""
    return 0 if _libc is None else _address(ctypes.pythonapi.Py_Initialize)


def c_library_code() -> int:
    """Return an address inside the C library's code; 0 where nobody can tell."""
    return 0 if _libc is None else _address(_libc.getpid)


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def unbuffer_stdout() -> None:
    """Have C code print at once, so that no result overtakes its output."""
    if _libc is None:
        return
    try:
        stream = ctypes.c_void_p.in_dll(_libc, "stdout")
    except ValueError:
        return  # A C library that hides it.
    _libc.setvbuf(stream, None, 2, ctypes.c_size_t(0))


def sibling_fork() -> Optional[Callable[[], int]]:
    """Return a fork whose child belongs to our own parent, or None.

    The kernel's CLONE_PARENT does it; C-level fork handlers do not run, so it is
    only for a process with one thread and no library that counts on them.
    """
    machine = os.uname().machine
    if _libc is None or machine not in _SYS_CLONE:
        return None
    flags = _CLONE_PARENT | _signal.SIGCHLD
    tid = ctypes.c_void_p(0)
    if _libc.prctl(PR_GET_TID_ADDRESS, ctypes.byref(tid), 0, 0, 0) == 0 and tid.value:
        # The C library caches the thread id there, as its own fork knows.
        flags |= _CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID
    zero = ctypes.c_void_p(0)
    if machine == "x86_64":
        tail = (zero, zero, tid, zero)
    else:
        tail = (zero, zero, zero, tid)
    number = ctypes.c_long(_SYS_CLONE[machine])
    arguments = (number, ctypes.c_ulong(flags)) + tail
    syscall = _libc.syscall
    syscall.restype = ctypes.c_long
    before = ctypes.pythonapi.PyOS_BeforeFork
    in_child = ctypes.pythonapi.PyOS_AfterFork_Child
    in_parent = ctypes.pythonapi.PyOS_AfterFork_Parent
    for function in (before, in_child, in_parent):
        function.restype = None
        function.argtypes = []

    def fork(
        before: Any = before,
        syscall: Any = syscall,
        arguments: Any = arguments,
        in_child: Any = in_child,
        in_parent: Any = in_parent,
    ) -> int:
        # Arguments, for the cells of a closure would be pages of their own.
        before()
        pid = syscall(*arguments)
        if pid == 0:
            in_child()
            return 0
        in_parent()
        if pid < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        return pid

    return fork


def remove_ipc(uid: int) -> int:
    """Remove the System V objects of `uid`; return how many were there."""
    removed = 0
    for kind, call in (("shm", "shmctl"), ("sem", "semctl"), ("msg", "msgctl")):
        for identifier in ipc_objects(kind, uid):
            if _libc is None:
                continue
            function = getattr(_libc, call)
            if kind == "sem":
                removed += function(identifier, 0, 0) == 0
            else:
                removed += function(identifier, 0, None) == 0
    return removed


def ipc_objects(kind: str, uid: int) -> list:
    """Return the ids of System V objects that belong to `uid`."""
    found = []
    try:
        with open("/proc/sysvipc/" + kind) as table:
            columns = table.readline().split()
            for line in table:
                row = dict(zip(columns, line.split()))
                if uid in (int(row["uid"]), int(row["cuid"])):
                    found.append(int(row[kind + "id" if kind != "msg" else "msqid"]))
    except OSError:
        pass  # A kernel without System V IPC has nothing to remove.
    return found


def c_library() -> str:
    """Return name and version of the C library, as far as they can be told."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or "unknown"
    except (ValueError, OSError):
        return "musl"
