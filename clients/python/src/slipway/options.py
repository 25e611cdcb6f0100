"""What a job asks for besides its task."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from typing_extensions import Unpack

_KEY = re.compile("[!-~]{1,240}")

Duration = float | str | timedelta
"""Seconds as a number, a text such as ``"30s"`` or ``"5m"``, or a timedelta."""

Size = int | str
"""Bytes as a number, or a text such as ``"512m"`` or ``"2g"`` in powers of 1024."""


class OptionFields(TypedDict, total=False):
    """The fields of `Options`, as keywords."""

    image: str | None
    requirements: Sequence[str] | None
    index_url: str | None
    project: str | None
    env: Mapping[str, str] | None
    secrets: Sequence[str] | None
    cpus: float | None
    memory: Size | None
    pids: int | None
    tmp: Size | None
    shm: Size | None
    open_files: int | None
    gpus: int | None
    gpu_memory: Size | None
    network: str | None
    mounts: Sequence[Mapping[str, str]] | None
    timeout: Duration | None
    queue_timeout: Duration | None
    retries: int | None
    retry_backoff: Duration | None
    priority: int | None
    labels: Mapping[str, str] | None
    preload: Sequence[str] | None
    name: str | None
    handler: str | None
    idempotency_key: str | None


@dataclass(frozen=True)
class Options:
    """What a job asks for; everything that is left out is the gateway's to choose.

    Attributes
    ----------
    image
        The container image.
    requirements
        Python requirements (PEP 508) that are installed for the task and kept for the next;
        exact versions may have hashes, ``numpy==2.1.3 --hash=sha256:...``.
    index_url
        The package index for them, one that the gateway allows.
    project
        A folder of the gateway's machine with a Python project to install, for development.
    env
        Environment variables.
    secrets
        Names of secrets that the gateway knows; the task finds them as environment variables.
    cpus
        Processors, also in part.
    memory
        Memory of the sandbox; a task that needs more ends as `TaskOOM`.
    pids
        Processes and threads.
    tmp, shm
        Sizes of ``/tmp`` and ``/dev/shm``.
    open_files
        Files that each process may have open.
    gpus
        How many GPUs.
    gpu_memory
        Memory of each of these; asks for one GPU where ``gpus`` is left out.
    network
        The network mode.
    mounts
        Folders of the gateway's host: ``{"source": .., "target": .., "mode": "ro"}``.
    timeout
        Longest run; a task that takes longer is killed and ends as `TaskTimeout`.
    queue_timeout
        Longest wait before the run; then the job ends as `TaskExpired`.
    retries
        How often a failed task is run again.
    retry_backoff
        The wait before the first of these.
    priority
        Higher goes first, -100 to 100.
    labels
        For finding jobs again.
    preload
        Modules that the sandbox imports ahead, and practises where they define ``__slipway_practise__``.
    name
        A name for people; the function's by default.
    handler
        The runtime, ``docker`` or ``process``.
    idempotency_key
        The submission's name for itself: sent again with it within 24 hours, the same
        submission is answered with the first job. The same means the same bytes, which
        source and commands always are; functions are pickled alike as a rule by one process.
        1 to 240 visible ASCII characters. Executors make keys of their own.
    """

    image: str | None = None
    requirements: Sequence[str] | None = None
    index_url: str | None = None
    project: str | None = None
    env: Mapping[str, str] | None = None
    secrets: Sequence[str] | None = None
    cpus: float | None = None
    memory: Size | None = None
    pids: int | None = None
    tmp: Size | None = None
    shm: Size | None = None
    gpus: int | None = None
    gpu_memory: Size | None = None
    network: str | None = None
    mounts: Sequence[Mapping[str, str]] | None = None
    timeout: Duration | None = None
    queue_timeout: Duration | None = None
    retries: int | None = None
    retry_backoff: Duration | None = None
    priority: int | None = None
    labels: Mapping[str, str] | None = None
    preload: Sequence[str] | None = None
    name: str | None = None
    handler: str | None = None
    idempotency_key: str | None = None
    open_files: int | None = None

    def __post_init__(self) -> None:
        key = self.idempotency_key
        if key is not None and not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no idempotency key: visible ASCII, up to 240")

    def merge(self, **changes: Unpack[OptionFields]) -> Options:
        """Return these options with some replaced; ``None`` goes back to the default.

        Parameters
        ----------
        changes
            Fields of this class.

        Raises
        ------
        TypeError
            For a field that there is none of.
        """
        return dataclasses.replace(self, **changes)

    def body(self) -> dict[str, Any]:
        """Return the fields of a ``POST /v1/jobs`` that these options stand for."""
        fields: dict[str, Any] = {
            "name": self.name,
            "handler": self.handler,
            "image": self.image,
            "requirements": _list(self.requirements, "requirements"),
            "index_url": self.index_url,
            "project": self.project,
            "env": None if self.env is None else dict(self.env),
            "secrets": _list(self.secrets, "secrets"),
            "resources": self._resources(),
            "network": self.network,
            "mounts": None if self.mounts is None else [dict(m) for m in self.mounts],
            "timeout": _seconds(self.timeout),
            "queue_timeout": _seconds(self.queue_timeout),
            "retry": self._retry(),
            "priority": self.priority,
            "labels": None if self.labels is None else dict(self.labels),
            "preload": _list(self.preload, "preload"),
        }
        return {name: value for name, value in fields.items() if value is not None}

    def _resources(self) -> dict[str, Any] | None:
        values: dict[str, Any] = {
            "cpus": self.cpus,
            "memory": self.memory,
            "pids": self.pids,
            "tmp": self.tmp,
            "shm": self.shm,
            "open_files": self.open_files,
        }
        if self.gpus is not None or self.gpu_memory is not None:
            values["gpus"] = {"count": 1 if self.gpus is None else self.gpus}
            if self.gpu_memory is not None:
                values["gpus"]["memory"] = self.gpu_memory
        values = {name: value for name, value in values.items() if value is not None}
        return values or None

    def _retry(self) -> dict[str, Any] | None:
        retry: dict[str, Any] = {}
        if self.retries is not None:
            retry["max_attempts"] = self.retries + 1
        if self.retry_backoff is not None:
            retry["backoff"] = _seconds(self.retry_backoff)
        return retry or None


def _list(values: Sequence[str] | None, name: str) -> list[str] | None:
    if isinstance(values, str):
        # A string is a sequence too, and would become a list of letters.
        raise TypeError(f"{name} is a list of strings, not one string")
    return None if values is None else list(values)


def _seconds(value: Duration | None) -> float | str | None:
    return value.total_seconds() if isinstance(value, timedelta) else value
