"""The relay between the sandbox's loopback and the host's socket, with real sockets on both sides."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
from typing import Any, Callable, Iterator

import pytest

RUNNER = os.path.join(os.path.dirname(__file__), "../../Sources/RunnerFiles")
PROGRAM = """
import json, os, sys, types
package = types.ModuleType("_slipway")
package.__path__ = [sys.argv[1] + "/slipway_runner"]
sys.modules["_slipway"] = package
from _slipway.loop import Loop
from _slipway.relay import Relay
import select
loop = Loop()
relay = Relay(loop, json.loads(sys.argv[2]))
def command(_):
    word = os.read(0, 1)
    if not word:
        os._exit(0)
    if word == b"d":
        relay.drop()
    os.write(1, b"%d\\n" % len(relay.connections))
loop.add(0, select.EPOLLIN, command)
os.write(1, b"ready\\n")
loop.run()
"""
Serve = Callable[[socket.socket], Any]


class Bench:
    """A relay in a process of its own, and the host's end of its socket."""

    def __init__(self, folder: str, serve: Serve, status: bytes, limit: int) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        path = folder + "/r"
        self._listener.bind(path)
        self._listener.listen(64)
        self._serve = serve
        self._status = status
        self.ports: list[int] = []
        free = socket.create_server(("127.0.0.1", 0))
        self.port = free.getsockname()[1]
        free.close()
        settings = '{"socket": "%s", "ports": [%d], "limit": %d}' % (
            path,
            self.port,
            limit,
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, RUNNER, settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._take, args=(line,), daemon=True).start()

    def _take(self, line: socket.socket) -> None:
        self.ports.append(struct.unpack(">H", line.recv(2))[0])
        line.sendall(self._status)
        if self._status == b"\0":
            self._serve(line)
        line.close()

    def dial(self) -> socket.socket:
        """Connect as a task does."""
        return socket.create_connection(("127.0.0.1", self.port), 10)

    def say(self, word: bytes) -> int:
        """Give the relay a command; return how many connections it has."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(word)
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def close(self) -> None:
        """End the relay."""
        self._listener.close()
        self.process.kill()
        self.process.wait()


def echo(line: socket.socket) -> None:
    """Send back what comes; the end too."""
    while True:
        data = line.recv(65536)
        if not data:
            break
        line.sendall(data)
    line.shutdown(socket.SHUT_WR)
    line.recv(1)


Make = Callable[..., Bench]


@pytest.fixture
def bench(tmp_path: Any) -> Iterator[Make]:
    """Return a maker of benches that are closed afterwards."""
    made = []

    def make(serve: Serve = echo, status: bytes = b"\0", limit: int = 8) -> Bench:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Bench(str(folder), serve, status, limit))
        return made[-1]

    yield make
    for item in made:
        item.close()


def read_all(line: socket.socket) -> bytes:
    """Return everything up to the end."""
    return b"".join(iter(lambda: line.recv(65536), b""))


def test_bytes_come_back_whatever_their_number(bench: Make) -> None:
    relay = bench()
    with relay.dial() as line:
        sent = os.urandom(5_000_000)
        sender = threading.Thread(
            target=lambda: (line.sendall(sent), line.shutdown(socket.SHUT_WR))
        )
        sender.start()
        assert read_all(line) == sent
        sender.join()
    assert relay.ports == [relay.port]


def test_an_end_is_passed_on_one_way_at_a_time(bench: Make) -> None:
    def serve(line: socket.socket) -> None:
        line.sendall(b"first")
        line.shutdown(socket.SHUT_WR)
        received.append(read_all(line))
        done.set()

    received: list[bytes] = []
    done = threading.Event()
    relay = bench(serve)
    with relay.dial() as line:
        assert read_all(line) == b"first"
        line.sendall(b"still open")
        line.shutdown(socket.SHUT_WR)
        assert done.wait(5)
    assert received == [b"still open"]
    assert relay.say(b"?") == 0


def test_what_breaks_off_does_not_look_complete(bench: Make) -> None:
    relay = bench(lambda line: line.sendall(b"half of it"))
    with relay.dial() as line, pytest.raises(ConnectionResetError):
        while line.recv(4):
            pass
        pytest.fail("the end looked complete")


def test_a_port_that_the_host_does_not_reach_is_reset(bench: Make) -> None:
    relay = bench(status=b"\1")
    with pytest.raises(ConnectionResetError), relay.dial() as line:
        line.recv(1)
    assert relay.say(b"?") == 0


def test_connections_beyond_the_limit_are_reset(bench: Make) -> None:
    relay = bench(limit=3)
    lines = [relay.dial() for _ in range(3)]
    for line in lines:
        line.sendall(b"x")
        assert line.recv(1) == b"x"
    # The reset may come before the connection was seen to be there.
    with pytest.raises(ConnectionResetError), relay.dial() as surplus:
        surplus.recv(1)
    lines[0].sendall(b"y")
    assert lines[0].recv(1) == b"y"
    lines.pop().close()
    for _ in range(100):
        if relay.say(b"?") == 2:
            break
    with relay.dial() as again:
        again.sendall(b"z")
        assert again.recv(1) == b"z"


def test_a_reader_that_stalls_stops_nobody_else(bench: Make) -> None:
    def flood(line: socket.socket) -> None:
        try:
            while True:
                line.sendall(bytes(65536))
        except OSError:
            pass  # The relay was ended.

    relay = bench(lambda line: flood(line) if line.recv(1) == b"f" else echo(line))
    stalled = relay.dial()
    stalled.sendall(b"f")
    with relay.dial() as line:
        line.sendall(b"e")
        for _ in range(200):
            line.sendall(b"ping")
            assert line.recv(4) == b"ping"
    with open("/proc/%d/status" % relay.process.pid) as status:
        resident = next(row for row in status if row.startswith("VmRSS"))
    assert int(resident.split()[1]) < 64 * 1024
    with open("/proc/%d/stat" % relay.process.pid) as stat:
        before = sum(map(int, stat.read().split()[13:15]))
    threading.Event().wait(0.5)
    with open("/proc/%d/stat" % relay.process.pid) as stat:
        after = sum(map(int, stat.read().split()[13:15]))
    assert after - before < 10, "it spins while a reader stalls"
    stalled.close()


def test_drop_cuts_everything(bench: Make) -> None:
    relay = bench()
    lines = [relay.dial() for _ in range(5)]
    for line in lines:
        line.sendall(b"x")
        assert line.recv(1) == b"x"
    assert relay.say(b"?") == 5
    assert relay.say(b"d") == 0
    for line in lines:
        with pytest.raises(ConnectionResetError):
            line.recv(1)
