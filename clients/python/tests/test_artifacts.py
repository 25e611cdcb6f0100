"""Files that a task left: lists, bytes, broken connections."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripted import KEY, Answer, Asked, Scripted, job, problem

import slipway
from slipway._download import Target

Serve = Callable[[Callable[[Asked], Answer]], Scripted]
Connect = Callable[..., slipway.Client]
DATA = bytes(range(256)) * 4096


def described(name: str, data: bytes = DATA) -> dict[str, Any]:
    """Return a file as the gateway describes it."""
    return {
        "name": name,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "media_type": "text/plain",
        "url": f"/v1/jobs/job_0001/artifacts/{name}",
    }


def gateway(asked: Asked) -> Answer:
    """Answer for a job that left two files."""
    if asked.path.endswith("/artifacts"):
        return Answer(200, {"artifacts": [described("a/b.txt"), described("c", b"")]})
    if asked.path.endswith("/artifacts/a/b.txt"):
        return Answer(200, DATA)
    if asked.path.endswith("/artifacts/c"):
        return Answer(200, b"")
    return Answer(200, job(1, "completed"))


def test_list_read_and_save(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    found = connect(serve(gateway)).job("job_0001").artifacts()
    assert [(item.name, item.size) for item in found] == [
        ("a/b.txt", 1 << 20),
        ("c", 0),
    ]
    assert found[0].sha256 == hashlib.sha256(DATA).hexdigest()
    assert found[0].media_type == "text/plain"
    assert found[0].read() == DATA and found[1].read() == b""
    saved = found[0].save(tmp_path)
    assert saved == tmp_path / "b.txt" and saved.read_bytes() == DATA
    named = found[0].save(tmp_path / "new" / "name")
    assert named.read_bytes() == DATA
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["b.txt", "name", "new"]


def test_one_by_name(serve: Serve, connect: Connect) -> None:
    made = connect(serve(gateway)).job("job_0001")
    assert made.artifact("a/b.txt").read() == DATA
    with pytest.raises(slipway.NotFound, match="no file 'x'"):
        made.artifact("x")


def test_a_broken_connection_goes_on_where_it_broke(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipway.artifact.RECONNECT_SECONDS", 0.01)
    ranges = []

    def script(asked: Asked) -> Answer:
        if not asked.path.endswith("b.txt"):
            return gateway(asked)
        ranges.append(asked.headers.get("range"))
        if len(ranges) == 1:
            return Answer(200, chunks=iter([DATA[:600_000]]), cut="within")
        start = int(asked.headers["range"][len("bytes=") : -1])
        assert asked.headers["if-range"] == f'"{described("x")["sha256"]}"'
        return Answer(206, DATA[start:])

    artifact = connect(serve(script)).job("job_0001").artifact("a/b.txt")
    assert artifact.read() == DATA
    assert ranges == [None, "bytes=524288-"]


@pytest.mark.parametrize("body", [DATA[:-1], DATA[:-1] + b"x", DATA + b"x"])
def test_other_bytes_are_refused_and_not_saved(
    serve: Serve, connect: Connect, tmp_path: Path, body: bytes
) -> None:
    def script(asked: Asked) -> Answer:
        return Answer(200, body) if asked.path.endswith("b.txt") else gateway(asked)

    artifact = connect(serve(script)).job("job_0001").artifact("a/b.txt")
    (tmp_path / "kept").write_bytes(b"old")
    with pytest.raises(slipway.SlipwayError, match="fetch it again"):
        artifact.save(tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept").read_bytes() == b"old"


def test_a_refusal_is_the_gateways(serve: Serve, connect: Connect) -> None:
    def script(asked: Asked) -> Answer:
        if asked.path.endswith("b.txt"):
            return problem(500, "artifact-corrupt", "The stored bytes differ.")
        return gateway(asked)

    artifact = connect(serve(script)).job("job_0001").artifact("a/b.txt")
    with pytest.raises(slipway.ArtifactCorrupt, match="differ") as caught:
        artifact.read()
    assert caught.value.job_id == "job_0001"


def test_asynchronous(serve: Serve, tmp_path: Path) -> None:
    server = serve(gateway)

    async def main() -> None:
        async with slipway.AsyncClient(server.url, KEY) as client:
            made = await client.job("job_0001")
            found = await made.artifacts()
            assert [item.name for item in found] == ["a/b.txt", "c"]
            assert await found[0].read() == DATA
            saved = await (await made.artifact("a/b.txt")).save(tmp_path)
            assert saved.read_bytes() == DATA
            with pytest.raises(slipway.NotFound):
                await made.artifact("x")

    asyncio.run(main())


@pytest.mark.parametrize("step", ["open", "write", "keep"])
def test_a_cancelled_save_leaves_no_draft(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    original = getattr(Target, step)
    under_way, cancelled = threading.Event(), threading.Event()

    def slow(self: Target, *args: Any) -> None:
        if step == "keep":
            original(self, *args)
        under_way.set()
        cancelled.wait(20)
        if step != "keep":
            original(self, *args)

    monkeypatch.setattr(Target, step, slow)
    server = serve(gateway)

    async def main() -> None:
        async with slipway.AsyncClient(server.url, KEY) as client:
            artifact = await (await client.job("job_0001")).artifact("a/b.txt")
            saving = asyncio.create_task(artifact.save(tmp_path))
            assert await asyncio.to_thread(under_way.wait, 20)
            saving.cancel()
            await asyncio.sleep(0.05)
            saving.cancel()
            cancelled.set()
            with pytest.raises(asyncio.CancelledError):
                await saving

    asyncio.run(main())
    left = [path.name for path in tmp_path.iterdir()]
    assert left == (["b.txt"] if step == "keep" else [])


def test_saving_leaves_the_mask_of_the_process_alone(
    serve: Serve, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = connect(serve(gateway)).job("job_0001").artifact("a/b.txt")
    mask = os.umask(0o027)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(os, "umask", lambda _: pytest.fail("other threads see it"))
            saved = artifact.save(tmp_path)
    finally:
        os.umask(mask)
    assert saved.stat().st_mode & 0o777 == 0o640


LEAVE = """
import os
def main():
    out = os.environ["SLIPWAY_OUTPUT"]
    os.mkdir(out + "/sub")
    open(out + "/sub/\\u00e9 1.txt", "w").write("left")
    open(out + "/big", "wb").write(b"big" * 1000000)
"""


@pytest.mark.live
def test_files_of_a_real_task(client: slipway.Client, tmp_path: Path) -> None:
    made = client.submit_source(LEAVE)
    assert [item.name for item in made.artifacts()] == ["big", "sub/é 1.txt"]
    assert made.artifact("sub/é 1.txt").read() == b"left"
    assert made.artifact("big").save(tmp_path).read_bytes() == b"big" * 1000000
