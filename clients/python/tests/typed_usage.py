"""What a type checker makes of calls of the client; `test_types` has mypy read this, and nobody runs it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from typing_extensions import assert_type

import slipway


def add(left: int, right: int = 0) -> int:
    return left + right


async def shout(text: str) -> str:
    return text.upper()


@slipway.task(memory="64m", timeout="5s")
def half(number: int) -> float:
    return number / 2


@slipway.task
async def whisper(text: str) -> str:
    return text.lower()


def blocking(client: slipway.Client, anything: slipway.Job) -> None:
    job = client.options(cpus=2, labels={"a": "b"}).submit(add, 1, right=2)
    assert_type(job, slipway.Job[int])
    assert_type(job.result(timeout=1), int)
    assert_type(client.run(shout, "text"), str)
    assert_type(client.submit(shout, "text"), slipway.Job[str])
    assert_type(client.run(lambda a, b: a * b, 6, 7), int)
    assert_type(client.gather([job, client.submit(add, 1)]), list[int])
    assert_type(slipway.gather([job]), list[int])
    assert_type(next(client.as_completed([job])), slipway.Job[int])
    assert_type(client.submit_many([slipway.Call(add, (1,))]), list[slipway.Job[int]])
    assert_type(client.submit_command(["ls"]).result().stdout, str)
    assert_type(list(client.map(add, [1], [2], chunksize=2)), list[int])
    assert_type(list(client.starmap(shout, [("text",)])), list[str])
    client.map(add, [1]).close()
    assert_type(half.submit(1), slipway.Job[float])
    assert_type(half.run(1), float)
    assert_type(whisper.run("text"), str)
    assert_type(list(half.map([1, 2], progress=True)), list[float])
    assert_type(list(whisper.options(client=client).starmap([("x",)])), list[str])
    job.add_done_callback(lambda ended: print(ended.result() + 1))
    several: list[slipway.Job] = [anything, job]
    several_more: Iterator[slipway.Job] = client.as_completed(several)
    print(several_more)

    client.submit(add, "text")  # type: ignore[call-overload]
    client.map(add, [1], chunks=2)  # type: ignore[call-overload]
    client.options(memmory="1g")  # type: ignore[call-arg]
    half.submit("text")  # type: ignore[arg-type]
    half.options(timeout=b"")  # type: ignore[arg-type]
    slipway.task(memmory="1g")  # type: ignore[call-overload]


async def asynchronous(client: slipway.AsyncClient) -> None:
    job = await client.submit(add, 1, right=2)
    assert_type(job, slipway.AsyncJob[int])
    assert_type(await job, int)
    assert_type(await job.result(), int)
    assert_type(await client.run(shout, "text"), str)
    assert_type(await client.gather([job]), list[int])
    assert_type([x async for x in client.map(add, [1])], list[int])
    assert_type([x async for x in client.starmap(shout, [("x",)])], list[str])
    assert_type(
        [j async for j in client.as_completed([job])], list[slipway.AsyncJob[int]]
    )
    assert_type(await half.aio(1), float)
    assert_type(await whisper.aio("text"), str)
    found: AsyncIterator[float] = half.options(client=client).amap([1])
    assert_type([x async for x in found], list[float])
    assert_type([x async for x in whisper.astarmap([("x",)])], list[str])
