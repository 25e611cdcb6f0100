"""The container engine, as far as the runner's tests need it: hardened sandboxes."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import shutil
import socket
import tempfile
from typing import Any, Iterator, List, Optional

from harness import RUNNER, Host

IMAGE = os.environ.get("SLIPWAY_TEST_IMAGE", "slipway/python:3.11")
ZYGOTE, TASKS, GROUP = 20000, [20001, 20002], 30000
TIMEOUT_SECONDS = 60


def address() -> str:
    """Return the unix socket of the engine that the environment names."""
    named = os.environ.get("SLIPWAY_TEST_DOCKER_HOST") or os.environ.get("DOCKER_HOST")
    return (named or "unix:///var/run/docker.sock").replace("unix://", "", 1)


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_SECONDS)
        self.sock.connect(address())


def call(method: str, path: str, body: Any = None) -> Any:
    """Call the engine and return its JSON answer, or its bytes."""
    connection = _Connection("localhost")
    try:
        headers = {"Content-Type": "application/json", "Host": "docker"}
        data = None if body is None else json.dumps(body)
        connection.request(method, "/v1.41" + path, data, headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status >= 400:
            raise RuntimeError("%s %s: %d %r" % (method, path, answer.status, content))
        kind = answer.getheader("Content-Type") or ""
        return json.loads(content) if "json" in kind and content else content
    finally:
        connection.close()


def reachable() -> bool:
    """Whether an engine answers."""
    try:
        call("GET", "/version")
    except OSError:
        return False
    return True


def specification(folder: str, command: List[str], **limits: Any) -> Any:
    """Return the body of a create call with the hardening of every sandbox."""
    memory = limits.get("memory", 512 << 20)
    return {
        "Image": limits.get("image", IMAGE),
        "User": "0:0",
        "Cmd": command,
        "Entrypoint": [],
        "WorkingDir": "/",
        "Env": ["GLIBC_TUNABLES=glibc.malloc.hugetlb=1", *limits.get("env", [])],
        "NetworkDisabled": True,
        "Labels": {"slipway.test": "runner"},
        "HostConfig": {
            "Binds": [
                "%s:/run/slipway:ro" % folder,
                "%s:/opt/slipway/runner:ro" % limits.get("runner", RUNNER),
            ]
            + limits.get("binds", []),
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "CapAdd": ["SETUID", "SETGID", "KILL"],
            "SecurityOpt": ["no-new-privileges"],
            "Tmpfs": {"/tmp": "size=%d,mode=1777" % limits.get("tmp", 64 << 20)},
            "IpcMode": "private",
            "PidsLimit": limits.get("pids", 128),
            "Memory": memory,
            "MemorySwap": memory,
            "Init": False,
            "ShmSize": 64 << 20,
            "LogConfig": {"Type": "local", "Config": {"max-size": "1m"}},
            "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
        },
    }


class Container:
    """A container that was created and started."""

    def __init__(self, folder: str, command: List[str], **limits: Any) -> None:
        name = "slipway-test-" + secrets.token_hex(6)
        body = specification(folder, command, **limits)
        self.id = call("POST", "/containers/create?name=" + name, body)["Id"]
        call("POST", "/containers/%s/start" % self.id)
        self.pid: int = self.inspect()["State"]["Pid"]

    def inspect(self) -> Any:
        return call("GET", "/containers/%s/json" % self.id)

    def logs(self) -> bytes:
        return call("GET", "/containers/%s/logs?stdout=1&stderr=1" % self.id)

    def remove(self) -> None:
        call("DELETE", "/containers/%s?force=1&v=1" % self.id)


@contextlib.contextmanager
def container_sandbox(
    ready: bool = True, settings: Optional[dict] = None, **limits: Any
) -> Iterator[Host]:
    """A supervisor in a hardened container, connected and configured."""
    folder = tempfile.mkdtemp(prefix="slipway-test-")
    os.chmod(folder, 0o755)
    host = Host(folder)
    argument = {
        "sandbox": "sbx_test",
        "socket": "/run/slipway/s",
        "uids": {"zygote": ZYGOTE, "tasks": TASKS},
        "slots": 1,
        "heartbeat": 1.0,
        "reconnect": 30.0,
        "tmp": "/tmp",
        "runtime": "docker",
        **(settings or {}),
    }
    script = "/opt/slipway/runner/supervisor.py"
    command = ["python3", "-I", "-S", "-B", script, json.dumps(argument)]
    container = Container(folder, command, **limits)
    host.container = container  # type: ignore[attr-defined]
    try:
        host.peer = container.pid
        host.accept()
        if ready:
            host.configure(gid=GROUP)
        yield host
    except BaseException:
        print(container.inspect()["State"], container.logs().decode(errors="replace"))
        raise
    finally:
        host.close()
        container.remove()
        shutil.rmtree(folder, ignore_errors=True)
