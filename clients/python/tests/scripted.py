"""A gateway that misbehaves as a test tells it to, over real connections."""

from __future__ import annotations

import base64
import contextlib
import json
import pickle
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from typing_extensions import Self

KEY = "slw_test_key"


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


@dataclass
class Answer:
    """What to send back.

    Attributes
    ----------
    status, body, headers
        The answer; anything but bytes is sent as JSON.
    chunks
        Pieces of a stream, sent as they come, instead of a body.
    cut
        Close the connection: ``before`` any byte of the answer, or ``within`` the stream.
    """

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    chunks: Iterator[bytes] | None = None
    cut: str = ""


def problem(status: int, slug: str, detail: str = "", **headers: str) -> Answer:
    """Return a problem document."""
    body = {"type": f"/problems/{slug}", "status": status, "detail": detail}
    return Answer(status, body, {"Content-Type": "application/problem+json", **headers})


def job(number: int = 1, state: str = "queued", **more: Any) -> dict[str, Any]:
    """Return the description of a job."""
    return {
        "id": f"job_{number:04}",
        "name": "task",
        "kind": "callable",
        "state": state,
        "attempt": 1,
        "timings": {"run": 0.001, "total": 0.002},
        "error": None,
        "labels": {},
        **more,
    }


def pickled(value: Any) -> dict[str, Any]:
    """Return a result as the gateway shows it for a pickle of a value."""
    return {
        "media_type": "application/vnd.python.pickle",
        "encoding": "zlib+base64",
        "data": base64.b64encode(zlib.compress(pickle.dumps(value, 5))).decode(),
    }


def packed(value: Any) -> dict[str, Any]:
    """Return a result as the travelling code packs it."""
    from slipway import _sandbox_rest

    return pickled(_sandbox_rest.pack(True, value))


def call_of(task: dict[str, Any]) -> Any:
    """Carry out a ``callable`` task as the runner does; return what the runner gets."""
    function, args, kwargs = pickle.loads(
        zlib.decompress(base64.b64decode(task["data"]))
    )
    return function(*args, **kwargs)


class Scripted:
    """A server on loopback.

    Parameters
    ----------
    script
        Answers each request.
    """

    def __init__(self, script: Callable[[Asked], Answer]) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.connections = 0
        self.closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                outer.connections += 1
                super().setup()

            def handle_any(self) -> None:
                outer._handle(self)

            do_GET = do_POST = do_DELETE = handle_any

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        length = int(handler.headers.get("content-length") or 0)
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        headers = {k.lower(): v for k, v in handler.headers.items()}
        asked = Asked(
            handler.command, parts.path, query, headers, handler.rfile.read(length)
        )
        self.asked.append(asked)
        answer = self.script(asked)
        if answer.cut == "before":
            self._cut(handler)
            return
        handler.send_response(answer.status)
        body = answer.body
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        for name, value in answer.headers.items():
            handler.send_header(name.replace("_", "-"), value)
        if answer.chunks is None:
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            # The client may have given up.
            with contextlib.suppress(OSError):
                handler.wfile.write(body)
            return
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        try:
            for chunk in answer.chunks:
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                handler.wfile.flush()
            if answer.cut == "within":
                self._cut(handler)
                return
            handler.wfile.write(b"0\r\n\r\n")
        except OSError:
            handler.close_connection = True

    @staticmethod
    def _cut(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.connection.shutdown(socket.SHUT_RDWR)

    def paths(self) -> list[str]:
        """Return what was asked for, in order."""
        return [f"{asked.method} {asked.path}" for asked in self.asked]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Executions:
    """The part of a gateway that runs each submission once for each key.

    Attributes
    ----------
    count
        How many jobs were made.
    """

    def __init__(self) -> None:
        self._by_key: dict[str, dict[str, Any]] = {}
        self.count = 0

    def submit(self, asked: Asked) -> dict[str, Any]:
        """Return the job of a request, a new one for a new key."""
        key = asked.headers["idempotency-key"]
        if key not in self._by_key:
            self.count += 1
            result = pickled(call_of(asked.json()["task"]))
            self._by_key[key] = job(self.count, "completed", result=result)
        return self._by_key[key]
