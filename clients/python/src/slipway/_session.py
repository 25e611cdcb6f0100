"""What a client, its views and its jobs share."""

from __future__ import annotations

import base64
import functools
import json
import re
import uuid
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal

from . import _forked
from ._calls import Calls
from ._credentials import Credentials
from ._payload import ByValue, Pickler
from ._steps import Json, Patience
from ._transport import Transport, Verify
from ._types import T, T_co
from ._watch import LABEL, Watcher
from .options import Options

Trust = Literal["pickle", "json"]
Protocol = Literal["none", "jsonl"]
_MADE_KEY = re.compile("([0-9a-f]{12})-[0-9a-f]{32}")
_PARTIALS = 100
_BATCH_JOBS = 1000
_BATCH_BYTES = 1 << 20


@dataclass(frozen=True)
class Call(Generic[T_co]):
    """A function and its arguments.

    Attributes
    ----------
    fn
        What to call.
    args, kwargs
        With what.
    """

    fn: Callable[..., Coroutine[Any, Any, T_co]] | Callable[..., T_co]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


class Drafts:
    """Makes the bodies of submissions.

    Parameters
    ----------
    trust
        Whether results may be unpickled.
    by_value
        What the sandbox does not have.
    """

    def __init__(self, trust: Trust, by_value: Iterable[ByValue]) -> None:
        if trust not in ("pickle", "json"):
            raise ValueError(f"trust is 'pickle' or 'json', not {trust!r}")
        self.trusted = trust == "pickle"
        self.pickler = Pickler(self.trusted, by_value)
        # By this label one stream follows all the jobs of a client.
        self.label = uuid.uuid4().hex[:12]

    def new_key(self) -> str:
        """Return an idempotency key for a submission, which tells the label as well."""
        return f"{self.label}-{uuid.uuid4().hex}"

    def body(self, options: Options, task: Json, name: str | None = None) -> Json:
        """Return the body of a submission.

        Parameters
        ----------
        options
            What the job asks for.
        task
            What it runs.
        name
            For people, where the options have none.
        """
        body = options.body()
        if name and "name" not in body:
            body["name"] = name[:255]
        labels = body.pop("labels", {})
        key = options.idempotency_key
        # What is sent again must be the same: with a key of the caller's own, whichever
        # client sends it, and with a key that an error told, as the first time.
        made = _MADE_KEY.fullmatch(key) if key else None
        label = made[1] if made else None if key else self.label
        body["labels"] = {LABEL: label, **labels} if label else labels
        body["task"] = task
        return body

    def call(self, options: Options, call: Call) -> Json:
        """Return the body of a submission that calls a function."""
        task = self.pickler.task(call.fn, tuple(call.args), call.kwargs)
        return self.body(options, task, name_of(call.fn))

    def map(
        self,
        options: Options,
        fn: Any,
        arguments: Iterable[tuple[Any, ...]],
        chunksize: int,
    ) -> Iterator[Json]:
        """Return the submissions of a map.

        Parameters
        ----------
        options
            What each job asks for.
        fn
            The function, which is pickled once.
        arguments
            The positional arguments for each item.
        chunksize
            How many items go into one job.
        """
        if chunksize < 1:
            raise ValueError("chunksize is at least 1")
        frame = self.body(options, {}, name_of(fn))
        if chunksize == 1:
            tasks = self.pickler.tasks(fn, arguments)
        else:
            chunks = ((chunk,) for chunk in chunks_of(arguments, chunksize))
            tasks = self.pickler.tasks(fn, chunks, chunked=True)
        return ({**frame, "task": task} for task in tasks)

    def source(
        self, options: Options, code: str, entrypoint: str, args: Any, kwargs: Any
    ) -> Json:
        """Return the body of a submission of source code."""
        task = {
            "type": "source",
            "code": code,
            "entrypoint": entrypoint,
            "args": list(args),
            "kwargs": dict(kwargs),
        }
        return self.body(options, task, entrypoint)

    def command(
        self,
        options: Options,
        argv: Iterable[str],
        stdin: str | bytes | None,
        files: Mapping[str, str | bytes] | None,
        protocol: Protocol | None,
    ) -> Json:
        """Return the body of a submission of a command."""
        if isinstance(argv, str):
            raise TypeError("argv is a list of strings; for a shell, ['sh', '-c', ...]")
        task: Json = {"type": "command", "argv": list(argv)}
        if stdin is not None:
            task["stdin"] = _content(stdin)
        if files:
            task["files"] = {name: _content(data) for name, data in files.items()}
        if protocol is not None:
            task["protocol"] = protocol
        return self.body(options, task, task["argv"][0] if task["argv"] else None)

    def handler(self, options: Options, name: str, value: Any) -> Json:
        """Return the body of a submission to a handler of the service."""
        task = {"type": "handler", "name": name, "input": value}
        return self.body(options, task, name)


def _content(data: str | bytes) -> str | Json:
    if isinstance(data, str):
        return data
    return {"encoding": "base64", "data": base64.b64encode(data).decode("ascii")}


def name_of(function: Any) -> str | None:
    """Return what a function is called, if it says."""
    for _ in range(_PARTIALS):
        # Nothing but partials: other objects may answer to any name, for ever.
        if not isinstance(function, functools.partial):
            break
        function = function.func
    name = getattr(function, "__qualname__", None)
    return name.replace("\0", "") or None if isinstance(name, str) else None


def chunks_of(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of so many items; where the next item fails, those before it come first.

    Parameters
    ----------
    items
        The items.
    size
        How many.
    """
    chunk: list[T] = []
    try:
        for item in items:
            chunk.append(item)
            if len(chunk) == size:
                yield chunk
                chunk = []
    except Exception:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def batches(bodies: Iterable[Json], first: int = _BATCH_JOBS) -> Iterator[list[bytes]]:
    """Encode submissions and put together those that go out in one request.

    Parameters
    ----------
    bodies
        The submissions.
    first
        How many the first request has at most, so that work can begin.
    """
    most = first
    batch: list[bytes] = []
    size = 0
    for body in bodies:
        encoded = json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
        full = len(batch) >= most or size + len(encoded) > _BATCH_BYTES
        if batch and full:
            yield batch
            batch, size, most = [], 0, _BATCH_JOBS
        batch.append(encoded)
        size += len(encoded)
    if batch:
        yield batch


class Session:
    """What a blocking client, its views and its jobs share.

    Parameters
    ----------
    credentials
        Address and key.
    trust, by_value
        As for `Client`.
    patience
        For how long requests are tried again.
    verify
        How certificates are checked.
    """

    def __init__(
        self,
        credentials: Credentials,
        trust: Trust,
        by_value: Iterable[ByValue],
        patience: Patience,
        verify: Verify,
    ) -> None:
        self.url = credentials.url
        self.drafts = Drafts(trust, by_value)
        self.trusted = self.drafts.trusted
        self.calls = Calls(patience)
        self.transport = Transport(credentials, verify)
        self._watch()
        _forked.tell(self)

    def _watch(self) -> None:
        self.watcher = Watcher(self.transport, self.calls, self.drafts.label)

    def forked(self) -> None:
        """Go on in a forked process, with nothing of the parent's; what that waits for is told there."""
        closed = self.watcher.closed
        self.transport.forked()
        self._watch()
        if closed:
            self.watcher.close()

    def close(self) -> None:
        """Close all connections."""
        self.watcher.close()
        self.transport.close()
