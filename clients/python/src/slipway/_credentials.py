"""Where the gateway is, and the key to it."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from .errors import CredentialsError

DEFAULT_URL = "http://127.0.0.1:7433"


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
        When there is no key, or the file is unreadable or readable for others.
    """
    url = url or os.environ.get("SLIPWAY_URL") or None
    key = key or os.environ.get("SLIPWAY_KEY") or None
    if key is not None:
        if url is None:
            path = credentials_path()
            url = _read(path).url if path.exists() else DEFAULT_URL
        return Credentials(url.rstrip("/"), key)
    path = credentials_path()
    if not path.exists():
        raise CredentialsError(
            f"no key: pass key=, set SLIPWAY_KEY, or start the gateway once, which writes {path}"
        )
    stored = _read(path)
    if url is not None and url.rstrip("/") != stored.url:
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
        return Credentials(str(values["url"]).rstrip("/"), str(values["key"]))
    except OSError as error:
        raise CredentialsError(f"{path} cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CredentialsError(f"{path} is damaged: {error!r}") from error
