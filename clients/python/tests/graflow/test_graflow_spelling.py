"""What DockerTaskHandler and graflow's documents say becomes the fields of a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cloudpickle
import graflow
import pytest
from docker.types import DeviceRequest
from graflow.core.decorators import task as plain_task
from graflow.core.task import Task

from slipway import Options
from slipway.integrations.graflow import (
    SlipwayTaskHandler,
    configure,
    requirements,
    task,
)

OURS = [f"cloudpickle=={cloudpickle.__version__}", f"graflow=={graflow.__version__}"]


def fields(*args: Any, **keywords: Any) -> dict[str, Any]:
    """Return the job of a task of a handler."""
    found = SlipwayTaskHandler(*args, **keywords).fields(
        Task("name", register_to_context=False)
    )
    # Whatever it is, it can be submitted.
    Options(**found).body()
    return found


def test_the_constructor_of_dockers_handler() -> None:
    found = fields(
        "python:3.11-slim",
        False,
        {"A": "1", "B": 2},
        {"/host": {"bind": "/data", "mode": "ro"}},
        [DeviceRequest(count=2, capabilities=[["gpu"]])],
        True,
    )
    assert found == {
        "name": "name",
        "image": "python:3.11-slim",
        "env": {"A": "1", "B": "2"},
        "mounts": [{"source": "/host", "target": "/data", "mode": "ro"}],
        "gpus": 2,
        "preload": ["graflow", "graflow.hitl.manager", "slipway_graflow"],
        "requirements": OURS,
    }


def test_fields_of_a_job() -> None:
    found = fields(
        requirements=["numpy==2.1.3"],
        cpus=2,
        memory="1g",
        network="bridge",
        timeout="30s",
        preload=["numpy"],
        env={"C": "3"},
    )
    assert found["requirements"] == [*OURS, "numpy==2.1.3"]
    assert found["preload"][-1] == "numpy"
    assert {
        name: found[name] for name in ("cpus", "memory", "network", "timeout", "env")
    } == {
        "cpus": 2,
        "memory": "1g",
        "network": "bridge",
        "timeout": "30s",
        "env": {"C": "3"},
    }


def test_graflow_is_left_to_those_who_name_it() -> None:
    assert fields(requirements=["Graflow[docker]>=0.1"])["requirements"] == [
        OURS[0],
        "Graflow[docker]>=0.1",
    ]
    assert "requirements" not in fields(provide_graflow=False)


def test_a_source_tree_of_graflow_is_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "slipway.integrations.graflow.handler.graflow_source",
        lambda: "/home/me/graflow",
    )
    found = fields()
    assert found["mounts"] == [
        {"source": "/home/me/graflow", "target": "/graflow_src", "mode": "ro"}
    ]
    assert "preload" not in found
    assert not [line for line in found["requirements"] if line.startswith("graflow")]
    assert [line for line in found["requirements"] if line.startswith("networkx")]
    assert "mounts" not in fields(auto_mount_graflow=False)


def test_where_graflow_is_imported_from() -> None:
    expected = (
        ""
        if "site-packages" in str(Path(graflow.__file__))
        else str(Path(graflow.__file__).parent.parent)
    )
    assert requirements.graflow_source() == expected


@pytest.mark.parametrize(
    ("volumes", "mode"),
    [
        ({"/host": {"bind": "/data", "mode": "ro"}}, "ro"),
        ({"/host": {"bind": "/data", "mode": "ro,z"}}, "ro"),
        (["/host:/data:ro"], "ro"),
        ({"/host": {"bind": "/data", "mode": "rw"}}, "rw"),
        ({"/host": {"bind": "/data", "mode": "z,rw"}}, "rw"),
        (["/host:/data:rw"], "rw"),
        # As docker-py has it.
        ({"/host": {"bind": "/data"}}, "rw"),
        ({"/host": {"bind": "/data", "mode": "z"}}, "rw"),
        ({"/host": "/data"}, "rw"),
        (["/host:/data"], "rw"),
    ],
)
def test_volumes(volumes: Any, mode: str) -> None:
    assert fields(volumes=volumes)["mounts"] == [
        {"source": "/host", "target": "/data", "mode": mode}
    ]


@pytest.mark.parametrize(
    "request_",
    [{"Count": -1}, {"device_ids": ["0"]}, DeviceRequest(device_ids=["0", "1"])],
)
def test_gpus_that_cannot_be_asked_for(request_: Any) -> None:
    with pytest.raises(ValueError, match="number of GPUs"):
        SlipwayTaskHandler(device_requests=[request_])


def test_images_under_other_names() -> None:
    images = {"python:3.11-slim": None, "old": "new"}
    assert "image" not in fields("python:3.11-slim", images=images)
    assert fields("old", images=images)["image"] == "new"
    assert fields("other", images=images)["image"] == "other"


@pytest.mark.parametrize(
    "keywords", [{"docker_imgae": "x"}, {"retries": 3}, {"handler": "process"}]
)
def test_unknown_keywords_are_refused(keywords: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="unknown keyword"):
        SlipwayTaskHandler(**keywords)


def test_one_keyword_in_two_spellings_is_refused() -> None:
    with pytest.raises(TypeError, match="two spellings"):
        SlipwayTaskHandler("one", docker_image="two")
    with pytest.raises(TypeError, match="different handlers"):
        task(handler="direct", handler_type="docker")(lambda: 1)


def test_tasks_say_more_than_their_handler() -> None:
    handler = SlipwayTaskHandler(
        environment={"A": "1"}, timeout=5, labels={"team": "a"}, requirements=["x"]
    )
    made = configure(
        Task("task", register_to_context=False),
        docker_environment={"B": "2"},
        timeout=9,
        labels={"n": "1"},
    )
    configure(made, requirements=["y"])
    found = handler.fields(made)
    assert (found["env"], found["timeout"], found["labels"]) == (
        {"A": "1", "B": "2"},
        9,
        {"team": "a", "n": "1"},
    )
    assert found["requirements"] == [*OURS, "y"]


@pytest.mark.parametrize("form", ["bare", "called", "named", "id"])
def test_the_decorator_is_graflows(form: str) -> None:
    def function() -> int:
        return 3

    if form == "bare":
        made = task(function)
    elif form == "called":
        made = task()(function)
    elif form == "named":
        made = task("function", timeout=3)(function)
    else:
        made = task(id="function", max_retries=2, handler_type="docker")(function)
        assert made.max_retries == 2
    assert type(made) is type(plain_task(function))
    assert (made.task_id, made.run()) == ("function", 3)
    assert made.handler_type == ("docker" if form in ("named", "id") else "direct")


def test_names_of_jobs() -> None:
    assert (
        SlipwayTaskHandler()
        .fields(Task("a\0b" * 200, register_to_context=False))["name"]
        .startswith("abab")
    )
    assert fields(name="other")["name"] == "other"
