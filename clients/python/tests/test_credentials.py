"""Where address and key come from."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from slipway import Client, CredentialsError
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
