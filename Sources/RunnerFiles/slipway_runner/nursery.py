"""The supervisor's side of the zygote: starts it, has it warmed and asks for forks."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
from typing import Any, Callable, Dict, List, Optional, Tuple

from . import frames
from .child import Child
from .limits import FORK_REQUEST, task_folder
from .loop import Loop
from .report import PRELOAD_ERRORS, fitted_imports

MESSAGE_BYTES = 131072


class Nursery:
    """One zygote process.

    Parameters
    ----------
    loop
        The supervisor's loop.
    process
        What `spawn` returned.
    uids
        The zygote's uid, then those of its tasks; None where uids are not split.
    folder
        Where tasks make their folders.
    """

    def __init__(
        self,
        loop: Loop,
        process: Tuple[int, int],
        uids: Optional[List[int]],
        folder: str,
    ) -> None:
        self._loop = loop
        self._uids = uids
        self._folder = folder
        self.threads = 1
        #: "fresh", then "configuring", "ready", at last "retired".
        self.state = "fresh"
        #: What it was warmed for while it belonged to nobody; None for a tenant's.
        self._ahead: Optional[Dict[str, Any]] = None
        self.on_ready: Callable[[Dict[str, Any]], None] = lambda _: None
        self.on_failed: Callable[[str], None] = lambda _: None
        self.on_stale: Callable[[], None] = lambda: None
        #: 0 when it was killed or reaped.
        self.pid, descriptor = process
        self._socket = socket.socket(fileno=descriptor)
        loop.add(self._socket.fileno(), select.EPOLLIN, self._event)

    def configure(self, settings: Dict[str, Any]) -> None:
        """Send what CONFIGURE said; `on_ready` or `on_failed` follows."""
        self._ahead = settings if settings["ahead"] else None
        self._tell(settings)

    def can_adopt(self, settings: Dict[str, Any]) -> bool:
        """Whether this zygote, warmed ahead, can serve as `settings` ask."""
        ahead = self._ahead
        if ahead is None or settings["ahead"]:
            return False
        return settings["preload"][: len(ahead["preload"])] == ahead["preload"]

    def adopt(self, settings: Dict[str, Any]) -> None:
        """Make a zygote that was warmed ahead somebody's, as `configure`.

        `on_stale` follows where what it imported would hide an environment's modules.
        """
        self._ahead = None
        self._tell(settings)

    def _tell(self, settings: Dict[str, Any]) -> None:
        message = {
            "uid": self._uids[0] if self._uids else None,
            "uids": self._uids,
            "gid": settings["gid"],
            "path": settings["path"],
            "preload": settings["preload"],
            "env": settings["env"],
            "folder": self._folder,
            "ahead": settings["ahead"],
        }
        self.state = "configuring"
        try:
            text = json.dumps(message, ensure_ascii=False)
            self._socket.send(text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            self.on_failed("the zygote does not listen: %s" % error)

    def fork(
        self, uid: Optional[int], slot: int, rehearse: bool, limits: bytes
    ) -> Child:
        """Ask for a child and return its handle at once; it reports ready later.

        Parameters
        ----------
        uid
            What the child is to become.
        slot
            Which slot it serves.
        rehearse
            Whether it runs an empty task while it waits, and, once it has answered, waits
            for leave to end: where tasks come one after the other, each switch between
            processes costs more than it is worth.
        limits
            The resource limits that the next task is expected to get, packed.
        """
        child = Child(self._loop, uid, task_folder(self._folder, slot))
        child.lingers = rehearse
        request = FORK_REQUEST.pack(-1 if uid is None else uid, slot, rehearse)
        request += limits
        try:
            child.hand_over(self._socket, request)
        except OSError as error:
            child.close()
            self.on_failed("the zygote does not listen: %s" % error)
        return child

    def count_threads(self) -> int:
        """Return how many threads the zygote has now, by the kernel's count."""
        try:
            with open("/proc/%d/stat" % self.pid, "rb") as stat:
                return int(stat.read().rpartition(b")")[2].split()[17])
        except (OSError, ValueError, IndexError):
            return self.threads

    def _event(self, _: int) -> None:
        try:
            data = self._socket.recv(MESSAGE_BYTES)
        except OSError:
            data = b""
        if not data:
            self.close()
            self.on_failed("the zygote ended")
            return
        try:
            message = frames.object_from(data)
        except frames.Violation as violation:
            self.on_failed("the zygote sent %s" % violation)
            return
        if "failed" in message:
            self.on_failed(str(message["failed"])[:1000])
        elif "stale" in message and self.state == "configuring":
            self.state = "ready"
            self.on_stale()
        elif "ready" in message and self.state == "configuring":
            self.state = "ready"
            self.threads = self.count_threads()
            self.on_ready(ready_fields(message["ready"]))

    def close(self) -> None:
        """Close the socket, which ends the zygote."""
        if self._socket.fileno() >= 0:
            self._loop.remove(self._socket.fileno())
            self._socket.close()

    def retire(self) -> None:
        """Kill the zygote, for another is to take its place."""
        self.state = "retired"
        self.close()
        self.kill()

    def kill(self) -> None:
        """Kill the zygote, whatever it does, once: its number may be another's later."""
        pid, self.pid = self.pid, 0
        if pid == 0:
            return
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass  # It is gone already.


def ready_fields(told: Any) -> Dict[str, Any]:
    """Return what READY repeats of the zygote's words, checked."""
    told = told if type(told) is dict else {}
    version = told.get("cloudpickle")
    preload = told.get("preload")
    preload = preload if type(preload) is dict else {}
    errors = []
    listed = preload.get("errors")
    for item in listed[:PRELOAD_ERRORS] if type(listed) is list else []:
        if type(item) is dict:
            errors.append(
                {
                    "module": clean(item.get("module"), 200),
                    "message": clean(item.get("message"), 400),
                }
            )
    return {
        "cloudpickle": None if version is None else clean(version, 100),
        "preload": {
            "seconds": number(preload.get("seconds")),
            "errors": fitted_imports(errors),
        },
        "zygote_seconds": number(told.get("zygote_seconds")),
    }


def clean(value: Any, limit: int) -> str:
    """Return `value` as a string of valid Unicode, at most `limit` bytes."""
    if type(value) is not str:
        return ""
    data = value[:limit].encode("utf-8", "replace")[:limit]
    return data.decode("utf-8", "ignore")


def number(value: Any) -> float:
    """Return `value` where it is a plausible number, else 0."""
    if type(value) in (int, float) and 0 <= value < 1e15:
        return value
    return 0
