"""Whether a package index can be reached, decided within seconds."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 8.0
TOTAL_SECONDS = 10.0
_DEFAULT_INDEX = "https://pypi.org/simple"
_PORTS = {"http": 80, "https": 443}


def servers(spec: dict[str, Any]) -> list[tuple[str, int, str]]:
    """List what pip will talk to, each with its scheme; empty when that is not known here."""
    if spec.get("proxy"):
        # A proxy may answer nothing before it is asked for something it knows.
        return [(host, port, "") for host, port, _ in _addresses([spec["proxy"]])]
    index = spec.get("index_url")
    if index is None:
        if _is_configured_elsewhere():
            return []
        index = _DEFAULT_INDEX
    return _addresses([index] + list(spec.get("extra_index_urls") or []))


def reason_unreachable(spec: dict[str, Any]) -> str | None:
    """Say why no package index answers; None when one does, or may."""
    wanted = servers(spec)
    if not wanted:
        return None
    # A child: the resolver cannot be interrupted, and a process can.
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _attempt(wanted, writer)
    os.close(writer)
    try:
        answer = _read(reader, time.monotonic() + TOTAL_SECONDS)
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    names = ", ".join(f"{host}:{port}" for host, port, _ in wanted)
    if not answer:
        return f"{names} did not answer within {TOTAL_SECONDS:.0f} seconds"
    told = json.loads(answer)
    return None if told is None else str(told)


def _attempt(wanted: list[tuple[str, int, str]], writer: int) -> None:
    """Try all servers at once and tell the first success, or every failure."""
    lock = threading.Lock()
    failures: list[str] = []

    def tell(value: str | None) -> None:
        os.write(writer, json.dumps(value).encode() + b"\n")
        os._exit(0)

    def connect(host: str, port: int, scheme: str) -> None:
        try:
            _converse(host, port, scheme)
        except OSError as error:
            with lock:
                failures.append(f"{host}:{port}: {error}")
                if len(failures) == len(wanted):
                    tell("; ".join(failures))
            return
        with lock:
            tell(None)

    try:
        for server in wanted:
            threading.Thread(target=connect, args=server, daemon=True).start()
        time.sleep(TOTAL_SECONDS * 2)
    finally:
        os._exit(1)


def _converse(host: str, port: int, scheme: str) -> None:
    """Have one server say anything at all.

    One that takes the connection and then stays silent would hold the installer
    up for minutes. Whether its certificate is trusted is the installer's to tell.
    """
    with socket.create_connection((host, port), CONNECT_SECONDS) as plain:
        plain.settimeout(ANSWER_SECONDS)
        if scheme == "https":
            try:
                import ssl
            except ImportError:
                return
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            try:
                context.wrap_socket(plain, server_hostname=host).close()
            except ssl.SSLError:
                # It answered, if not in the way that was hoped for.
                return
        elif scheme == "http":
            request = f"HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            plain.sendall(request.encode("ascii", "replace"))
            plain.recv(1)


def _read(reader: int, deadline: float) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([reader], [], [], left)[0]:
            return b""
        piece = os.read(reader, 4096)
        if not piece:
            return b""
        data += piece
    return data


def _addresses(urls: list[str]) -> list[tuple[str, int, str]]:
    found = []
    for url in urls:
        parts = urlsplit(url)
        if parts.hostname:
            port = parts.port or _PORTS.get(parts.scheme, 443)
            found.append((parts.hostname, port, parts.scheme))
    return sorted(set(found))


def _is_configured_elsewhere() -> bool:
    """Whether pip may read another index from a file of its own."""
    home = os.path.expanduser("~")
    places = [
        "/etc/pip.conf",
        "/etc/xdg/pip/pip.conf",
        os.path.join(sys.prefix, "pip.conf"),
        os.path.join(home, ".config", "pip", "pip.conf"),
        os.path.join(home, ".pip", "pip.conf"),
    ]
    return any(os.path.exists(place) for place in places)
