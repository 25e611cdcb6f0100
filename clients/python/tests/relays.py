"""What stands between a client and its gateway: ends of TLS, and proxies."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

NAME = "gateway.invalid"
"""A name that no resolver knows."""


@dataclass(frozen=True)
class Authority:
    """An authority of the test's own, and a certificate of it for `NAME` and for this machine."""

    certificate: Path
    server: Path
    server_key: Path

    @classmethod
    def made(cls, folder: Path) -> Self:
        """Make one in a folder."""
        more = folder / "extensions"
        more.write_text(
            f"subjectAltName=DNS:{NAME},IP:127.0.0.1\nbasicConstraints=CA:FALSE\n"
            "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
        )
        new = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj"
        usage = "-addext keyUsage=critical,keyCertSign,cRLSign"
        sign = "x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -extfile extensions"
        commands = [
            f"{new} /CN=tests -x509 -days 2 {usage} -keyout ca.key -out ca.pem",
            f"{new} /CN={NAME} -keyout server.key -out server.csr",
            f"{sign} -days 2 -in server.csr -out server.pem",
        ]
        for command in commands:
            subprocess.run(
                ["openssl", *command.split()],
                cwd=folder,
                check=True,
                capture_output=True,
            )
        return cls(folder / "ca.pem", folder / "server.pem", folder / "server.key")


@dataclass
class Relay:
    """Passes connections on to a port of this machine.

    Attributes
    ----------
    target
        The port.
    tls
        Ends TLS here, with this context.
    is_proxy
        Speaks the protocol of HTTP proxies, and passes everything on to the target, whatever was asked for.
    asked
        The first line of the first request of each connection to a proxy.
    """

    target: int
    tls: ssl.SSLContext | None = None
    is_proxy: bool = False
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def serve(self, server: socket.socket) -> None:
        """Take connections until the socket is closed."""
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(client.close)
            if self.tls is not None:
                client = self.tls.wrap_socket(client, server_side=True)
                stack.callback(client.close)
            gateway = socket.create_connection(("127.0.0.1", self.target))
            stack.callback(gateway.close)
            if self.is_proxy:
                self._ask(client, gateway)
            back = threading.Thread(target=_copy, args=(gateway, client), daemon=True)
            back.start()
            _copy(client, gateway)
            back.join()

    def _ask(self, client: socket.socket, gateway: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            data = client.recv(65536)
            if not data:
                return
            head += data
        line = head.split(b"\r\n", 1)[0].decode()
        self.asked.append(line)
        if line.startswith("CONNECT "):
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            gateway.sendall(head)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def relaying(relay: Relay) -> Iterator[Relay]:
    """Run a relay; its port is known then."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        relay.port = server.getsockname()[1]
        threading.Thread(target=relay.serve, args=(server,), daemon=True).start()
        yield relay
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def ending_tls(authority: Authority) -> ssl.SSLContext:
    """Return the context of a server with the authority's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server, authority.server_key)
    return context
