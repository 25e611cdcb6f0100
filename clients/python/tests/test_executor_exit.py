"""What becomes of an executor's calls when the interpreter ends, in processes of their own."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from executor_gateway import BINARY, local_client

import slipway

START = """
import sys, time, slipway
client = slipway.Client(sys.argv[1], sys.argv[2])
executor = slipway.Executor(client, cpus=0.2, memory="64m", labels={"run": sys.argv[3]})
"""


@pytest.fixture(scope="module")
def local() -> Iterator[slipway.Client]:
    if BINARY is None:
        pytest.skip("no gateway: SLIPWAY_TEST_BINARY names no binary")
    with local_client() as client:
        yield client


def run(
    client: slipway.Client, label: str, script: str
) -> subprocess.CompletedProcess[str]:
    key = client._session.transport._client.headers["authorization"].split()[1]
    return subprocess.run(
        [sys.executable, "-c", START + script, client.url, key, label],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def ended(client: slipway.Client, label: str) -> list[slipway.Job]:
    jobs = list(client.jobs(label=f"run:{label}"))
    assert all(job.wait(60) for job in jobs)
    return jobs


def test_a_forgotten_executor_hands_over_its_calls_and_keeps_nobody_waiting(
    local: slipway.Client,
) -> None:
    done = run(
        local,
        "forgotten",
        "[executor.submit(time.sleep, 0.1) for _ in range(5)]; executor.submit(time.sleep, 3600)",
    )
    assert (done.returncode, done.stderr) == (0, "")
    jobs = list(local.jobs(label="run:forgotten"))
    assert len(jobs) == 6
    unended = [job for job in jobs if job.refresh().info["name"] and not job.ended]
    pause = threading.Event()
    while len([job for job in jobs if not job.refresh().ended]) > 1:
        pause.wait(0.05)
    for job in unended:
        job.cancel()
    assert sorted(job.refresh().wait(60) and job.status for job in jobs) == [
        "cancelled",
        *["completed"] * 5,
    ]


def test_shutdown_without_waiting_leaves_the_jobs_to_the_gateway(
    local: slipway.Client,
) -> None:
    done = run(
        local,
        "no-wait",
        "executor.submit(pow, 2, 3); executor.shutdown(wait=False)",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [job.result() for job in ended(local, "no-wait")] == [8]


def test_no_call_is_taken_while_the_interpreter_ends(local: slipway.Client) -> None:
    script = """
import atexit
def last():
    try:
        executor.submit(pow, 2, 3)
    except RuntimeError as error:
        print(error)
import slipway.executor_threads as threads
atexit.unregister(threads._leave)
atexit.register(last)
atexit.register(threads._leave)
print(executor.submit(pow, 2, 3).result())
"""
    done = run(local, "late", script)
    assert done.stdout.splitlines() == [
        "8",
        "cannot schedule new futures after interpreter shutdown",
    ]
    assert (done.returncode, done.stderr) == (0, "")
    assert len(ended(local, "late")) == 1


def test_calls_beyond_max_workers_are_given_up_with_a_warning(
    local: slipway.Client,
) -> None:
    script = """
executor = slipway.Executor(client, 1, cpus=0.2, memory="64m", labels={"run": sys.argv[3]})
[executor.submit(time.sleep, 1) for _ in range(3)]
"""
    done = run(local, "limited", script)
    assert done.returncode == 0
    assert "2 calls of an executor were not sent" in done.stderr
    assert [job.status for job in ended(local, "limited")] == ["completed"]
