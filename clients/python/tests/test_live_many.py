"""Many jobs, and callers with an event loop, against a real gateway."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import io
import os
import pty
import random
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway import Gateway

import slipway
from slipway import _ledger

pytestmark = pytest.mark.live


@slipway.task(timeout="30s")
def half(x: int) -> float:
    return x / 2


@pytest.fixture
def default(client: slipway.Client) -> None:
    """Tasks go to the test's gateway."""
    slipway.set_default_client(client)


def test_map_in_order(client: slipway.Client) -> None:
    assert list(client.map(lambda x: x * x, range(300))) == [x * x for x in range(300)]


def test_map_as_they_come_and_in_chunks(client: slipway.Client) -> None:
    found = client.map(pow, range(60), [2] * 60, ordered=False, chunksize=7)
    assert sorted(found) == [x * x for x in range(60)]
    assert list(client.starmap(divmod, [(7, 2), (9, 4)])) == [(3, 1), (2, 1)]


def test_a_map_reads_no_further_than_it_has_room_for(
    client: slipway.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_ledger, "HELD_BYTES", 20_000)
    monkeypatch.setattr(_ledger, "_BUSY", 300)
    drawn = 0

    def items() -> Iterator[int]:
        nonlocal drawn
        for number in range(1200):
            drawn += 1
            yield number

    def large(number: int) -> bytes:
        import random

        return random.Random(number).randbytes(8000)

    results = client.map(large, items())
    values = [next(results)]
    while list(client.jobs(state=["queued", "starting", "running"])):
        time.sleep(0.1)
    time.sleep(0.5)
    before = drawn
    assert before < 1200
    # All that went out has ended and waits to be taken: nothing else goes out until there is room.
    values += [next(results) for _ in range(before - 10)]
    assert drawn == before
    values += results
    assert drawn == 1200
    assert values == [random.Random(number).randbytes(8000) for number in range(1200)]


def test_a_bar_is_drawn(
    client: slipway.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    assert list(client.map(int, "123", progress="converting")) == [1, 2, 3]
    assert "converting: 100%" in shown.getvalue()
    assert "3/3" in shown.getvalue()


def test_a_bar_is_drawn_in_a_terminal(gateway: Gateway, tmp_path: Path) -> None:
    code = """
import slipway
with slipway.Client() as client:
    assert list(client.map(int, "123", progress="converting")) == [1, 2, 3]
"""
    master, terminal = pty.openpty()
    # 24 lines of 60 characters.
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, 60, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "XDG_CONFIG_HOME": str(gateway.config_home)},
        cwd=tmp_path,
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    # Reading fails with EIO once nobody has the other end.
    with contextlib.suppress(OSError):
        while part := os.read(master, 65_536):
            shown += part
    os.close(master)
    assert process.wait() == 0, shown
    # Drawn again and again in one line, which is as wide as the terminal and stays.
    states = shown.decode().removesuffix("\r\n").split("\r")
    assert len(states) > 2
    assert all(len(state) <= 60 for state in states)
    assert states[-1].startswith("converting: 100%|\u2588")
    assert "3/3" in states[-1]


def test_a_failure_ends_a_map(client: slipway.Client) -> None:
    results = client.map(lambda x: 10 // (2 - x), range(5))
    assert [next(results), next(results)] == [5, 10]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(results) == []


def test_gather_and_as_completed(client: slipway.Client) -> None:
    jobs = client.submit_many(slipway.Call(time.sleep, (s,)) for s in (0.6, 0.0))
    assert list(client.as_completed(jobs)) == [jobs[1], jobs[0]]
    assert client.gather(jobs) == [None, None]
    jobs = client.submit_many(
        [slipway.Call(time.sleep, (60,)), slipway.Call(int, ("x",))]
    )
    with pytest.raises(ValueError, match="'x'"):
        client.gather(jobs)
    jobs[0].cancel()


def test_a_whole_batch_is_refused(client: slipway.Client) -> None:
    with pytest.raises(slipway.APIError, match="/jobs/0/env/LD_PRELOAD"):
        client.options(env={"LD_PRELOAD": "x"}).submit_many([slipway.Call(int)] * 2)


def test_tasks(default: None) -> None:
    assert half(4) == 2
    job = half.submit(5)
    assert job.result() == 2.5
    assert job.name == "half"
    assert half.run(x=8) == 4
    assert list(half.map(range(3))) == [0, 0.5, 1]
    assert list(half.starmap([(2,), (4,)])) == [1, 2]
    assert asyncio.run(half.aio(3)) == 1.5


def test_a_job_can_be_awaited(client: slipway.Client) -> None:
    async def main() -> list[int]:
        return await asyncio.gather(*(client.submit(int, str(n)) for n in range(3)))

    assert asyncio.run(main()) == [0, 1, 2]


def test_the_asynchronous_client(gateway: Gateway) -> None:
    async def main() -> None:
        async with slipway.AsyncClient(gateway.url, gateway.key) as client:
            job = await client.submit(print, "hello")
            assert await job is None
            assert await job.logs() == "hello\n"
            assert [p async for p in job.logs(follow=True)] == ["hello\n"]
            assert [e["type"] async for e in job.events()][-1] == "job_update"
            with pytest.raises(ZeroDivisionError):
                await client.run(lambda: 1 // 0)
            assert [x async for x in client.map(lambda x: -x, range(150))] == [
                -x for x in range(150)
            ]
            found = [
                x async for x in client.starmap(pow, [(2, 3), (3, 2)], chunksize=2)
            ]
            assert found == [8, 9]
            jobs = await client.submit_many(
                slipway.Call(time.sleep, (s,)) for s in (0.6, 0.0)
            )
            assert [j async for j in client.as_completed(jobs)] == [jobs[1], jobs[0]]
            assert await client.gather(jobs) == [None, None]
            source = await client.submit_source("def main(a):\n    return a", 1)
            assert await source.result() == 1
            command = await client.submit_command(["echo", "x"])
            assert (await command.result()).stdout == "x\n"
            listed = [j async for j in client.jobs(name="sleep")]
            assert {j.id for j in jobs} <= {j.id for j in listed}
            assert (await client.job(job.id)).status == "completed"

    asyncio.run(main())


def test_the_end_of_an_asynchronous_wait_cancels_no_job(gateway: Gateway) -> None:
    async def main() -> None:
        async with slipway.AsyncClient(gateway.url, gateway.key) as client:
            job = await client.submit(time.sleep, 60)
            with pytest.raises(slipway.WaitTimeout):
                await job.result(timeout=0.1)
            with pytest.raises(slipway.WaitTimeout):
                async for _ in client.as_completed([job], timeout=0.1):
                    pass
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(job.result(), 0.1)
            assert not await job.done()
            assert await job.cancel()
            with pytest.raises(slipway.TaskCancelled):
                await job

    asyncio.run(main())
