"""Where the gateway is, and the key to it."""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import httpx

from .errors import CredentialsError

DEFAULT_URL = "http://127.0.0.1:7433"
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:\[[^\]\s]+\]|(?P<name>[^\s:/?#@%\[\]\\]+))"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/[^\s?#]*)?",
    re.IGNORECASE,
)
# A password before the host, and a key that was given in the address's place.
_SECRET = re.compile(r".+(?=@)|slw_\w*", re.DOTALL)


@dataclass(frozen=True)
class Credentials:
    """An address and a key.

    Attributes
    ----------
    url
        Where the gateway listens, without a slash at the end.
    key
        The key; not part of the representation, so that it reaches no log.
    """

    url: str
    key: str

    def __repr__(self) -> str:
        return f"Credentials(url={self.url!r})"


def find(url: str | None = None, key: str | None = None) -> Credentials:
    """Return address and key: those given, else of the environment, else of the credentials file.

    The key of the credentials file belongs to the gateway that the file names, and is sent
    to no other.

    Parameters
    ----------
    url, key
        What the caller gave.

    Raises
    ------
    CredentialsError
        When the address is none, or the key; when there is no key, or the file is unreadable
        or readable for others.
    """
    if url is not None:
        url = _address(url, "the argument url")
    elif exported := os.environ.get("SLIPWAY_URL"):
        url = _address(exported, "SLIPWAY_URL")
    if key:
        key = _key(key, "the argument key")
    elif exported := os.environ.get("SLIPWAY_KEY"):
        key = _key(exported, "SLIPWAY_KEY")
    path = credentials_path()
    if key:
        if url is None:
            url = _read(path).url if path.exists() else DEFAULT_URL
        return Credentials(url, key)
    if not path.exists():
        raise CredentialsError(
            f"no key: pass key=, set SLIPWAY_KEY, or start the gateway once, which writes {path}"
        )
    stored = _read(path)
    if url is not None and url != stored.url:
        raise CredentialsError(
            f"no key for {url}: {path} has the key of {stored.url}; pass key= or set SLIPWAY_KEY"
        )
    return stored


def credentials_path() -> Path:
    """Return where the gateway leaves its first key."""
    base = os.environ.get("XDG_CONFIG_HOME")
    folder = Path(base) if base else Path.home() / ".config"
    return folder / "slipway" / "credentials"


def _read(path: Path) -> Credentials:
    try:
        with path.open(encoding="utf-8") as file:
            # Of the open file, so that it cannot be exchanged in between.
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise CredentialsError(
                    f"{path} can be read by others (mode {mode:04o}): chmod 600 {path}"
                )
            values = json.load(file)
        url, key = str(values["url"]), str(values["key"])
    except OSError as error:
        raise CredentialsError(f"{path} cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CredentialsError(f"{path} is damaged: {error!r}") from error
    return Credentials(_address(url, str(path)), _key(key, str(path)))


def _address(text: str, source: str) -> str:
    """Return an address as it is used, without a slash at its end.

    Parameters
    ----------
    text
        What somebody wrote.
    source
        Where it was written.
    """
    if not _is_address(text):
        shown = _SECRET.sub("***", text)
        raise CredentialsError(
            f"{shown!r} (from {source}) is no address of a gateway; "
            "write it as http://HOST:PORT"
        )
    scheme, rest = text.split(":", 1)
    return f"{scheme.lower()}:{rest.rstrip('/')}"


def _is_address(text: str) -> bool:
    parts = _ADDRESS.fullmatch(text)
    if parts is None or (parts["port"] and not 0 < int(parts["port"]) < 65536):
        return False
    try:
        url = httpx.URL(text)
        if parts["name"]:
            # As the resolver does, which fails for no such name with a UnicodeError.
            url.raw_host.decode("ascii").encode("idna")
        return bool(url.host)
    except (httpx.InvalidURL, ValueError):
        return False


def _key(text: str, source: str) -> str:
    """Return a key, if it can be sent as one.

    Parameters
    ----------
    text
        The key.
    source
        Where it was written.
    """
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise CredentialsError(
            f"the key (from {source}) has a space, a line break or another character "
            "that is in no key"
        )
    return text
