"""The client against a real gateway: calls, failures, streams."""

from __future__ import annotations

import asyncio
import os
import pickle
import runpy
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from gateway import Gateway

import slipway

pytestmark = pytest.mark.live

ROOT = Path(__file__).resolve().parents[3]


class Refused(Exception):
    """An exception of the caller's with arguments of its own."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code


def test_results_keep_their_types(client: slipway.Client) -> None:
    value = {"a": [1, 2.5, None], "b": (1, {2}), "c": b"\x00\xff", "d": 1 + 2j}
    assert client.submit(lambda v: v, value).result() == value
    assert client.run(lambda v: v, ["json", 1]) == ["json", 1]
    assert client.run(len, "builtin") == 7


def test_closures_and_classes_travel(client: slipway.Client) -> None:
    class Point:
        def __init__(self, x: int) -> None:
            self.x = x

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Point) and other.x == self.x

    moved = client.run(lambda p, by: Point(p.x + by), Point(1), by=2)
    assert moved == Point(3)
    assert type(moved) is Point


def test_coroutines(client: slipway.Client) -> None:
    async def later(x: int) -> int:
        import asyncio

        await asyncio.sleep(0)
        return x + 1

    assert client.run(later, 1) == 2


def test_large_results_and_arguments(client: slipway.Client) -> None:
    data = os.urandom(1 << 20)
    assert client.run(lambda d: d[::-1], data) == data[::-1]


def test_an_exception_comes_back_as_itself(gateway: Gateway) -> None:
    def refuse() -> None:
        error = Refused(7, "no")
        if sys.version_info >= (3, 11):
            error.add_note("seen in the sandbox")
        raise error

    client = slipway.Client(gateway.url, gateway.key, by_value=[__name__])
    with client, pytest.raises(Refused) as caught:
        job = client.submit(refuse)
        job.result()
    assert caught.value.args == (7, "no")
    assert caught.value.code == 7
    if sys.version_info >= (3, 11):
        assert caught.value.__notes__ == ["seen in the sandbox"]
    cause = caught.value.__cause__
    assert isinstance(cause, slipway.RemoteTraceback)
    assert "in refuse" in str(cause)
    assert "<slipway>" not in str(cause)
    assert job.status == "error"
    assert job.info["error"]["type"].endswith("Refused")
    assert isinstance(job.exception(), Refused)


def test_an_exception_that_cannot_travel(client: slipway.Client) -> None:
    def refuse() -> None:
        raise ValueError("held", sys._getframe())

    with pytest.raises(slipway.TaskError) as caught:
        client.run(refuse)
    assert (caught.value.kind, caught.value.remote_type) == ("exception", "ValueError")
    assert "in refuse" in (caught.value.remote_traceback or "")


def test_a_result_that_cannot_travel(client: slipway.Client) -> None:
    with pytest.raises(pickle.PicklingError, match="generator"):
        client.run(lambda: (x for x in ()))


def test_exits(client: slipway.Client) -> None:
    with pytest.raises(slipway.TaskExit) as caught:
        client.run(sys.exit, 3)
    assert caught.value.exit_code == 3
    with pytest.raises(slipway.TaskExit) as caught:
        client.run(lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert caught.value.exit_code == 128 + signal.SIGKILL


def test_a_timeout_of_the_task(client: slipway.Client) -> None:
    with pytest.raises(slipway.TaskTimeout):
        client.options(timeout=0.2).run(time.sleep, 60)


def test_a_timeout_of_the_caller_runs_nothing_twice(client: slipway.Client) -> None:
    job = client.submit(lambda: (time.sleep(0.5), time.time_ns())[1])
    with pytest.raises(slipway.WaitTimeout):
        job.result(timeout=0.05)
    first = job.result()
    assert job.result() == first
    assert client.job(job.id).result() == first
    assert job.refresh().info["attempt"] == 1


def test_a_sandbox_that_is_removed(client: slipway.Client, containers: None) -> None:
    job = client.submit(time.sleep, 60)
    while (info := job.refresh().info)["state"] != "running":
        time.sleep(0.05)
    call = runpy.run_path(str(ROOT / "scripts" / "sweep.py"))["call"]
    path = f"/containers/slipway-{info['sandbox']}?force=1&v=1"
    call(os.environ["SLIPWAY_TEST_DOCKER_HOST"], "DELETE", path)
    with pytest.raises(slipway.TaskLost) as caught:
        job.result(timeout=60)
    assert (caught.value.kind, caught.value.job_id) == ("lost", job.id)
    assert job.refresh().info["attempt"] == 1


def test_memory(client: slipway.Client, containers: None) -> None:
    with pytest.raises(slipway.TaskOOM):
        client.options(memory="64m").run(lambda: len(bytearray(1 << 28)))


def test_an_image_that_is_not_there(client: slipway.Client, containers: None) -> None:
    with pytest.raises(slipway.StartFailed):
        client.options(image="slipway/nowhere:1").run(int)


def test_another_python(
    client: slipway.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipway._payload.PYTHON", "3.9")
    with pytest.raises(slipway.PythonMismatch, match=r"3\.9"):
        client.run(int)


def test_a_missing_module(
    client: slipway.Client,
    gateway: Gateway,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "only_here.py").write_text("def f():\n    return 'by value'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import only_here  # type: ignore[import-not-found]

    with pytest.raises(slipway.DependencyError, match="only_here"):
        client.run(only_here.f)
    with slipway.Client(gateway.url, gateway.key, by_value=["only_here"]) as announced:
        assert announced.run(only_here.f) == "by value"


def test_a_source_tree(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "whole_tree"
    package.mkdir()
    (package / "__init__.py").write_text("from .inner import f\n")
    (package / "inner.py").write_text("def f():\n    return __name__\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import whole_tree  # type: ignore[import-not-found]

    with slipway.Client(gateway.url, gateway.key, by_value=[package]) as own:
        assert own.run(whole_tree.f) == "whole_tree.inner"
        assert (
            list(own.map(lambda _: whole_tree.f(), range(2)))
            == ["whole_tree.inner"] * 2
        )


def test_cancel(client: slipway.Client) -> None:
    job = client.submit(time.sleep, 60)
    assert not job.done()
    assert job.cancel() is True
    with pytest.raises(slipway.TaskCancelled):
        job.result()
    assert job.cancel() is True
    ended = client.submit(int)
    ended.result()
    assert ended.cancel() is False


def test_json_trust(gateway: Gateway) -> None:
    with slipway.Client(gateway.url, gateway.key, trust="json") as client:
        assert client.run(lambda: {"a": (1, 2)}) == {"a": [1, 2]}
        assert list(client.map(str, range(3))) == ["0", "1", "2"]
        with pytest.raises(slipway.TaskError, match="ValueError: no") as caught:
            client.run(lambda: (_ for _ in ()).throw(ValueError("no")))
        assert type(caught.value) is slipway.TaskError
        with pytest.raises(slipway.TaskError, match="not JSON serializable"):
            client.run(lambda: {1, 2})


def test_source_and_commands(client: slipway.Client) -> None:
    code = "def scale(x, by=1):\n    print('scaling')\n    return [x * by]\n"
    job = client.submit_source(code, 4, entrypoint="scale", by=2.5)
    assert job.result() == [10.0]
    assert job.logs() == "scaling\n"
    with pytest.raises(slipway.TaskError, match="division by zero"):
        client.submit_source("def main():\n    return 1 / 0\n").result()
    command = client.submit_command(
        ["sh", "-c", "cat a b/c -; echo err >&2"],
        "stdin\n",
        {"a": "A\n", "b/c": b"C\n"},
    )
    assert command.result() == slipway.CommandResult(0, "A\nC\nstdin\n", "err\n")
    with pytest.raises(slipway.TaskExit) as caught:
        client.submit_command(["sh", "-c", "exit 9"]).result()
    assert caught.value.exit_code == 9


def test_lines_of_a_command_that_are_events(client: slipway.Client) -> None:
    script = """echo '{"type": "made", "parts": 3}'; echo no JSON"""
    job = client.submit_command(["sh", "-c", script], protocol="jsonl")
    assert "no JSON" in job.result().stdout
    assert [e["parts"] for e in job.events() if e["type"] == "made"] == [3]
    with pytest.raises(slipway.APIError, match="/task/protocol"):
        client.submit_command(["true"], protocol="xml")  # type: ignore[arg-type]


def test_a_handler_that_the_service_does_not_have(gateway: Gateway) -> None:
    with slipway.Client(gateway.url, gateway.key) as client:
        with pytest.raises(slipway.APIError, match="handler") as caught:
            client.submit_handler("resize", {"width": 10})
        assert caught.value.status == 422

    async def main() -> None:
        async with slipway.AsyncClient(gateway.url, gateway.key) as client:
            with pytest.raises(slipway.APIError, match="handler"):
                await client.submit_handler("resize")

    asyncio.run(main())


def test_a_submission_that_is_repeated_by_hand(client: slipway.Client) -> None:
    def made(step: int) -> list[int]:
        return [step] * 3

    keyed = client.options(idempotency_key="by-hand-1")
    first = keyed.submit(made, 2)
    assert keyed.run(made, 2) == [2, 2, 2]
    assert keyed.submit(made, 2).id == first.id
    with pytest.raises(slipway.APIError) as caught:
        keyed.submit(made, 3)
    assert caught.value.status == 422
    assert caught.value.idempotency_key == "by-hand-1"


def test_limits_of_files(client: slipway.Client) -> None:
    def limit() -> int:
        import resource

        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]

    assert client.options(open_files=123).run(limit) == 123


def test_logs_and_events(client: slipway.Client) -> None:
    def work() -> None:
        print("out é")
        print("err", file=sys.stderr)
        slipway.progress(1, 2, "half")
        slipway.emit({"type": "note", "value": [1]})

    job = client.submit(work)
    assert "".join(job.logs("stdout", follow=True)) == "out é\n"
    assert job.logs("stderr") == "err\n"
    events = list(job.events())
    assert [e["type"] for e in events if e["type"] in ("progress", "note")] == [
        "progress",
        "note",
    ]
    assert events[-1]["status"] == "completed"
    assert [e["seq"] for e in events] == sorted(e["seq"] for e in events)


def test_logs_appear_while_the_task_runs(client: slipway.Client) -> None:
    job = client.submit_command(["sh", "-c", "echo first; cat; sleep 60"])
    pieces = job.logs(follow=True)
    assert next(pieces) == "first\n"
    assert job.refresh().status == "running"
    job.cancel()
    assert "".join(pieces) == ""


def test_lists(client: slipway.Client) -> None:
    label = {"slipway-test": os.urandom(4).hex()}
    jobs = client.options(labels=label, name="listed").submit_many(
        slipway.Call(int, (n,)) for n in range(3)
    )
    client.gather(jobs)
    wanted = ":".join(next(iter(label.items())))
    found = list(client.jobs(label=wanted, state=["completed", "error"], name="listed"))
    assert [j.id for j in found] == [j.id for j in reversed(jobs)]
    assert found[0].name == "listed"
    found[0].delete()
    found[0].delete()
    with pytest.raises(slipway.NotFound):
        client.job(found[0].id)


def test_retries_of_the_task(client: slipway.Client) -> None:
    def fails_once() -> int:
        attempt = int(os.environ["SLIPWAY_ATTEMPT"])
        if attempt == 1:
            raise ValueError(attempt)
        return attempt

    job = client.options(retries=1, retry_backoff=0.01).submit(fails_once)
    assert job.result() == 2
    assert client.job(job.id).info["attempt"] == 2


def test_faults_of_a_request(client: slipway.Client) -> None:
    with pytest.raises(slipway.APIError, match="LD_PRELOAD") as caught:
        client.options(env={"LD_PRELOAD": "x"}, priority=1000).submit(int)
    assert caught.value.status == 422
    assert len(caught.value.problem["errors"]) == 2
    with (
        slipway.Client(client.url, "slw_" + "a" * 63) as stranger,
        pytest.raises(slipway.AuthenticationError),
    ):
        stranger.submit(int)


def test_the_credentials_file(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(gateway.config_home))
    with slipway.Client() as client:
        assert client.url == gateway.url
        assert client.run(int, "5") == 5


def test_a_done_callback(client: slipway.Client) -> None:
    called = threading.Event()
    seen: list[Any] = []
    job = client.submit(int, "6")
    job.add_done_callback(lambda j: (seen.append(j), called.set()))
    assert called.wait(30)
    assert seen == [job]
    assert job.result() == 6
