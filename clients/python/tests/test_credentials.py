"""Where address and key come from."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from slipway import AsyncClient, Client, CredentialsError
from slipway._credentials import Credentials, find


@pytest.fixture
def stored() -> Path:
    """A credentials file of another gateway than the default."""
    path = Path(os.environ["XDG_CONFIG_HOME"]) / "slipway" / "credentials"
    path.parent.mkdir()
    path.write_text(json.dumps({"key": "filed", "tenant": "t", "url": "http://f:1"}))
    path.chmod(0o600)
    return path


def test_what_is_given_goes_first(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_URL", "http://e:2")
    monkeypatch.setenv("SLIPWAY_KEY", "exported")
    assert find("http://g:3/", "given") == Credentials("http://g:3", "given")
    assert find() == Credentials("http://e:2", "exported")
    monkeypatch.delenv("SLIPWAY_URL")
    assert find() == Credentials("http://f:1", "exported")
    monkeypatch.delenv("SLIPWAY_KEY")
    assert find() == Credentials("http://f:1", "filed")


def test_a_key_alone_goes_to_the_default_address() -> None:
    assert find(key="k") == Credentials("http://127.0.0.1:7433", "k")


def test_the_filed_key_is_sent_to_its_own_gateway_only(stored: Path) -> None:
    assert find("http://f:1/").key == "filed"
    with pytest.raises(CredentialsError, match="no key for http://other"):
        find("http://other:1")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_read_is_refused(stored: Path, mode: int) -> None:
    stored.chmod(mode)
    with pytest.raises(CredentialsError, match="chmod 600"):
        find()


@pytest.mark.parametrize("text", ["", "[]", '{"key": "k"}', "{"])
def test_a_damaged_file(stored: Path, text: str) -> None:
    stored.write_text(text)
    with pytest.raises(CredentialsError, match="damaged"):
        find()


def test_no_key_at_all() -> None:
    with pytest.raises(CredentialsError, match="SLIPWAY_KEY"):
        Client()


def test_no_key_in_representations() -> None:
    with Client("http://127.0.0.1:9", "hidden") as client:
        shown = repr(client) + repr(find("http://127.0.0.1:9", "hidden"))
    assert "hidden" not in shown
    assert "127.0.0.1:9" in shown


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:17433",
        "localhost:7433",
        "gateway",
        "//gateway:7433",
        "http:/gateway:7433",
        "ftp://gateway",
        "unix:///run/slipway.sock",
        "http://",
        "http://:7433",
        "http:///v1",
        "http://gateway:",
        "http://gateway:0",
        "http://gateway:65536",
        "http://gateway:port",
        "http://gateway:+80",
        "http://gateway:\uff18\uff10",
        "http://gate way",
        "http://gateway:7433\n",
        "http://gateway..example",
        "http://999.1.1.1:80",
        "http://[::1",
        "http://[word]:80",
        "http://fe80::1:80",
        "http://gateway?key=1",
        "http://gateway#jobs",
    ],
)
def test_what_is_no_address_is_refused_at_once(
    url: str, kind: type[Client | AsyncClient]
) -> None:
    with pytest.raises(CredentialsError) as caught:
        kind(url, "k")
    assert str(caught.value) == (
        f"{url!r} (from the argument url) is no address of a gateway; "
        "write it as http://HOST:PORT"
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:7433",
        "http://[::1]:7433",
        "https://gateway.example.org",
        "https://gateway.example.org/slipway",
        "http://a_b.local.:65535",
        "http://b\u00fccher.example:1",
    ],
)
def test_addresses(url: str) -> None:
    assert find(f"{url}/", "k").url == url
    assert find(url.replace("http", "HTTP"), "k").url == url


def test_an_address_of_the_environment_that_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLIPWAY_URL", "h:1")
    with pytest.raises(CredentialsError, match=r"^'h:1' \(from SLIPWAY_URL\) is no"):
        Client(key="k")
    assert find("http://g:3", "k").url == "http://g:3"
    monkeypatch.setenv("SLIPWAY_URL", "")
    assert find(key="k").url == "http://127.0.0.1:7433"


def test_a_filed_address_that_is_none(stored: Path) -> None:
    stored.write_text(json.dumps({"key": "filed", "url": "f:1"}))
    with pytest.raises(CredentialsError, match="is no address") as caught:
        find()
    assert str(stored) in str(caught.value)
    assert find("http://g:3", "k").url == "http://g:3"


@pytest.mark.parametrize(
    "url", ["http://me:hidden@h:1", "me:hid/hidden@h", "slw_1_hidden"]
)
def test_no_secret_in_what_is_said_of_an_address(url: str) -> None:
    with pytest.raises(CredentialsError, match=r"\*\*\*") as caught:
        find(url, "k")
    assert "hid" not in str(caught.value)


@pytest.mark.parametrize("key", ["hidden\n", "hid den", "hidd\u00e9n"])
def test_what_cannot_be_a_key(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CredentialsError, match="from the argument key") as caught:
        Client("http://h:1", key)
    assert "hid" not in str(caught.value)
    monkeypatch.setenv("SLIPWAY_KEY", key)
    with pytest.raises(CredentialsError, match="from SLIPWAY_KEY"):
        find("http://h:1")
