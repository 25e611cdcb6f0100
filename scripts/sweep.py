"""Remove what a gateway left in the container engine; ``sweep.py DOCKER_HOST FOLDER``.

A container belongs to it when a mount comes from below FOLDER, its data folder's parent; what carries the same
``slipway.engine`` label does too. A clean stop leaves no container, so finding one is a failure: exit status 1.
Volumes (environments, pip's cache) outlive a gateway on purpose and are removed silently.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import sqlite3
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

LABEL = "slipway.engine"


class EngineConnection(http.client.HTTPConnection):
    """An HTTP connection to a Docker engine.

    Parameters
    ----------
    address
        ``unix:///path`` or ``tcp://host:port``.
    """

    def __init__(self, address: str) -> None:
        self.path = (
            address.removeprefix("unix://") if address.startswith("unix://") else None
        )
        super().__init__(
            "localhost" if self.path else address.removeprefix("tcp://"), timeout=60
        )

    def connect(self) -> None:
        """Open the connection."""
        if self.path is None:
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def call(address: str, method: str, path: str) -> Any:
    """Make one call of the Docker Engine API; return the decoded answer."""
    connection = EngineConnection(address)
    connection.request(method, path)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    if response.status >= 400 and response.status not in (404, 409):
        raise OSError(f"{method} {path} was answered {response.status}: {text[:200]!r}")
    return json.loads(text) if text else None


def engines_of(folder: Path) -> set[str]:
    """Return the engine ids that the job databases below a folder name."""
    ids = set()
    for file in folder.rglob("*"):
        if not file.is_file() or file.suffix not in (".sqlite", ".db", ".sqlite3"):
            continue
        try:
            with sqlite3.connect(
                f"file:{quote(str(file))}?mode=ro", uri=True
            ) as database:
                ids |= {
                    row[0]
                    for row in database.execute(
                        "SELECT value FROM meta WHERE key = 'engine_id'"
                    )
                }
        except sqlite3.Error as error:
            print(f"    {file.name}: {error}")
    return {value.decode() if isinstance(value, bytes) else str(value) for value in ids}


def main(address: str, folder: Path) -> int:
    """Remove the leftovers; return 1 when there was a container."""
    wanted = quote(json.dumps({"label": [LABEL]}))
    containers = call(address, "GET", f"/containers/json?all=1&filters={wanted}")
    below = f"{os.path.realpath(folder)}/"
    ids = engines_of(folder)
    for container in containers:
        if any(
            str(mount.get("Source", "")).startswith(below)
            for mount in container.get("Mounts", [])
        ):
            ids.add(container["Labels"][LABEL])
    left = [container for container in containers if container["Labels"][LABEL] in ids]
    for container in left:
        print(
            f"    left behind: container {container['Names'][0].lstrip('/')} ({container['Status']})"
        )
        call(address, "DELETE", f"/containers/{container['Id']}?force=1&v=1")
    for volume in (
        call(address, "GET", f"/volumes?filters={wanted}").get("Volumes") or []
    ):
        if volume["Labels"][LABEL] in ids:
            call(address, "DELETE", f"/volumes/{quote(volume['Name'])}?force=1")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
