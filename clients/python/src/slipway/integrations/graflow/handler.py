"""The handler that runs graflow's tasks on Slipway."""

from __future__ import annotations

import copy
import importlib
import logging
import re
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, Literal

import cloudpickle
from graflow.core.context import ExecutionContext
from graflow.core.handler import TaskHandler
from graflow.core.task import Executable

from slipway import APIError, Client, Job, SlipwayError, TaskError

from . import payload
from .decorators import asked
from .outcome import raise_mismatch, raised
from .output import Output, answer_of, print_output, printed
from .replay import replay
from .requirements import GRAFLOW_SOURCE, graflow_source, with_graflow
from .spelling import job_fields, plain_keywords, targets_without_mode
from .untrusted import checked

logger = logging.getLogger(__name__)

# What a sandbox imports ahead, so that a task need not wait for it; the last is the runner's, and practises a task.
PRELOAD = ("graflow", "graflow.hitl.manager", "slipway_graflow")
# With this label jobs are found again whose submission was interrupted.
CALL_LABEL = "graflow-call"
# How long the gateway holds the answer to a submission; longer tasks are waited for by further requests.
_WAIT_SECONDS = 30
# Keywords whose values for a task are added to those of the handler; others take their place.
_ADDED = ("environment", "env", "labels")
_MOUNT_MODE = re.compile(r"/mounts/(\d+)/mode")


class _Shared:
    """What a handler shares with those derived from it."""

    def __init__(self, client: Client | None) -> None:
        self.lock = threading.Lock()
        self.client = client
        # Only a client of the handler's own is the handler's to close.
        self.given = client is not None
        self.calls: set[str] = set()
        # Folders without a mode that the gateway refused to mount writable.
        self.read_only: set[str] = set()


