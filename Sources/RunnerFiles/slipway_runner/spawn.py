"""Starts a zygote; kept apart, for it happens before the supervisor loads the rest.

A cold start waits for the zygote's interpreter, so what is imported before that is
delay: the C modules stand here in place of `socket` and `signal`, which cost as much
as half an interpreter.
"""

from __future__ import annotations

import _signal
import _socket
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Tuple

HERE = os.path.dirname(os.path.abspath(__file__))
HIGHEST_FD = 256


def spawn() -> Tuple[int, int]:
    """Start a zygote; return its pid and our end of its socket."""
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    python = sys.executable or "/proc/self/exe"
    script = os.path.join(HERE, "zygote.py")
    argv = [python, "-I", "-B", "-X", "utf8", script]
    pid = os.fork()
    if pid:
        theirs.close()
        return pid, ours.detach()
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        # The channel may still be standard output; a zygote has nothing to say there.
        os.dup2(2, 1)
        os.dup2(theirs.fileno(), 3)
        os.closerange(4, HIGHEST_FD)
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
        # What the loader looks up later, every fork would look up anew.
        environment = dict(os.environ, LD_BIND_NOW="1")
        # Ours alone: what tasks allocate and hardly use would become huge pages.
        environment.pop("GLIBC_TUNABLES", None)
        os.execve(python, argv, environment)
    finally:
        os._exit(127)
