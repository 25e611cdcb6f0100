"""Sends short requests over httpx's own connections, without what httpx does around them.

Redirects, cookies, event hooks and decoding are none of ours, and cost a short call as much
processor time as all the rest of it.
"""

from __future__ import annotations

import contextlib
import functools
import ssl
import urllib.request

# It comes with httpx, whose connections these are.
import httpcore
import httpx

from ._deadline import in_time
from ._steps import Fault, Reply, Request
from .errors import ClientClosed


class Direct:
    """Keeps connections to one gateway; may be used by many threads.

    Parameters
    ----------
    url
        The gateway's address.
    headers
        What goes with each request.
    trusted
        How certificates are checked.
    connect_seconds
        How long a connection may take.
    limits
        How many connections are kept, and for how long.
    """

    def __init__(
        self,
        url: str,
        headers: dict[str, str],
        trusted: ssl.SSLContext | bool,
        connect_seconds: float,
        limits: httpx.Limits,
    ) -> None:
        self._base = httpx.URL(url)
        self._connect_seconds = connect_seconds
        self._closed = False
        self._headers = [
            (b"host", self._base.netloc),
            (b"accept", b"*/*"),
            *((name.encode(), value.encode()) for name, value in headers.items()),
        ]
        self._pool = httpcore.ConnectionPool(
            ssl_context=_context(url, trusted),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
        )
        self._target = functools.lru_cache(maxsize=256)(self._make_target)

    @staticmethod
    def reaches(url: str, trusts_environment: bool) -> bool:
        """Tell whether the gateway is reached without a proxy of the environment."""
        if not url.startswith(("http://", "https://")):
            return False
        return not (trusts_environment and urllib.request.getproxies())

    def send(self, request: Request) -> Reply | Fault:
        """Send a request and read its answer to the end."""
        if self._closed:
            raise ClientClosed("the client is closed")
        seconds = request.seconds()
        timeouts: dict[str, float | None] = {
            "connect": min(self._connect_seconds, seconds),
            "read": seconds,
            "write": seconds,
            "pool": None,
        }
        try:
            response = self._pool.handle_request(self._made(request, timeouts))
            answered = httpx.Headers(response.headers)
            size = answered.get("content-length")
            with (
                contextlib.closing(response),
                in_time(request, response, timeouts, size),
            ):
                body = response.read()
        except Exception as error:
            # Both packages have one name for each thing that goes wrong.
            kind = getattr(httpx, type(error).__name__, None)
            if not (isinstance(kind, type) and issubclass(kind, httpx.TransportError)):
                raise
            fault = kind(str(error))
            fault.__cause__ = error
            return Fault(fault)
        return Reply(response.status, answered, body)

    def _made(
        self, request: Request, timeouts: dict[str, float | None]
    ) -> httpcore.Request:
        """Return a request as httpcore takes it."""
        headers = [
            *self._headers,
            *(
                (name.encode(), value.encode())
                for name, value in request.headers.items()
            ),
        ]
        if request.body is not None:
            headers.append((b"content-type", b"application/json"))
            headers.append((b"content-length", b"%d" % len(request.body)))
        elif request.method in ("POST", "PUT", "PATCH"):
            headers.append((b"content-length", b"0"))
        return httpcore.Request(
            request.method,
            self._target(request.path, tuple(request.query.items())),
            headers=headers,
            content=request.body,
            extensions={"timeout": timeouts},
        )

    def close(self) -> None:
        """Close all connections."""
        self._closed = True
        self._pool.close()

    def _make_target(
        self, path: str, query: tuple[tuple[str, str], ...]
    ) -> httpcore.URL:
        folder = self._base.raw_path.rstrip(b"/")
        asked = httpx.URL(path, params=dict(query) or None)
        return httpcore.URL(
            scheme=self._base.raw_scheme,
            host=self._base.raw_host,
            port=self._base.port,
            target=folder + asked.raw_path,
        )


def _context(url: str, trusted: ssl.SSLContext | bool) -> ssl.SSLContext | None:
    if not url.startswith("https:"):
        return None
    if isinstance(trusted, ssl.SSLContext):
        return trusted
    return httpx.create_ssl_context(verify=trusted)