class SlipwayTaskHandler(TaskHandler):  # type: ignore[misc]
    """Run tasks in warm sandboxes of a Slipway gateway, in the place of graflow's DockerTaskHandler.

    Parameters
    ----------
    image
        The container image; the gateway's by default. It needs the caller's minor version of Python.
    auto_remove
        As DockerTaskHandler has it, without effect: nothing of a task is left in a sandbox.
    environment
        Environment variables.
    volumes
        Folders of the gateway's host that tasks may use, in docker-py's form. The gateway's configuration must
        allow them, writable ones as such. Those without a mode are writable where it does, else read-only.
    device_requests
        GPUs in docker-py's form: only their number counts.
    auto_mount_graflow
        When graflow is imported from a source tree, mount that tree in the sandbox and import graflow from it.
        Like other mounts it must be allowed.
    reuse_containers
        As graflow's documents have it, without effect: sandboxes are kept and proved clean after each task.
    handler_type
        The name under which :func:`install` registers the handler, and which :meth:`get_name` returns.
    client
        The connection, which stays open; by default one with the credentials of the environment, made when the first
        task runs and closed by :meth:`close`.
    images
        Names of images in workflows, and what to run instead; ``None`` is the gateway's default.
    provide_graflow
        Install the caller's versions of graflow and cloudpickle in the sandbox. Turn it off for images that have
        them; the versions are compared in any case.
    by_value
        Modules of the caller's project that sandboxes do not have: their functions and classes travel with the task.
    trust
        ``pickle``, or ``json``: then nothing that comes from a sandbox is unpickled, and results, channel values and
        the data of iterations must be JSON. By default that of the client.
    output
        What to do with what a task prints: ``after`` it ended print it here too, ``live`` print it while it runs,
        ``none`` leave it in the job's log.
    keywords
        Fields of :class:`slipway.Options` (``requirements``, ``cpus``, ``memory``, ``gpus``, ``network``, ``timeout``
        and so on), and the ``docker_`` spellings of the parameters above.

    Examples
    --------
    >>> engine = WorkflowEngine()
    >>> engine.register_handler("docker", SlipwayTaskHandler(requirements=["numpy==2.1.3"], timeout=60))
    """

    def __init__(
        self,
        image: str | None = None,
        auto_remove: bool = True,
        environment: Mapping[str, Any] | Sequence[str] | None = None,
        volumes: Mapping[str, Any] | Sequence[str] | None = None,
        device_requests: Sequence[Mapping[str, Any]] | None = None,
        auto_mount_graflow: bool = True,
        *,
        reuse_containers: bool = True,
        handler_type: str = "docker",
        client: Client | None = None,
        images: Mapping[str, str | None] | None = None,
        provide_graflow: bool = True,
        by_value: Iterable[str | ModuleType] = (),
        trust: Literal["pickle", "json"] | None = None,
        output: Output = "after",
        **keywords: Any,
    ) -> None:
        given: dict[str, Any] = {
            "image": image,
            "auto_remove": auto_remove,
            "environment": environment,
            "volumes": volumes,
            "device_requests": device_requests,
            "auto_mount_graflow": auto_mount_graflow,
            "reuse_containers": reuse_containers,
        }
        more = plain_keywords(keywords)
        for name in more:
            if given.get(name) not in (None, True):
                raise TypeError(f"{name!r} is given twice, in two spellings")
        self.keywords: dict[str, Any] = {**given, **more}
        # What is wrong is told now, not when the first task runs.
        job_fields(self.keywords)
        self.handler_type = handler_type
        self.images = dict(images or {})
        self.provide_graflow = provide_graflow
        self.output = output
        self._shared = _Shared(client)
        self._trust = trust
        if client is not None and trust not in (None, self.trust):
            raise ValueError(
                f"trust is {trust!r} here and {self.trust!r} in the client"
            )
        for module in by_value:
            cloudpickle.register_pickle_by_value(
                module
                if isinstance(module, ModuleType)
                else importlib.import_module(module)
            )

    def get_name(self) -> str:
        """Return the name under which the handler is registered."""
        return self.handler_type

    def derive(self, **keywords: Any) -> SlipwayTaskHandler:
        """Return a handler that shares this one's connection and differs in some keywords.

        Parameters
        ----------
        keywords
            Those that the constructor takes for tasks; environment variables and labels are added to those of this
            handler, what is ``None`` or empty is left as it is.
        """
        other = copy.copy(self)
        other.keywords = _merged(self.keywords, plain_keywords(keywords))
        return other

    @property
    def client(self) -> Client:
        """The connection to the gateway."""
        with self._shared.lock:
            if self._shared.client is None:
                self._shared.client = Client(trust=self._trust or "pickle")
            return self._shared.client

    def close(self) -> None:
        """Close the connection, unless it was given to the handler; a task that comes later opens another one.

        Handlers that are derived from this one share it.
        """
        with self._shared.lock:
            client = None if self._shared.given else self._shared.client
            if client is not None:
                self._shared.client = None
        if client is not None:
            client.close()

    @property
    def busy(self) -> bool:
        """Whether a task of this handler, or of one derived from it, runs now."""
        with self._shared.lock:
            return bool(self._shared.calls)

    @property
    def trust(self) -> str:
        """What may come back from a sandbox: ``pickle`` or ``json``."""
        return "pickle" if self.client._session.trusted else "json"

    def execute_task(self, task: Executable, context: ExecutionContext) -> Any:
        """Run a task in a sandbox, replay what it did to its workflow, and return its result.

        Parameters
        ----------
        task
            The task.
        context
            The workflow's state; the result, or the exception, is stored in it.

        Raises
        ------
        Exception
            What the task raised, as its own type, caused by the traceback in the sandbox.
        VersionMismatch
            When the sandbox has other versions than the caller.
        TaskError
            When the task was killed, ended its process, or could not be started.
        """
        try:
            outcome = self._run(task, context)
            raise_mismatch(outcome)
            operations = outcome["operations"]
            if self.trust == "json":
                # All of them before the first is replayed.
                operations = checked(operations, context, task.task_id)
            replay(operations, context)
            if outcome["error"] is not None:
                raise raised(outcome["error"], self.trust)
        except Exception as error:
            self._store(task, context, error)
            raise
        result = outcome["value"]
        context.set_result(task.task_id, result)
        return result

    def cancel(self) -> int:
        """Cancel all tasks of this handler that run now; return how many there were."""
        with self._shared.lock:
            calls = list(self._shared.calls)
        return sum(_cancel(self.client, call) for call in calls)

    def fields(self, task: Executable) -> dict[str, Any]:
        """Return the fields of the job that a task becomes."""
        keywords = _merged(self.keywords, plain_keywords(asked(task)))
        fields = job_fields(keywords)
        for mount in self._mounts_without_mode(keywords, fields):
            if mount["source"] in self._shared.read_only:
                mount["mode"] = "ro"
        image = self.images.get(fields.get("image", ""), fields.get("image"))
        fields.pop("image", None)
        if image is not None:
            fields["image"] = image
        source = graflow_source() if keywords["auto_mount_graflow"] else ""
        if source:
            mount = {"source": source, "target": GRAFLOW_SOURCE, "mode": "ro"}
            fields["mounts"] = [*fields.get("mounts", ()), mount]
        else:
            # Imported ahead, graflow of a mounted tree would come from elsewhere.
            fields["preload"] = [*PRELOAD, *fields.get("preload", ())]
        if self.provide_graflow:
            fields["requirements"] = with_graflow(
                fields.get("requirements", ()), source
            )
        fields.setdefault("name", task.task_id[:255].replace("\0", "") or "task")
        return fields

    @staticmethod
    def _mounts_without_mode(
        keywords: Mapping[str, Any], fields: Mapping[str, Any]
    ) -> list[dict[str, str]]:
        targets = targets_without_mode(keywords.get("volumes") or ())
        return [m for m in fields.get("mounts", ()) if m["target"] in targets]

    def _run(self, task: Executable, context: ExecutionContext) -> dict[str, Any]:
        fields = self.fields(task)
        call = uuid.uuid4().hex
        source = (
            GRAFLOW_SOURCE
            if any(m["target"] == GRAFLOW_SOURCE for m in fields.get("mounts", ()))
            else ""
        )
        client = self.client
        described = payload.callable_task(task, context, source, self.trust)
        with self._shared.lock:
            self._shared.calls.add(call)
        try:
            job = self._submit(task, fields, call, described)
            answer, pickled = answer_of(job, self.output)
        except TaskError:
            raise
        except BaseException:
            # Interrupted, or the gateway is away: nobody waits for the job any more.
            _cancel(client, call)
            raise
        finally:
            with self._shared.lock:
                self._shared.calls.discard(call)
        pickled = pickled and self.trust == "pickle"
        outcome = payload.load(answer, pickled, task, context)
        if self.output == "after":
            print_output(job, printed(outcome))
        return outcome

    def _submit(
        self,
        task: Executable,
        fields: dict[str, Any],
        call: str,
        described: dict[str, Any],
    ) -> Job:
        """Submit a task; once more, where the gateway mounts folders of it read-only and nobody said otherwise."""
        wait_seconds = 0 if self.output == "live" else _WAIT_SECONDS
        while True:
            labels = {**fields.get("labels", {}), CALL_LABEL: call}
            client = self.client.options(**{**fields, "labels": labels})
            try:
                return _submit(client, wait_seconds, described)
            except APIError as error:
                if not self._lower(task, fields, error):
                    raise
            fields = self.fields(task)

    def _lower(
        self, task: Executable, fields: Mapping[str, Any], error: APIError
    ) -> bool:
        """Note which folders without a mode were refused as writable; tell whether nothing else was refused."""
        keywords = _merged(self.keywords, plain_keywords(asked(task)))
        mounts = self._mounts_without_mode(keywords, fields)
        sources = []
        for fault in error.problem.get("errors") or ():
            found = _MOUNT_MODE.fullmatch(str(fault.get("pointer")))
            mount = fields["mounts"][int(found[1])] if found else None
            if mount not in mounts:
                return False
            sources.append(mount["source"])
        with self._shared.lock:
            fresh = set(sources) - self._shared.read_only
            self._shared.read_only |= fresh
        for source in sorted(fresh):
            logger.warning("The gateway mounts %s read-only: %s", source, error)
        return bool(sources)

    def _store(
        self, task: Executable, context: ExecutionContext, error: Exception
    ) -> None:
        try:
            context.set_result(task.task_id, error)
        except Exception as problem:  # noqa: BLE001 - The error itself counts more than that a channel cannot hold it.
            logger.debug(
                "The error of task %s cannot be stored: %s", task.task_id, problem
            )


def _merged(keywords: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(keywords)
    for name, value in more.items():
        if value is None or value in ({}, [], ()):
            continue
        if (
            name in _ADDED
            and isinstance(value, Mapping)
            and isinstance(merged.get(name), Mapping)
        ):
            value = {**merged[name], **value}
        merged[name] = value
    return merged


def _submit(client: Client, wait_seconds: float, described: dict[str, Any]) -> Job:
    """Submit a task; where it ends within the wait, its result comes with the same answer."""
    body = client._session.drafts.body(client.defaults, described)
    return client._submit(body, wait=wait_seconds)


def _cancel(client: Client, call: str) -> int:
    """Cancel the job of a call, which may not even have been answered; return how many there were."""
    count = 0
    try:
        for job in client.jobs(
            label=f"{CALL_LABEL}:{call}", state=("queued", "starting", "running")
        ):
            count += job.cancel()
    except SlipwayError as error:
        logger.debug("The job of call %s cannot be cancelled: %s", call, error)
    return count
