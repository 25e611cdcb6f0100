"""The zygote: a warmed interpreter that forks tasks when the supervisor asks.

Started as ``python3 -I -B zygote.py JSON`` with its socket as descriptor 3. It gives
up root for its own uid before it imports anything of the tenant, and with it the right
to change its group, and to take uids that are not its sandbox's.
"""

from __future__ import annotations

import _signal
import _socket
import gc
import json
import os
import struct
import sys
import time
import types

TYPE_CHECKING = False  # As in typing, whose pages every fork would pay for.
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional

HERE = os.path.dirname(os.path.abspath(__file__))
CONTROL = 3
MESSAGE_BYTES = 131072
#: A request to fork is a few numbers; room for more would be mapped for each.
REQUEST_BYTES = 4096
#: What comes with it: a task's control socket, its standard output and its error.
DESCRIPTORS = struct.Struct("3i")
#: Of larger mappings of files the page tables are shared with children.
SHARED_BYTES = 1 << 20
#: Inherited by every task; theirs grow, so the zygote is the last of them to go.
OOM_SCORE = 500


def _bootstrap() -> None:
    package = types.ModuleType("_slipway")
    package.__path__ = [HERE]  # type: ignore[attr-defined]
    sys.modules["_slipway"] = package


if __name__ == "__main__":
    _bootstrap()
    from _slipway import confine, heap, hugepages, linux, report, task
    from _slipway.limits import FORK_REQUEST
else:
    from . import confine, heap, hugepages, linux, report, task
    from .limits import FORK_REQUEST


def give_up_root(uid: Optional[int], gid: Optional[int]) -> None:
    """Become `uid` and keep only what it takes to change to a tenant's group and uids."""
    if uid is None:
        return
    group = gid if gid is not None else uid
    os.setgroups([])
    os.setresgid(group, group, group)
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    if not linux.available():
        return  # Stays root with three capabilities; HELLO says "no-ctypes".
    # With the saved uid 0 (no more than CAP_SETUID gives anyway) the kernel drops all
    # capabilities of a child by itself when it changes to a task's uid.
    os.setresuid(uid, uid, 0)
    mask = (1 << linux.CAP_SETUID) | (1 << linux.CAP_SETGID)
    if not linux.set_capabilities(mask):
        raise OSError("capset failed")
    linux.prctl(linux.PR_SET_DUMPABLE, 0)


def close_in(uids: Optional[List[int]], group: int) -> bool:
    """Keep this process to its group and to the uids of its sandbox, for good.

    What is imported next may be anybody's. Returns False where a thread of what was
    imported before keeps the right to change its group: the kernel lets nobody take it
    from another thread, and has no filter for all of them.
    """
    if uids is None or not linux.available():
        return True  # No uids of its own, or root in any case.
    is_confined = confine.confine(uids, group)
    if not linux.set_capabilities(1 << linux.CAP_SETUID):
        raise OSError("capset failed")
    return is_confined or thread_count() == 1


def arrange_path(extra: List[str]) -> None:
    """Insert `extra` after the standard library, and our own module last."""
    index = len(sys.path)
    for position, item in enumerate(sys.path):
        if item.endswith(("site-packages", "dist-packages")):
            index = position
            break
    sys.path[index:index] = extra
    sys.path.append(os.path.join(HERE, "lib"))


class ForkByDefault:
    """Stands first among the finders, and has the processes of multiprocessing forked.

    CPython 3.14 starts them through a server, which can import neither what a source
    task defines nor what came by value. Tasks may still choose a method themselves.
    """

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        """Find one module, as the finder of all files does."""
        if name != "multiprocessing.context":
            return None
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name, path, target)
        loader: Any = getattr(spec, "loader", None)
        if loader is not None:
            execute = loader.exec_module

            def exec_module(module: types.ModuleType) -> None:
                execute(module)
                fork_by_default(module)

            loader.exec_module = exec_module
        return spec

    @classmethod
    def arrange(cls) -> None:
        """Take effect, whether multiprocessing is imported already or never."""
        imported = sys.modules.get("multiprocessing.context")
        if imported is None:
            sys.meta_path.insert(0, cls)  # type: ignore[arg-type]
        else:
            fork_by_default(imported)


def fork_by_default(context: Any) -> None:
    """Change the default of the module `multiprocessing.context`."""
    default = getattr(context, "_default_context", None)
    methods = getattr(context, "_concrete_contexts", {})
    if default is not None and "fork" in methods:
        default._default_context = methods["fork"]


