"""A host for tests: listens, speaks the protocol, starts the supervisor."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

ROOT = Path(__file__).resolve().parents[2]
RUNNER = ROOT / "Sources" / "RunnerFiles" / "slipway_runner"
sys.path.insert(0, str(RUNNER.parent))

from slipway_runner import frames

NAMES = {
    value: name
    for name, value in vars(frames).items()
    if name.isupper() and type(value) is int and value > 0x80 and value < 0x100
}
#: Of an input in one frame, as the engine sends it.
PIECE_BYTES = 131072
WAIT_SECONDS = 60.0


class Result:
    """Everything that the host received about one task."""

    def __init__(self) -> None:
        self.header: Dict[str, Any] = {}
        self.body = b""
        self.parts: List[Tuple[int, bytes]] = []
        self.logs: Dict[str, List[Tuple[int, int, bytes]]] = {
            "stdout": [],
            "stderr": [],
        }
        self.events: List[Any] = []
        self.clean: Optional[Dict[str, Any]] = None
        self.files: Dict[str, bytes] = {}
        self.outputs: Optional[Dict[str, Any]] = None
        self._file = ("", 0)

    def take_output(self, header: Dict[str, Any], body: bytes) -> None:
        assert not self.header, "outputs come before RESULT"
        name, index = self._file
        if header["offset"] == 0:
            if header["index"] == 1:
                self.files, index = {}, 0
            name, index = header["name"], index + 1
            assert header["index"] == index and name not in self.files
            self.files[name] = b""
        self._file = (name, index)
        assert len(self.files[name]) == header["offset"]
        self.files[name] += body
        self.whole = header.get("last", False)

    def skipped(self) -> Dict[str, str]:
        assert self.outputs is not None
        return {item["name"]: item["reason"] for item in self.outputs["skipped"]}

    @property
    def outcome(self) -> str:
        return self.header["outcome"]

    @property
    def error(self) -> Dict[str, str]:
        return self.header["error"]

    def value(self) -> Any:
        assert self.header.get("media") in ("json", "pickle"), self.header
        data = self.body
        if self.header["encoding"] == "zlib":
            data = zlib.decompress(data)
        assert len(data) == self.header["inflated"]
        return (
            json.loads(data) if self.header["media"] == "json" else pickle.loads(data)
        )

    def text(self, stream: str = "stdout") -> bytes:
        return b"".join(data for _, _, data in self.logs[stream])


class Host:
    """One listening socket and the connection of one supervisor."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.path = os.path.join(folder, "s")
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o777)
        self.listener.listen(64)
        self.connection: Optional[socket.socket] = None
        self.hello: Dict[str, Any] = {}
        self.results: Dict[str, Result] = {}
        self.others: List[Tuple[str, Dict[str, Any], bytes]] = []
        self.nonces: Dict[str, Dict[str, Any]] = {}
        self._reader = frames.Reader(frames.FROM_SUPERVISOR)
        self.acknowledge = True
        self.closed = False
        self.peer: Optional[int] = None

    def accept(self, resume: Optional[list] = None, welcome: bool = True) -> Dict:
        """Accept the supervisor, past strangers, and welcome it."""
        self.listener.settimeout(WAIT_SECONDS)
        while True:
            connection, _ = self.listener.accept()
            pid = int.from_bytes(
                connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4],
                sys.byteorder,
            )
            if self.peer in (None, pid):
                break
            connection.close()
        self.connection = connection
        self.closed = False
        self._reader = frames.Reader(frames.FROM_SUPERVISOR)
        self.wait(lambda: any(name == "HELLO" for name, _, _ in self.others))
        self.hello = next(h for n, h, _ in self.others if n == "HELLO")
        self.others = [item for item in self.others if item[0] != "HELLO"]
        if welcome:
            self.send(frames.WELCOME, {"resume": resume or []})
        return self.hello

    def configure(self, **fields: Any) -> Dict[str, Any]:
        key = fields.pop("key", "k" + secrets.token_hex(4))
        header = {"key": key, "gid": None, "path": [], "preload": [], "env": {}}
        header["outputs"] = {"files": 100, "file_bytes": 1 << 25, "bytes": 1 << 26}
        self.send(frames.CONFIGURE, {**header, **fields})
        self.wait(
            lambda: any(n == "READY" and h["key"] == key for n, h, _ in self.others)
        )
        return next(h for n, h, _ in self.others if n == "READY" and h["key"] == key)

    def send(self, kind: int, header: Dict[str, Any], body: bytes = b"") -> None:
        assert self.connection is not None
        self.connection.settimeout(WAIT_SECONDS)
        self.connection.sendall(frames.encode(kind, header, body))

    def start(self, kind: str, data: bytes, **fields: Any) -> str:
        """Send START and INPUT; return the job's id."""
        job = "job_" + secrets.token_hex(8)
        key = {"job": job, "attempt": 1, "nonce": secrets.token_hex(16)}
        self.nonces[job] = key
        self.results[job] = Result()
        header = {
            **key,
            "slot": 0,
            "kind": kind,
            "name": None,
            "timeout": None,
            "env": {},
            "encoding": "identity",
            "size": len(data),
            "inflated": max(len(data), 1 << 28),
            "result_limit": 1 << 28,
            "log_limit": 1 << 20,
            "python": None,
            "rlimits": {"nofile": 1024, "core": 0},
            **fields,
        }
        first = data[:PIECE_BYTES]
        self.send(frames.START, header, first)
        for offset in range(len(first), len(data), PIECE_BYTES):
            self.send(frames.INPUT, key, data[offset : offset + PIECE_BYTES])
        return job

    def source(self, code: str, *args: Any, **fields: Any) -> str:
        kwargs = fields.pop("kwargs", {})
        entry = fields.pop("entrypoint", "main")
        task = {"code": code, "args": list(args), "kwargs": kwargs, "entrypoint": entry}
        return self.start("source", json.dumps(task).encode(), **fields)

    def command(self, *argv: str, **fields: Any) -> str:
        task = {"argv": list(argv)}
        for name in ("stdin", "files", "protocol"):
            if name in fields:
                task[name] = fields.pop(name)
        return self.start("command", json.dumps(task).encode(), **fields)

    def run(self, code: str, *args: Any, **fields: Any) -> Result:
        """Run source to its CLEAN and return all that came."""
        return self.finish(self.source(code, *args, **fields))

    def finish(self, job: str) -> Result:
        self.wait(lambda: self.results[job].clean is not None)
        return self.results[job]

    def result(self, job: str) -> Result:
        self.wait(lambda: bool(self.results[job].header))
        return self.results[job]

    def wait(self, done: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("nothing more came; last: %r" % self.others[-3:])
            self.pump(left)

    def pump(self, seconds: float) -> None:
        assert self.connection is not None
        if not select.select([self.connection], [], [], seconds)[0]:
            return
        try:
            data = self.connection.recv(1 << 20)
        except ConnectionError:
            data = b""
        if not data:
            self.closed = True
            raise ConnectionError("the supervisor hung up: %r" % self.others[-3:])
        for kind, header, body in self._reader.feed(data):
            self._take(NAMES[kind], header, body)

    def _take(self, name: str, header: Dict[str, Any], body: bytes) -> None:
        if "nonce" not in header:
            self.others.append((name, header, body))
            return
        key = self.nonces[header["job"]]
        assert {n: header[n] for n in key} == key
        result = self.results[header["job"]]
        if name == "LOG":
            item = (header["offset"], header.get("skipped", 0), body)
            result.logs[header["stream"]].append(item)
        elif name == "EVENT":
            assert header["seq"] == len(result.events) + 1
            result.events.append(json.loads(body))
        elif name == "OUTPUT":
            result.take_output(header, body)
        elif name == "OUTPUTS":
            result.outputs = header
        elif name == "RESULT_PART":
            result.parts.append((header["offset"], body))
        elif name == "RESULT":
            assert not result.header or not self.acknowledge
            result.header = header
            result.body = b"".join([part for _, part in result.parts] + [body])
            assert len(result.body) == header["size"]
            if self.acknowledge:
                self.send(frames.ACK, key)
        elif name == "CLEAN":
            result.clean = header

    def drop(self) -> None:
        assert self.connection is not None
        self.connection.close()

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.listener.close()


@contextlib.contextmanager
def process_sandbox(
    python: str = sys.executable, ready: bool = True, **settings: Any
) -> Iterator[Host]:
    """A supervisor as an ordinary process, as the `process` runtime starts it."""
    folder = tempfile.mkdtemp(prefix="slipway-test-")
    tmp = os.path.join(folder, "tmp")
    os.mkdir(tmp)
    host = Host(folder)
    argument = {
        "sandbox": "sbx_test",
        "socket": host.path,
        "uids": None,
        "slots": 1,
        "heartbeat": 1.0,
        "reconnect": 30.0,
        "tmp": tmp,
        "runtime": "process",
        **settings,
    }
    command = [
        python,
        "-I",
        "-S",
        "-B",
        str(RUNNER / "supervisor.py"),
        json.dumps(argument),
    ]
    # As a host with threads does: it blocks signals, and its children inherit that.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    host.process = process  # type: ignore[attr-defined]
    host.tmp = tmp  # type: ignore[attr-defined]
    try:
        host.peer = process.pid
        host.accept()
        if ready:
            host.configure()
        yield host
    finally:
        host.close()
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)
