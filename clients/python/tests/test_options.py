"""What options become in a request."""

from __future__ import annotations

import functools
from datetime import timedelta
from typing import Any

import pytest

from slipway import Options
from slipway._session import name_of


def test_nothing_is_asked_for_by_default() -> None:
    assert Options().body() == {}


def test_every_field_reaches_the_request() -> None:
    options = Options(
        image="slipway/python:3.11",
        requirements=("numpy==2.*",),
        index_url="https://pypi.example.org/simple",
        project="/src/app",
        env={"MODE": "fast"},
        secrets=["TOKEN"],
        cpus=1.5,
        memory="1g",
        pids=64,
        tmp="64m",
        shm=1024,
        open_files=512,
        gpus=2,
        gpu_memory="8g",
        network="none",
        mounts=[{"source": "/data", "target": "/data", "mode": "ro"}],
        timeout=timedelta(minutes=1),
        queue_timeout="10m",
        retries=2,
        retry_backoff=0.5,
        priority=-3,
        labels={"team": "a"},
        preload=["numpy"],
        name="resize",
        handler="docker",
    )
    assert options.body() == {
        "image": "slipway/python:3.11",
        "requirements": ["numpy==2.*"],
        "index_url": "https://pypi.example.org/simple",
        "project": "/src/app",
        "env": {"MODE": "fast"},
        "secrets": ["TOKEN"],
        "resources": {
            "cpus": 1.5,
            "memory": "1g",
            "pids": 64,
            "tmp": "64m",
            "shm": 1024,
            "open_files": 512,
            "gpus": {"count": 2, "memory": "8g"},
        },
        "network": "none",
        "mounts": [{"source": "/data", "target": "/data", "mode": "ro"}],
        "timeout": 60.0,
        "queue_timeout": "10m",
        "retry": {"max_attempts": 3, "backoff": 0.5},
        "priority": -3,
        "labels": {"team": "a"},
        "preload": ["numpy"],
        "name": "resize",
        "handler": "docker",
    }


def test_zero_is_a_value() -> None:
    assert Options(retries=0, priority=0).body() == {
        "retry": {"max_attempts": 1},
        "priority": 0,
    }


def test_memory_of_a_gpu_asks_for_one() -> None:
    assert Options(gpu_memory="4g").body()["resources"] == {
        "gpus": {"count": 1, "memory": "4g"}
    }


def test_merge_replaces_and_forgets() -> None:
    options = Options(memory="1g", timeout=5)
    assert options.merge(timeout=None, cpus=2) == Options(memory="1g", cpus=2)
    assert options == Options(memory="1g", timeout=5)
    with pytest.raises(TypeError, match="memmory"):
        options.merge(memmory="1g")


@pytest.mark.parametrize("name", ["requirements", "secrets", "preload"])
def test_a_string_is_no_list(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        Options(**{name: "numpy"}).body()  # type: ignore[arg-type]


class Anything:
    """Has an attribute of every name, as objects of dask have."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything()

    def __call__(self) -> None:
        """Do nothing."""


def test_only_partials_are_looked_through_for_the_name_of_a_job() -> None:
    endless = functools.partial(int)
    endless.__setstate__((endless, (), {}, {}))
    assert name_of(Anything()) is None
    assert name_of(endless) is None
    nested = functools.partial(int, "7")
    nested.base = 10  # type: ignore[attr-defined]
    assert name_of(functools.partial(nested)) == "int"