def preload(modules: List[str]) -> List[Dict[str, str]]:
    """Import `modules`, and call what they want practised; return what failed and why."""
    errors = []
    for name in modules:
        doing = ""
        try:
            __import__(name)
            hook = getattr(sys.modules[name], task.HOOK, None)
            if hook is not None:
                doing = task.HOOK + ": "
                task.learn(name, hook)
        except BaseException as error:  # Whatever a module raises is its own.
            message = "%s%s: %s" % (doing, type(error).__name__, _text(error))
            errors.append({"module": name, "message": message})
    return report.fitted_imports(errors)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:
        return "(no message)"


def tell(control: _socket.socket, message: Dict[str, Any]) -> None:
    """Send the supervisor an object, in as few bytes as JSON allows."""
    text = json.dumps(message, ensure_ascii=False)
    control.send(text.encode("utf-8", "backslashreplace"))


def share_text_pages() -> None:
    """Make a fork inherit the page tables of the interpreter's code.

    A private file mapping is copied by fork only where it has a page of its own; else
    every child faults the code in again. So one byte of it is written over itself. Of
    small libraries that costs more than it spares.
    """
    try:
        with open("/proc/self/maps") as maps:
            lines = [line.split() for line in maps]
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            for line in lines:
                start, _, end = line[0].partition("-")
                is_large = int(end, 16) - int(start, 16) >= SHARED_BYTES
                if is_large and line[5:] and line[5][0] == "/" and line[1][::3] == "rp":
                    _write_over(memory, int(start, 16))
    except OSError:
        pass  # Only slower.


def _write_over(memory: Any, address: int) -> None:
    try:
        memory.seek(address)
        byte = memory.read(1)
        memory.seek(address)
        memory.write(byte)
    except OSError:
        pass  # A mapping beyond the end of its file; the others may still be shared.


def volunteer_for_oom() -> None:
    """Have the kernel rather end a task than the supervisor when memory runs out."""
    try:
        with open("/proc/self/oom_score_adj", "r+") as score:
            if int(score.read()) < OOM_SCORE:
                score.write(str(OOM_SCORE))
    except (OSError, ValueError):
        pass  # Only the order of victims depends on it.


def reset_signals() -> None:
    """Give every signal its default, as tasks are to find it."""
    for number in range(1, _signal.NSIG):
        try:
            if number == _signal.SIGPIPE:
                _signal.signal(number, _signal.SIG_IGN)
            elif number == _signal.SIGINT:
                _signal.signal(number, _signal.default_int_handler)
            else:
                _signal.signal(number, _signal.SIG_DFL)
        except (OSError, ValueError):
            continue  # SIGKILL, SIGSTOP and those the C library keeps.
    _signal.set_wakeup_fd(-1)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, [])


