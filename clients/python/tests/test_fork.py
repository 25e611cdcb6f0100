"""What clients do in a process that was forked from the one that made them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from scripted import KEY, Answer, Asked, Scripted, job, packed

Serve = Callable[[Callable[[Asked], Answer]], Scripted]

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="no fork on this system"
)

START = """
import asyncio, os, sys, slipway

def forked(work):
    # An error, or an answer that never comes, is the end of the child and not of the test.
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", flush=True)
            os._exit(1)
        os._exit(0)
    for _ in range(1000):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        __import__("time").sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return "no answer"

url, key = sys.argv[1:]
"""


def said(server: Scripted, program: str) -> list[str]:
    """Return what a program prints that can fork."""
    command = [sys.executable, "-c", START + program, server.url, KEY]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("kind", ["blocking", "loop"])
def test_a_forked_process_has_connections_of_its_own(serve: Serve, kind: str) -> None:
    server = serve(lambda asked: Answer(200, job(1)))
    programs = {
        "blocking": "client = slipway.Client(url, key)\nask = lambda: client.job('job_0001').id\n",
        "loop": (
            "loop = asyncio.new_event_loop()\n"
            "client = slipway.AsyncClient(url, key)\n"
            "ask = lambda: loop.run_until_complete(client.job('job_0001')).id\n"
        ),
    }
    more = (
        "print(ask())\n"
        "print(forked(lambda: print(ask(), ask(), flush=True)))\n"
        "print(ask())\n"
    )
    lines = said(server, programs[kind] + more)
    assert lines == ["job_0001", "job_0001 job_0001", "0", "job_0001"]
    assert server.connections == 2


def test_a_forked_process_waits_for_jobs(serve: Serve) -> None:
    over = threading.Event()

    def events() -> Iterator[bytes]:
        yield b"\n"
        over.wait(20)
        done = job(1, "completed", labels=labels)
        known = {"type": "job_update", "job_id": done["id"], "stream_id": "1"}
        event = {**known, "attempt": 1, "status": "completed", "job": done}
        yield json.dumps({**event, "result": packed(5)}).encode() + b"\n"
        # So that the parent's thread still reads when it forks.
        server.closing.wait(60)

    labels: dict[str, str] = {}

    def script(asked: Asked) -> Answer:
        if asked.path == "/v1/events":
            return Answer(chunks=events())
        (body,) = asked.json()["jobs"]
        labels.update(body["labels"])
        over.set()
        return Answer(202, {"jobs": [job(1, labels=labels)]})

    server = serve(script)
    lines = said(
        server,
        "client = slipway.Client(url, key)\n"
        "print(list(client.map(abs, [-5])))\n"
        "print(forked(lambda: print(list(client.map(abs, [-5])), flush=True)))\n",
    )
    assert lines == ["[5]", "[5]", "0"]


def test_what_is_closed_stays_so_in_a_forked_process(serve: Serve) -> None:
    server = serve(lambda asked: Answer(200, job(1)))
    lines = said(
        server,
        "client, other = slipway.Client(url, key), slipway.Client(url, key)\n"
        "client.close()\n"
        "print(forked(lambda: client.job('job_0001')))\n"
        "print(forked(other.close))\n"
        "print(other.job('job_0001').id)\n",
    )
    assert lines == ["ClientClosed: the client is closed", "1", "0", "job_0001"]


def test_an_executor_takes_no_calls_of_a_forked_process(serve: Serve) -> None:
    server = serve(lambda asked: Answer(200, job(1)))
    lines = said(
        server,
        "executor = slipway.Executor(slipway.Client(url, key))\n"
        "executor._core.changed.acquire()\n"
        "print(forked(lambda: executor.submit(abs, 1)))\n"
        "print(forked(lambda: executor.map(abs, [1])))\n",
    )
    message = "RuntimeError: the executor was made before this process was forked: make one here"
    assert lines == [message, "1"] * 2
