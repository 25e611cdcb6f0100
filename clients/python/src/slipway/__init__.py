"""Runs Python functions in warm, isolated containers through a Slipway gateway.

>>> import slipway
>>> with slipway.Client() as client:  # doctest: +SKIP
...     client.submit(pow, 2, 10).result()
1024
"""

from ._calls import CommandResult
from ._collect import gather
from ._emit import emit, progress
from ._session import Call
from ._task import Task, default_client, set_default_client, task
from ._version import __version__
from .artifact import Artifact, ArtifactInfo
from .async_artifact import AsyncArtifact
from .async_client import AsyncClient
from .async_job import AsyncJob
from .client import Client
from .errors import (
    APIError,
    ArtifactCorrupt,
    AuthenticationError,
    ClientClosed,
    CredentialsError,
    DependencyError,
    NotFound,
    PythonMismatch,
    RemoteTraceback,
    SlipwayError,
    StartFailed,
    TaskCancelled,
    TaskError,
    TaskExit,
    TaskExpired,
    TaskLost,
    TaskOOM,
    TaskProtocolError,
    TaskTimeout,
    Unavailable,
    WaitTimeout,
)
from .executor import Executor
from .job import Job
from .options import Options

__all__ = [
    "APIError",
    "Artifact",
    "ArtifactCorrupt",
    "ArtifactInfo",
    "AsyncArtifact",
    "AsyncClient",
    "AsyncJob",
    "AuthenticationError",
    "Call",
    "Client",
    "ClientClosed",
    "CommandResult",
    "CredentialsError",
    "DependencyError",
    "Executor",
    "Job",
    "NotFound",
    "Options",
    "PythonMismatch",
    "RemoteTraceback",
    "SlipwayError",
    "StartFailed",
    "Task",
    "TaskCancelled",
    "TaskError",
    "TaskExit",
    "TaskExpired",
    "TaskLost",
    "TaskOOM",
    "TaskProtocolError",
    "TaskTimeout",
    "Unavailable",
    "WaitTimeout",
    "__version__",
    "default_client",
    "emit",
    "gather",
    "progress",
    "set_default_client",
    "task",
]
