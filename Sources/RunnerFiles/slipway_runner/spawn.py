"""Starts a zygote; kept apart, for it happens before the supervisor loads the rest."""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import Tuple

HERE = os.path.dirname(os.path.abspath(__file__))
HIGHEST_FD = 256


def spawn() -> Tuple[int, socket.socket]:
    """Start a zygote; return its pid and our end of its socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    python = sys.executable or "/proc/self/exe"
    script = os.path.join(HERE, "zygote.py")
    argv = [python, "-I", "-B", "-X", "utf8", script]
    pid = os.fork()
    if pid:
        theirs.close()
        return pid, ours
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(theirs.fileno(), 3)
        os.closerange(4, HIGHEST_FD)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execv(python, argv)
    finally:
        os._exit(127)
