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
TOTAL_SECONDS = 10.0
_DEFAULT_INDEX = "https://pypi.org/simple"
_PORTS = {"http": 80, "https": 443}


def servers(spec: dict[str, Any]) -> list[tuple[str, int]]:
    """List what pip will talk to; empty when that is not known here."""
    if spec.get("proxy"):
        return _addresses([spec["proxy"]])
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
    names = ", ".join(f"{host}:{port}" for host, port in wanted)
    if not answer:
        return f"{names} did not answer within {TOTAL_SECONDS:.0f} seconds"
    told = json.loads(answer)
    return None if told is None else str(told)


def _attempt(wanted: list[tuple[str, int]], writer: int) -> None:
    """Try all servers at once and tell the first success, or every failure."""
    lock = threading.Lock()
    failures: list[str] = []

    def tell(value: str | None) -> None:
        os.write(writer, json.dumps(value).encode() + b"\n")
        os._exit(0)

    def connect(host: str, port: int) -> None:
        try:
            socket.create_connection((host, port), CONNECT_SECONDS).close()
        except OSError as error:
            with lock:
                failures.append(f"{host}:{port}: {error}")
                if len(failures) == len(wanted):
                    tell("; ".join(failures))
            return
        with lock:
            tell(None)

    try:
        for host, port in wanted:
            threading.Thread(target=connect, args=(host, port), daemon=True).start()
        time.sleep(TOTAL_SECONDS * 2)
    finally:
        os._exit(1)


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


def _addresses(urls: list[str]) -> list[tuple[str, int]]:
    found = []
    for url in urls:
        parts = urlsplit(url)
        if parts.hostname:
            found.append((parts.hostname, parts.port or _PORTS.get(parts.scheme, 443)))
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