def thread_count() -> int:
    """Return how many threads this process has."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 1


def double_fork() -> int:
    """Fork a grandchild, which the supervisor adopts; 0 in it."""
    middle = os.fork()
    if middle:
        os.waitpid(middle, 0)
        return middle
    try:
        if os.fork():
            os._exit(0)
    except BaseException:
        os._exit(1)
    return 0


def configure(settings: Dict[str, Any]) -> Dict[str, Any]:
    """Warm this interpreter as CONFIGURE asks; return what READY says."""
    began = time.monotonic()
    give_up_root(settings["uid"], settings["gid"])
    if not settings["ahead"]:
        # What is imported ahead of a tenant is the operator's choice.
        close_in(settings["uids"], os.getgid())
    _arrange(settings)
    os.umask(0o022)
    sys.argv = [""]
    sys.modules["__main__"] = types.ModuleType("__main__")
    if sys.version_info >= (3, 14):
        ForkByDefault.arrange()
    linux.unbuffer_stdout()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    return _warm(settings, began)


def _arrange(settings: Dict[str, Any]) -> None:
    arrange_path(settings["path"])
    os.environ.clear()
    os.environ.update(settings["env"])


def _warm(settings: Dict[str, Any], began: float) -> Dict[str, Any]:
    version = task.load_pickler()
    if "SLIPWAY_GPU_MEMORY_LIMIT" in settings["env"]:
        from _slipway import gpu  # Sandboxes with a promise only.

        gpu.watch(settings["env"])
    middle = time.monotonic()
    errors = preload(settings["preload"])
    ended = time.monotonic()
    reset_signals()
    return {
        "cloudpickle": version,
        "preload": {"seconds": ended - middle, "errors": errors},
        "zygote_seconds": ended - began,
        "threads": thread_count(),
    }


def adopt(settings: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """Become a tenant's after modules were imported for nobody yet.

    Returns None where an environment has another edition of what was imported, or what
    was imported cannot be closed in: only a new interpreter can then serve it.
    """
    began = time.monotonic()
    if settings["uid"] is not None:
        group = settings["gid"] if settings["gid"] is not None else settings["uid"]
        os.setresgid(group, group, group)
        linux.prctl(linux.PR_SET_DUMPABLE, 0)  # The kernel sets it anew.
    if hides_modules(settings["path"]) or not close_in(settings["uids"], os.getgid()):
        return None
    sys.path.remove(os.path.join(HERE, "lib"))
    _arrange(settings)
    return _warm(settings, began)


def hides_modules(folders: List[str]) -> bool:
    """Whether a folder has modules of names that were imported from elsewhere."""
    loaded = {name.partition(".")[0] for name in sys.modules}
    for folder in folders:
        try:
            names = os.listdir(folder)
        except OSError:
            continue  # What it lacks is told by the import that needs it.
        for name in names:
            if name.partition(".")[0] in loaded and not name.endswith("-info"):
                return True
    return False


def settle() -> None:
    """Make the heap one that children share and leave alone."""
    gc.collect()
    heap.arrange()
    gc.freeze()
    hugepages.collapse(thread_count() == 1)


def choose_fork(forced: Optional[str]) -> Callable[[], int]:
    """Return the quickest fork that is safe with what was preloaded."""
    if forced != "double" and thread_count() == 1:
        quick = linux.sibling_fork()
        if quick is not None:
            return quick
    return double_fork


def highest_descriptor() -> int:
    """Return a number above all descriptors that children inherit."""
    return max(map(int, os.listdir("/proc/self/fd"))) + 16


def serve(control: _socket.socket, settings: Dict[str, Any], practised: bool) -> None:
    """Fork one task for each request, until the supervisor goes away."""
    fork = choose_fork(settings.get("fork"))
    highest = highest_descriptor()
    announced, announced_slot = b"", -1
    settled = False
    receive, close = control.recvmsg, os.close
    unpack, unpack_fds = FORK_REQUEST.unpack_from, DESCRIPTORS.unpack
    head, space = FORK_REQUEST.size, _socket.CMSG_LEN(DESCRIPTORS.size)
    while True:
        data, ancillary, _, _ = receive(REQUEST_BYTES, space)
        if not data:
            return
        given = unpack_fds(ancillary[0][2])
        uid, slot, rehearse = unpack(data)
        limits = data[head:]
        if limits != announced or slot != announced_slot:
            task.announce(settings["folder"], slot, limits)
            announced, announced_slot = limits, slot
        try:
            if fork() == 0:
                task.enter(uid, rehearse, given, max(highest, max(given) + 1))
        except OSError as error:
            tell(control, {"failed": str(error)})
        for fd in given:
            close(fd)
        if not settled:
            # Not before the first task of a cold start.
            settled = True
            if practised:
                task.practise_hooks()  # Those of modules that only the tenant has.
            else:
                task.practise()
            # What modules practise may have started threads, or opened files.
            settle()
            fork = choose_fork(settings.get("fork"))
            highest = highest_descriptor()


def await_tenant(control: _socket.socket) -> Optional[Dict[str, Any]]:
    """Wait until this zygote is somebody's; None where it never is."""
    data = control.recv(MESSAGE_BYTES)
    if not data:
        return None
    settings = json.loads(data)
    try:
        ready = adopt(settings)
    except Exception as error:  # Told to the supervisor, which ends the sandbox.
        tell(control, {"failed": _text(error)[:1000]})
        return None
    if ready is None:
        control.send(b'{"stale": true}')
        control.recv(MESSAGE_BYTES)
        return None
    tell(control, {"ready": ready})
    return settings


def main() -> None:
    """Serve the supervisor on descriptor 3."""
    control = _socket.socket(fileno=CONTROL)
    hugepages.prepare()
    share_text_pages()
    volunteer_for_oom()
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    data = control.recv(MESSAGE_BYTES)
    if not data:
        return
    settings = json.loads(data)
    try:
        ready = configure(settings)
    except Exception as error:  # Told to the supervisor, which ends the sandbox.
        tell(control, {"failed": _text(error)[:1000]})
        return
    tell(control, {"ready": ready})
    ahead = bool(settings.get("ahead"))
    if ahead:
        # Nobody waits yet.
        task.practise()
        settle()
        settings = await_tenant(control)
        if settings is None:
            return
    serve(control, settings, ahead)


if __name__ == "__main__":
    main()
