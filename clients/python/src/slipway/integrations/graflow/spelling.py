"""Translate what DockerTaskHandler and graflow's documents say into the fields of a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slipway import Options

# Keywords of graflow's documents, and the parameters of SlipwayTaskHandler that they stand for.
DOCKER_KEYWORDS = {
    "docker_image": "image",
    "docker_environment": "environment",
    "docker_volumes": "volumes",
    "docker_device_requests": "device_requests",
    "docker_auto_remove": "auto_remove",
    "docker_auto_mount_graflow": "auto_mount_graflow",
    "docker_reuse_containers": "reuse_containers",
    "docker_network": "network",
}

# Parameters of DockerTaskHandler that are no fields of a job.
HANDLER_KEYWORDS = frozenset(
    (
        "environment",
        "volumes",
        "device_requests",
        "auto_remove",
        "auto_mount_graflow",
        "reuse_containers",
    )
)

# graflow retries tasks, and the gateway's runtime is not for a task to choose.
_EXCLUDED = frozenset(("retries", "retry_backoff", "handler"))
JOB_KEYWORDS = frozenset(Options.__dataclass_fields__) - _EXCLUDED


def plain_keywords(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords without their ``docker_`` spellings.

    Raises
    ------
    TypeError
        For a keyword that nobody knows, or one that is given in two spellings.
    """
    plain: dict[str, Any] = {}
    for keyword, value in keywords.items():
        name = DOCKER_KEYWORDS.get(keyword, keyword)
        if name not in HANDLER_KEYWORDS and name not in JOB_KEYWORDS:
            raise TypeError(
                f"unknown keyword {keyword!r} of a task that runs on Slipway"
            )
        if name in plain:
            raise TypeError(f"{keyword!r} is given twice, in two spellings")
        plain[name] = value
    return plain


def job_fields(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of :class:`slipway.Options` for plain keywords; ``None`` is left out."""
    given = {name: value for name, value in keywords.items() if value is not None}
    fields = {name: value for name, value in given.items() if name in JOB_KEYWORDS}
    environment = given.get("environment")
    if environment:
        fields["env"] = {**environment_of(environment), **fields.get("env", {})}
    volumes = given.get("volumes")
    if volumes:
        fields["mounts"] = [*mounts_of(volumes), *fields.get("mounts", ())]
    requests = given.get("device_requests")
    if requests:
        fields["gpus"] = fields.get("gpus") or gpus_of(requests)
    return fields


def environment_of(environment: Mapping[str, Any] | Sequence[str]) -> dict[str, str]:
    """Return environment variables from a mapping, or from ``NAME=value`` strings as docker takes them."""
    if isinstance(environment, Mapping):
        return {name: str(value) for name, value in environment.items()}
    return dict(line.partition("=")[::2] for line in environment)


def mounts_of(volumes: Mapping[str, Any] | Sequence[str]) -> list[dict[str, str]]:
    """Return mounts from volumes in each of the forms that docker-py and graflow's documents use.

    Parameters
    ----------
    volumes
        ``{host: {"bind": target, "mode": "ro"}}``, ``{host: target}``, or a list of ``host:target[:mode]``. Without a
        mode they are writable, as docker-py has it.
    """
    return [
        {"source": source, "target": target, "mode": mode or "rw"}
        for source, target, mode in _volumes(volumes)
    ]


def targets_without_mode(volumes: Mapping[str, Any] | Sequence[str]) -> set[str]:
    """Return where volumes are mounted of which nobody said whether they are to be writable."""
    return {target for _, target, mode in _volumes(volumes) if not mode}


def _volumes(
    volumes: Mapping[str, Any] | Sequence[str],
) -> list[tuple[str, str, str]]:
    """Return source, target and mode of each volume: ``ro``, ``rw``, or nothing where that is not said."""
    if not isinstance(volumes, Mapping):
        parts = [line.split(":") for line in volumes]
        volumes = {
            part[0]: {"bind": part[1], "mode": part[2] if len(part) > 2 else ""}
            for part in parts
        }
    found = []
    for source, volume in volumes.items():
        if isinstance(volume, str):
            volume = {"bind": volume}
        # Beside it stand words about labels and propagation, which have no meaning here.
        said = set((volume.get("mode") or "").split(",")) & {"ro", "rw"}
        found.append((source, volume["bind"], min(said, default="")))
    return found


def gpus_of(requests: Sequence[Mapping[str, Any]]) -> int:
    """Return how many GPUs docker's device requests ask for.

    Raises
    ------
    ValueError
        For all GPUs (a count of -1) and for GPUs by id: which ones a task gets is the gateway's to choose.
    """
    total = 0
    for request in requests:
        low = {
            str(name).lower().replace("_", ""): value for name, value in request.items()
        }
        count = int(low.get("count") or 0)
        if count < 0 or low.get("deviceids"):
            raise ValueError(
                "Slipway gives a task a number of GPUs, neither all of them nor named ones: "
                "use gpus=N, or a device request with a count"
            )
        total += count
    return total
