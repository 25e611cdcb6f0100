"""Make unmodified workflows run on Slipway, and undo that."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import cloudpickle
import graflow
from graflow.coordination.threading_coordinator import ThreadingCoordinator
from graflow.core.context import ExecutionContext
from graflow.core.engine import WorkflowEngine
from graflow.core.task import Executable

from . import decorators
from .handler import SlipwayTaskHandler

_DOCKER_MODULE = "graflow.core.handlers.docker"
_DELEGATE = "_slipway_delegate"

_lock = threading.Lock()
_undo: list[Callable[[], None]] = []
_installed: SlipwayTaskHandler | None = None
_made: SlipwayTaskHandler | None = None

# Its functions stand in the globals of workflows' tasks, and sandboxes have no slipway package.
cloudpickle.register_pickle_by_value(decorators)


def install(
    handler: SlipwayTaskHandler | None = None, **keywords: Any
) -> SlipwayTaskHandler:
    """Run every task with ``handler="docker"`` on Slipway, in this process, whoever builds the engine.

    It gives each new engine a handler for ``docker`` and ``slipway``, lets DockerTaskHandler hand its tasks to
    Slipway with what it was told (image, environment, volumes, device requests), and lets graflow's ``task`` decorator
    take the keywords of :func:`.task`. Where the docker package is missing, DockerTaskHandler can still be imported.

    Parameters
    ----------
    handler
        The handler for tasks of engines that register none; one with `keywords` by default.
    keywords
        Parameters of :class:`SlipwayTaskHandler`. Those of the gateway's side (client, images, trust, output,
        requirements, limits) hold for tasks of DockerTaskHandler too.

    Returns
    -------
    SlipwayTaskHandler
        The handler. A second call replaces the first one's.
    """
    global _installed, _made
    if handler is not None and keywords:
        raise TypeError(
            "keywords are for the handler that install() makes, and one is given"
        )
    made = SlipwayTaskHandler(**keywords) if handler is None else None
    handler = handler or made
    assert handler is not None
    with _lock:
        _restore()
        _close()
        _installed, _made = handler, made
        _patch_engine(handler)
        _patch_docker(handler)
        _patch_decorator()
        _patch_groups(handler)
    return handler


def uninstall() -> None:
    """Undo :func:`install`, and close the connection of the handler that it made.

    Engines that were built meanwhile keep that handler: it opens another connection for a task of theirs, and while
    such a task runs, the one that there is stays open.
    """
    global _installed
    with _lock:
        _restore()
        _close()
        _installed = None


def _close() -> None:
    global _made
    if _made is not None and not _made.busy:
        _made.close()
    _made = None


def installed() -> SlipwayTaskHandler | None:
    """Return the handler of the last :func:`install`, or nothing when it was undone."""
    return _installed


def _restore() -> None:
    while _undo:
        _undo.pop()()


def _replace(owner: Any, name: str, value: Any) -> None:
    previous = owner.__dict__[name]
    setattr(owner, name, value)
    _undo.append(functools.partial(setattr, owner, name, previous))


def _patch_engine(handler: SlipwayTaskHandler) -> None:
    original = WorkflowEngine._register_default_handlers

    def _register_default_handlers(self: WorkflowEngine) -> None:
        original(self)
        for name in ("docker", "slipway", handler.handler_type):
            self._handlers.setdefault(name, handler)

    _replace(WorkflowEngine, "_register_default_handlers", _register_default_handlers)


def _patch_docker(handler: SlipwayTaskHandler) -> None:
    if importlib.util.find_spec("docker") is None:
        _stand_in(handler)
        return
    docker_handler = importlib.import_module(_DOCKER_MODULE).DockerTaskHandler

    def execute_task(self: Any, task: Executable, context: ExecutionContext) -> Any:
        delegate = self.__dict__.get(_DELEGATE)
        if delegate is None or delegate[0] is not handler:
            delegate = (handler, _delegate(handler, self))
            setattr(self, _DELEGATE, delegate)
        return delegate[1].execute_task(task, context)

    _replace(docker_handler, "execute_task", execute_task)


def _delegate(handler: SlipwayTaskHandler, docker_handler: Any) -> SlipwayTaskHandler:
    """Return a handler with what a DockerTaskHandler was told, and the rest from the installed one."""
    volumes = {
        source: volume
        for source, volume in docker_handler.volumes.items()
        if not (isinstance(volume, dict) and volume.get("bind") == "/graflow_src")
    }
    return handler.derive(
        image=docker_handler.image,
        environment=docker_handler.environment,
        volumes=volumes,
        device_requests=docker_handler.device_requests,
    )


def _stand_in(handler: SlipwayTaskHandler) -> None:
    """Let ``from graflow.core.handlers.docker import DockerTaskHandler`` work without the docker package."""

    class DockerTaskHandler(SlipwayTaskHandler):
        """Takes the constructor's arguments of graflow's class, and runs tasks on Slipway."""

        def __init__(
            self, image: str = "python:3.11-slim", *args: Any, **kwargs: Any
        ) -> None:
            told = SlipwayTaskHandler(image, *args, **kwargs).keywords
            self.__dict__.update(handler.derive(**told).__dict__)

    module = ModuleType(
        _DOCKER_MODULE,
        "Stands in for graflow's module, which needs the docker package.",
    )
    vars(module)["DockerTaskHandler"] = DockerTaskHandler
    sys.modules[_DOCKER_MODULE] = module
    _undo.append(functools.partial(_forget, module))


def _forget(module: ModuleType) -> None:
    if sys.modules.get(_DOCKER_MODULE) is module:
        del sys.modules[_DOCKER_MODULE]


def _patch_decorator() -> None:
    from graflow.core import decorators as graflow_decorators

    setattr(graflow_decorators, decorators.ORIGINAL, graflow_decorators.task)
    _undo.append(functools.partial(delattr, graflow_decorators, decorators.ORIGINAL))
    _replace(graflow_decorators, "task", decorators.task)
    _replace(graflow, "task", decorators.task)


def _patch_groups(handler: SlipwayTaskHandler) -> None:
    original = ThreadingCoordinator.execute_group

    @functools.wraps(original)
    def execute_group(self: ThreadingCoordinator, *args: Any, **kwargs: Any) -> None:
        try:
            original(self, *args, **kwargs)
        except KeyboardInterrupt:
            # Only this thread is interrupted; the group's own threads wait for their jobs.
            handler.cancel()
            raise

    _replace(ThreadingCoordinator, "execute_group", execute_group)
