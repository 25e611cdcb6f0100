"""TLS and proxies between the client and a real gateway."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from gateway import Gateway
from relays import NAME, Authority, Relay, ending_tls, relaying

import slipway

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts by itself."""
    return Authority.made(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def secure(gateway: Gateway, authority: Authority) -> Iterator[Relay]:
    """The gateway behind an end of TLS."""
    port = urlsplit(gateway.url).port or 0
    with relaying(Relay(port, tls=ending_tls(authority))) as relay:
        yield relay


@pytest.fixture
def proxy(gateway: Gateway) -> Iterator[Relay]:
    """A proxy that leads to the gateway."""
    with relaying(Relay(urlsplit(gateway.url).port or 0, is_proxy=True)) as relay:
        yield relay


@pytest.fixture(autouse=True)
def _no_proxy_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


def works(client: slipway.Client) -> bool:
    """Tell whether calls, the stream of events and a stream of one job come through."""
    assert client.run(pow, 2, 5) == 32
    assert list(client.map(abs, range(-20, 0))) == list(range(20, 0, -1))
    job = client.submit(print, "said")
    return "".join(job.logs(follow=True)) == "said\n"


def test_an_authority_of_ones_own(
    gateway: Gateway, secure: Relay, authority: Authority
) -> None:
    url = f"https://127.0.0.1:{secure.port}"
    with slipway.Client(url, gateway.key, verify=authority.certificate) as client:
        assert works(client)
    with slipway.Client(url, gateway.key, verify=str(authority.certificate)) as client:
        assert client.run(abs, -1) == 1
    with slipway.Client(url, gateway.key, verify=False) as client:
        assert client.run(abs, -2) == 2

    async def asynchronous() -> int:
        async with slipway.AsyncClient(
            url, gateway.key, verify=authority.certificate
        ) as client:
            return await client.run(abs, -3)  # type: ignore[no-any-return]

    assert asyncio.run(asynchronous()) == 3


def test_the_authority_of_the_environment(
    gateway: Gateway,
    secure: Relay,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    url = f"https://127.0.0.1:{secure.port}"
    with slipway.Client(url, gateway.key) as client:
        assert works(client)


def test_a_certificate_that_nobody_vouches_for(gateway: Gateway, secure: Relay) -> None:
    url = f"https://127.0.0.1:{secure.port}"
    began = time.monotonic()
    with (
        slipway.Client(url, gateway.key) as client,
        pytest.raises(slipway.SlipwayError, match="certificate.*SSL_CERT_FILE"),
    ):
        client.run(abs, -1)
    assert time.monotonic() - began < 10, "to try again does not help"


def failing(url: str, key: str, **more: Any) -> list[str]:
    """Return what each way to the gateway says, all of them at once."""
    began = time.monotonic()
    said: list[str] = []

    async def asynchronous() -> None:
        async with slipway.AsyncClient(url, key, **more) as client:
            with pytest.raises(slipway.Unavailable) as caught:
                await client.run(abs, -1)
            said.append(str(caught.value))
            with pytest.raises(slipway.Unavailable) as caught:
                await anext(client.events())
            said.append(str(caught.value))

    with slipway.Client(url, key, **more) as client:
        for call in (
            lambda: client.run(abs, -1),
            lambda: list(client.map(abs, [1])),
            lambda: next(client.events()),
        ):
            with pytest.raises(slipway.Unavailable) as caught:
                call()
            said.append(str(caught.value))
        with slipway.Executor(client) as executor:
            said.append(str(executor.submit(abs, -1).exception(20)))
    asyncio.run(asynchronous())
    assert time.monotonic() - began < 10, "to try again does not help"
    return said


def test_tls_to_a_port_that_speaks_none(gateway: Gateway) -> None:
    url = gateway.url.replace("http://", "https://")
    for said in failing(url, gateway.key):
        assert "write its address with http:// instead of https://" in said
        assert "SSL" in said
        assert "tries" not in said


def test_certificates_that_are_not_trusted(
    gateway: Gateway, secure: Relay, authority: Authority
) -> None:
    for said in failing(f"https://127.0.0.1:{secure.port}", gateway.key):
        assert "certificate verify failed" in said
        assert said.endswith("; name the authority's file in verify= or SSL_CERT_FILE")
    url = f"https://localhost:{secure.port}"
    for said in failing(url, gateway.key, verify=authority.certificate):
        assert "localhost" in said
        assert said.endswith(
            "write the address with a name that the certificate is for"
        )


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_certificate_of_the_callers_that_is_missing(
    gateway: Gateway, authority: Authority, version: str
) -> None:
    context = ending_tls(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.certificate)
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    with (
        relaying(Relay(urlsplit(gateway.url).port or 0, tls=context)) as relay,
        slipway.Client(
            f"https://127.0.0.1:{relay.port}", gateway.key, verify=authority.certificate
        ) as client,
        pytest.raises(slipway.Unavailable, match="a certificate of the caller's"),
    ):
        client.run(abs, -1)


def test_a_file_of_authorities_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        slipway.Client("https://127.0.0.1:1", "k", verify=tmp_path / "missing.pem")


def test_a_proxy_of_the_environment(
    gateway: Gateway, proxy: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    with slipway.Client(f"http://{NAME}:7433", gateway.key) as client:
        assert works(client)
    assert proxy.asked and all(
        f"http://{NAME}:7433/v1/" in line for line in proxy.asked
    )


def test_a_gateway_that_the_environment_exempts(
    gateway: Gateway, proxy: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    # This machine's own, under a name that does not say so.
    url = gateway.url.replace("127.0.0.1", "127.1")
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    with slipway.Client(url, gateway.key) as client:
        assert client.run(abs, -1) == 1
    assert len(proxy.asked) == 1
    monkeypatch.setenv("NO_PROXY", "example.org,127.1")
    with slipway.Client(url, gateway.key) as client:
        assert works(client)
    assert len(proxy.asked) == 1


def test_this_machines_own_gateway_needs_no_proxy(
    gateway: Gateway, proxy: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    with slipway.Client(gateway.url, gateway.key) as client:
        assert works(client)
    assert not proxy.asked


def test_tls_through_a_proxy(
    gateway: Gateway,
    secure: Relay,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with relaying(Relay(secure.port, is_proxy=True)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
        with slipway.Client(f"https://{NAME}", gateway.key) as client:
            assert works(client)
        assert proxy.asked[0].startswith(f"CONNECT {NAME}:443 ")
