"""Carries out steps over kept-alive connections: blocking, and with asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from ._credentials import Credentials
from ._deadline import in_time
from ._direct import Direct
from ._steps import Fault, Pause, Reply, Request, Steps
from ._version import __version__
from .errors import ClientClosed

T = TypeVar("T")
Verify = ssl.SSLContext | bool | str | os.PathLike[str]
_CONNECT_SECONDS = 10.0
_STREAM_SECONDS = 60.0  # The gateway says something every 15 seconds.


def _settings(credentials: Credentials, verify: Verify) -> dict[str, Any]:
    return {
        "base_url": credentials.url,
        "headers": {
            "authorization": f"Bearer {credentials.key}",
            "user-agent": f"slipway-python/{__version__}",
        },
        # Waiting requests hold a connection each, so their number is the caller's affair.
        "limits": httpx.Limits(
            max_connections=None, max_keepalive_connections=32, keepalive_expiry=30
        ),
        "verify": _trusted(credentials.url, verify),
        # A proxy from the environment never leads to this machine's own gateway.
        "trust_env": not _is_loopback(credentials.url),
    }


def _trusted(url: str, verify: Verify) -> ssl.SSLContext | bool:
    """Return which certificates are accepted, in the form that httpx takes."""
    if isinstance(verify, (ssl.SSLContext, bool)):
        if verify is not True or not url.startswith("https:"):
            return verify
        # SSL_CERT_FILE and SSL_CERT_DIR hold for this machine's own gateway, too.
        return httpx.create_ssl_context(trust_env=True)
    path = os.fspath(verify)
    if os.path.isdir(path):
        return ssl.create_default_context(capath=path)
    return ssl.create_default_context(cafile=path)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _build(client: httpx.Client | httpx.AsyncClient, request: Request) -> httpx.Request:
    if client.is_closed:
        raise ClientClosed("the client is closed")
    headers = dict(request.headers)
    if request.body is not None:
        headers["content-type"] = "application/json"
    return client.build_request(
        request.method,
        request.path,
        params=dict(request.query) or None,
        headers=headers,
        content=request.body,
        timeout=_timeout(request.seconds()),
    )


def _timeout(read: float) -> httpx.Timeout:
    return httpx.Timeout(read, connect=min(_CONNECT_SECONDS, read), pool=None)


def _reply(response: httpx.Response) -> Reply:
    return Reply(response.status_code, response.headers, response.content)


class Transport:
    """Carries out steps in the calling thread; may be used by many threads.

    Parameters
    ----------
    credentials
        Address and key.
    verify
        How certificates are checked.
    """

    def __init__(self, credentials: Credentials, verify: Verify = True) -> None:
        self._url = credentials.url
        self._settings = _settings(credentials, verify)
        self._lock = threading.Lock()
        self._inherited = False
        self._connect()

    def _connect(self) -> None:
        settings = self._settings
        self._client = httpx.Client(**settings)
        self._direct: Direct | None = None
        if Direct.reaches(self._url, settings["trust_env"]):
            self._direct = Direct(
                self._url,
                settings["headers"],
                settings["verify"],
                _CONNECT_SECONDS,
                settings["limits"],
            )

    def forked(self) -> None:
        """Use other connections from now on, in a forked process."""
        self._lock = threading.Lock()
        # What is closed stays so. Others are made when they are needed.
        self._inherited = not self._client.is_closed

    def _own(self) -> None:
        """Make connections of this process's own, where there are none."""
        if self._inherited:
            with self._lock:
                if self._inherited:
                    self._connect()
                    self._inherited = False

    def run(self, steps: Steps[T]) -> T:
        """Carry out an operation and return its result."""
        answer: Reply | Fault | None = None
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    answer = None
                else:
                    answer = self._send(step)
                step = steps.send(answer)
        except StopIteration as stop:
            value: T = stop.value
            return value

    def _send(self, request: Request) -> Reply | Fault:
        self._own()
        if self._direct is not None:
            return self._direct.send(request)
        try:
            built = _build(self._client, request)
            response = self._client.send(built, stream=True)
            size = response.headers.get("content-length")
            with (
                contextlib.closing(response),
                in_time(request, response, built.extensions["timeout"], size),
            ):
                response.read()
            return _reply(response)
        except httpx.TransportError as error:
            return Fault(error)

    @contextlib.contextmanager
    def stream(self, request: Request) -> Iterator[httpx.Response]:
        """Open an answer that is read while it grows.

        Parameters
        ----------
        request
            What to ask for.
        """
        self._own()
        built = _build(self._client, request)
        built.extensions["timeout"] = _timeout(_STREAM_SECONDS).as_dict()
        response = self._client.send(built, stream=True)
        try:
            yield response
        finally:
            response.close()

    def close(self) -> None:
        """Close all connections."""
        self._own()
        if self._direct is not None:
            self._direct.close()
        self._client.close()


class AsyncTransport:
    """Carries out steps in the running event loop.

    Parameters
    ----------
    credentials
        Address and key.
    verify
        How certificates are checked.
    """

    def __init__(self, credentials: Credentials, verify: Verify = True) -> None:
        self._settings = _settings(credentials, verify)
        self._client = httpx.AsyncClient(**self._settings)
        self._inherited = False

    def forked(self) -> None:
        """Use other connections from now on, in a forked process."""
        self._inherited = not self._client.is_closed

    def _own(self) -> None:
        if self._inherited:
            self._client = httpx.AsyncClient(**self._settings)
            self._inherited = False

    async def run(self, steps: Steps[T]) -> T:
        """Carry out an operation and return its result."""
        answer: Reply | Fault | None = None
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    answer = None
                else:
                    answer = await self._send(step)
                step = steps.send(answer)
        except StopIteration as stop:
            value: T = stop.value
            return value

    async def _send(self, request: Request) -> Reply | Fault:
        self._own()
        try:
            sending = self._client.send(_build(self._client, request))
            if request.deadline is None:
                return _reply(await sending)
            return _reply(await asyncio.wait_for(sending, request.seconds()))
        except (httpx.TransportError, ssl.SSLError) as error:
            # httpx leaves the latter as it is when it comes after the handshake.
            return Fault(error)
        except asyncio.TimeoutError:
            return Fault(httpx.ReadTimeout("the answer did not come in time"))

    @contextlib.asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[httpx.Response]:
        """Open an answer that is read while it grows.

        Parameters
        ----------
        request
            What to ask for.
        """
        self._own()
        built = _build(self._client, request)
        built.extensions["timeout"] = _timeout(_STREAM_SECONDS).as_dict()
        response = await self._client.send(built, stream=True)
        try:
            yield response
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close all connections."""
        self._own()
        await self._client.aclose()
