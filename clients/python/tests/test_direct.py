"""Short requests say the same whether httpx itself sends them or only its connections."""

from __future__ import annotations

import socket
import time

import httpx
import pytest
from scripted import KEY, Answer, Asked, Scripted

from slipway._credentials import Credentials
from slipway._direct import Direct
from slipway._steps import Fault, Reply, Request
from slipway._transport import Transport
from slipway.errors import ClientClosed

# What only one of both says, for it decodes answers and reuses connections as it likes.
_ITS_OWN = ("accept-encoding", "connection")
REQUESTS = (
    Request("GET", "/v1/jobs", {"label": "a:b c&d", "state": "queued,running"}),
    Request("GET", "/v1/jobs/job_1/artifacts/a%20b.txt"),
    Request("POST", "/v1/jobs", headers={"prefer": "wait=3"}, body=b'{"a": 1}'),
    Request("POST", "/v1/jobs/job_1/cancel"),
    Request("DELETE", "/v1/jobs/job_1"),
)


def transport(url: str, *, direct: bool) -> Transport:
    """Return a transport that sends in one of both ways."""
    made = Transport(Credentials(url, KEY))
    assert made._direct is not None
    if not direct:
        made._direct = None
    return made


@pytest.mark.parametrize("folder", ["", "/slipway", "/slipway/"])
def test_both_ways_send_the_same(folder: str) -> None:
    with Scripted(lambda asked: Answer(201, b"{}", {"X-Id": "é"})) as server:
        said: list[list[tuple[object, ...]]] = []
        for direct in (True, False):
            sender = transport(server.url + folder, direct=direct)
            server.asked.clear()
            for request in REQUESTS:
                reply = sender._send(request)
                assert isinstance(reply, Reply)
                assert (reply.status, reply.body) == (201, b"{}")
                assert reply.headers["x-ID"]
            sender.close()
            said.append([_told(asked) for asked in server.asked])
        assert said[0] == said[1]
        # One connection each.
        assert server.connections == 2


def _told(asked: Asked) -> tuple[object, ...]:
    headers = {k: v for k, v in asked.headers.items() if k not in _ITS_OWN}
    return (asked.method, asked.path, asked.query, headers, asked.body)


def test_faults_have_httpx_names() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    sender = transport(f"http://127.0.0.1:{port}", direct=True)
    refused = sender._send(REQUESTS[0])
    assert isinstance(refused, Fault)
    assert isinstance(refused.error, httpx.ConnectError)
    sender.close()

    def slow(asked: Asked) -> Answer:
        if asked.path == "/slow":
            time.sleep(1)
        return Answer(cut="before")

    with Scripted(slow) as server:
        sender = transport(server.url, direct=True)
        late = sender._send(Request("GET", "/slow", patience=0.1))
        assert isinstance(late, Fault)
        assert isinstance(late.error, httpx.ReadTimeout)
        cut = sender._send(Request("GET", "/cut"))
        assert isinstance(cut, Fault)
        assert isinstance(cut.error, httpx.TransportError)
        sender.close()
        with pytest.raises(ClientClosed):
            sender._send(REQUESTS[0])


def test_a_proxy_of_the_environment_is_left_to_httpx(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    assert Direct.reaches("https://example.org", trusts_environment=True)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:3128")
    assert not Direct.reaches("https://example.org", trusts_environment=True)
    assert Direct.reaches("http://127.0.0.1:7433", trusts_environment=False)
