"""The benchmark's floor: one plain fork per task, and nothing else.

Started as ``python3 -I -B floor.py JSON`` in the same kind of container as a supervisor;
JSON has "socket", which it dials. A request is a length (u32, big-endian), a kind byte
and bytes: kind ``c`` a pickle of (function, args, kwargs), kind ``s`` Python source whose
``main()`` is called. The answer is a length and the pickled, or JSON, value. The child is
reaped before its answer is sent. It shares no code with the supervisor.
"""

from __future__ import annotations

import json
import os
import pickle
import socket
import struct
import sys
import time
from typing import Optional

LENGTH = struct.Struct(">I")
DIAL_SECONDS = 10.0


def dial(path: str) -> socket.socket:
    """Connect to the host, trying for ten seconds."""
    deadline = time.monotonic() + DIAL_SECONDS
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(path)
            return connection
        except OSError:
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def receive(connection: socket.socket, size: int) -> Optional[bytes]:
    """Return exactly `size` bytes, None at the end of the stream."""
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            return None
        data += more
    return data


def execute(request: bytes) -> bytes:
    """Run one task and return its encoded value."""
    kind, body = request[:1], request[1:]
    if kind == b"c":
        function, args, kwargs = pickle.loads(body)
        return pickle.dumps(function(*args, **kwargs), 4)
    namespace = {"__name__": "task"}
    exec(compile(body, "<task>", "exec"), namespace)
    return json.dumps(namespace["main"]()).encode()


def in_child(request: bytes) -> bytes:
    """Run one task in a fork of its own; return its answer once it is reaped."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reader)
            answer = memoryview(execute(request))
            while answer:
                answer = answer[os.write(writer, answer) :]
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    parts = []
    while True:
        part = os.read(reader, 65536)
        if not part:
            break
        parts.append(part)
    os.close(reader)
    os.waitpid(pid, 0)
    return b"".join(parts)


def main() -> None:
    """Answer requests until the host hangs up."""
    connection = dial(json.loads(sys.argv[1])["socket"])
    try:
        import cloudpickle  # noqa: F401  # type: ignore[import-not-found]
    except ImportError:
        pass  # The pickle of an importable function needs none.
    while True:
        prefix = receive(connection, LENGTH.size)
        if prefix is None:
            return
        request = receive(connection, LENGTH.unpack(prefix)[0])
        if request is None:
            return
        answer = in_child(request)
        connection.sendall(LENGTH.pack(len(answer)) + answer)


if __name__ == "__main__":
    main()
