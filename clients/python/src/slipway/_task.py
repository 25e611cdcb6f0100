"""Functions that know how they are to be run."""

from __future__ import annotations

import asyncio
import functools
import operator
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

import cloudpickle

from ._mapping import Results
from ._progress import Progress
from ._types import MapOptions, P, T
from .async_client import AsyncClient
from .client import Client
from .job import Job
from .options import OptionFields, Options

if TYPE_CHECKING:
    from typing_extensions import Unpack

R = TypeVar("R")

_lock = threading.Lock()
_default: Client | None = None


def default_client() -> Client:
    """Return the client that tasks without one use: that of the environment, made once."""
    global _default
    with _lock:
        if _default is None:
            _default = Client()
        return _default


def set_default_client(client: Client | None) -> None:
    """Have tasks without a client use this one.

    Parameters
    ----------
    client
        A client; nothing for that of the environment.
    """
    global _default
    with _lock:
        _default = client


class TaskOptions(OptionFields, total=False):
    """The keywords of `Task.options`."""

    client: Client | AsyncClient | None


class Task(Generic[P, R]):
    """A function that can be called here, and submitted with options of its own.

    In a sandbox it is the plain function. Another process of the caller's, such as one of a
    ``ProcessPoolExecutor``, gets the task, without the client.

    Parameters
    ----------
    function
        The function.
    options
        What its jobs ask for; what they leave out is the client's to say.
    client
        Where to submit; the client of the environment by default. With an `AsyncClient`, `aio`,
        `amap` and `astarmap` submit, and nothing else does.
    """

    def __init__(
        self,
        function: Callable[P, R],
        options: OptionFields | None = None,
        client: Client | AsyncClient | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self._changes: OptionFields = {**(options or {})}
        self._client = client
        Options(**self._changes)  # So that a wrong name is found here.

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here."""
        return self.function(*args, **kwargs)

    @property
    def client(self) -> Client:
        """A view of the client with the task's options."""
        client = self._client or default_client()
        if isinstance(client, AsyncClient):
            raise TypeError(f"{self!r} has an AsyncClient: use aio, amap and astarmap")
        return client.options(**self._changes)

    @property
    def _async_client(self) -> AsyncClient | None:
        client = self._client
        if not isinstance(client, AsyncClient):
            return None
        return client.options(**self._changes)

    def options(self, **changes: Unpack[TaskOptions]) -> Task[P, R]:
        """Return the same task with some options replaced.

        Parameters
        ----------
        changes
            Fields of `Options`, or ``client``.
        """
        client = changes.pop("client", self._client)
        merged = cast("OptionFields", {**self._changes, **changes})
        return Task(self.function, merged, client)

    @overload
    def submit(
        self: Task[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> Job[T]: ...

    @overload
    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Job[R]: ...

    def submit(self, *args: Any, **kwargs: Any) -> Job[Any]:
        """Submit a call; return its job."""
        return self.client.submit(self.function, *args, **kwargs)

    @overload
    def run(
        self: Task[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> T: ...

    @overload
    def run(self, *args: P.args, **kwargs: P.kwargs) -> R: ...

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Submit a call, wait, and return what it returns."""
        return self.client.run(self.function, *args, **kwargs)

    @overload
    async def aio(
        self: Task[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> T: ...

    @overload
    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> R: ...

    async def aio(self, *args: Any, **kwargs: Any) -> Any:
        """Submit a call, and return what it returns without blocking the event loop."""
        if client := self._async_client:
            return await client.run(self.function, *args, **kwargs)
        submit = functools.partial(self.client.submit, self.function, *args, **kwargs)
        return await (await asyncio.to_thread(submit))

    @overload
    def map(
        self: Task[..., Coroutine[Any, Any, T]],
        *iterables: Iterable[Any],
        **how: Unpack[MapOptions],
    ) -> Results[T]: ...

    @overload
    def map(
        self, *iterables: Iterable[Any], **how: Unpack[MapOptions]
    ) -> Results[R]: ...

    def map(
        self,
        *iterables: Iterable[Any],
        progress: Progress = False,
        chunksize: int = 1,
        ordered: bool = True,
    ) -> Results[Any]:
        """Submit a call for each item; return an iterator of results.

        Parameters
        ----------
        iterables, progress, chunksize, ordered
            As for `Client.map`.
        """
        return self.client.map(
            self.function,
            *iterables,
            progress=progress,
            chunksize=chunksize,
            ordered=ordered,
        )

    @overload
    def starmap(
        self: Task[..., Coroutine[Any, Any, T]],
        arguments: Iterable[Iterable[Any]],
        **how: Unpack[MapOptions],
    ) -> Results[T]: ...

    @overload
    def starmap(
        self, arguments: Iterable[Iterable[Any]], **how: Unpack[MapOptions]
    ) -> Results[R]: ...

    def starmap(
        self,
        arguments: Iterable[Iterable[Any]],
        *,
        progress: Progress = False,
        chunksize: int = 1,
        ordered: bool = True,
    ) -> Results[Any]:
        """Submit a call for each tuple of arguments; return an iterator of results.

        Parameters
        ----------
        arguments, progress, chunksize, ordered
            As for `Client.starmap`.
        """
        return self.client.starmap(
            self.function,
            arguments,
            progress=progress,
            chunksize=chunksize,
            ordered=ordered,
        )

    @overload
    def amap(
        self: Task[..., Coroutine[Any, Any, T]],
        *iterables: Iterable[Any],
        **how: Unpack[MapOptions],
    ) -> AsyncIterator[T]: ...

    @overload
    def amap(
        self, *iterables: Iterable[Any], **how: Unpack[MapOptions]
    ) -> AsyncIterator[R]: ...

    def amap(
        self,
        *iterables: Iterable[Any],
        progress: Progress = False,
        chunksize: int = 1,
        ordered: bool = True,
    ) -> AsyncIterator[Any]:
        """Submit a call for each item; return an asynchronous iterator of results.

        Jobs go out when the first result is asked for.

        Parameters
        ----------
        iterables, progress, chunksize, ordered
            As for `Client.map`.
        """
        return self._amap("map", iterables, progress, chunksize, ordered)

    @overload
    def astarmap(
        self: Task[..., Coroutine[Any, Any, T]],
        arguments: Iterable[Iterable[Any]],
        **how: Unpack[MapOptions],
    ) -> AsyncIterator[T]: ...

    @overload
    def astarmap(
        self, arguments: Iterable[Iterable[Any]], **how: Unpack[MapOptions]
    ) -> AsyncIterator[R]: ...

    def astarmap(
        self,
        arguments: Iterable[Iterable[Any]],
        *,
        progress: Progress = False,
        chunksize: int = 1,
        ordered: bool = True,
    ) -> AsyncIterator[Any]:
        """Submit a call for each tuple of arguments, otherwise as `amap` does.

        Parameters
        ----------
        arguments, progress, chunksize, ordered
            As for `Client.starmap`.
        """
        return self._amap("starmap", (arguments,), progress, chunksize, ordered)

    def _amap(
        self,
        how: str,
        items: tuple[Iterable[Any], ...],
        progress: Progress,
        chunksize: int,
        ordered: bool,
    ) -> AsyncIterator[Any]:
        client = self._async_client
        mapping = functools.partial(
            getattr(client or self.client, how),
            self.function,
            *items,
            progress=progress,
            chunksize=chunksize,
            ordered=ordered,
        )
        results: AsyncIterator[Any] = mapping() if client else _in_threads(mapping)
        return results

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        # As a method it is what a plain function would be.
        return self if instance is None else functools.partial(self, instance)

    def __copy__(self) -> Task[P, R]:
        # As of functions: nothing of it changes.
        return self

    def __deepcopy__(self, memo: object) -> Task[P, R]:
        return self

    def __reduce__(self) -> str | tuple[Any, ...]:
        # For the standard library, whose processes have this package; the function itself
        # cannot be found by its name, which stands for the task.
        found = _named(self.function)
        if found is self:
            return str(self.function.__qualname__)
        if isinstance(found, Task) and found.function is self.function:
            return _changed, (found, self._changes)
        return Task, (self.function, self._changes)

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", repr(self.function))
        return f"<slipway.Task {name}>"


def _changed(task: Task[P, R], options: OptionFields) -> Task[P, R]:
    return Task(task.function, options)


def _named(function: Callable[..., Any]) -> Any:
    """Return what the name of a function stands for in its module; nothing where that is nothing."""
    found: Any = sys.modules.get(getattr(function, "__module__", None) or "")
    for name in getattr(function, "__qualname__", "<none>").split("."):
        found = getattr(found, name, None)
    return found


def _plain(task: Task[P, R]) -> tuple[Any, ...]:
    return operator.itemgetter(0), ((task.function,),)


# The sandbox has no such class: what arrives there is the function.
cloudpickle.Pickler.dispatch_table[Task] = _plain


async def _in_threads(mapping: Callable[[], Results[T]]) -> AsyncIterator[T]:
    """Yield the results of a map of a blocking client."""
    over = object()
    results = await asyncio.to_thread(mapping)
    try:
        while True:
            value: Any = await asyncio.to_thread(next, results, over)
            if value is over:
                return
            yield value
    finally:
        # A thread may still wait for the next one.
        results.stop()
        await asyncio.to_thread(results.close)


@overload
def task(function: Callable[P, R], /) -> Task[P, R]: ...


@overload
def task(
    function: None = None,
    /,
    *,
    client: Client | AsyncClient | None = None,
    **options: Unpack[OptionFields],
) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def task(
    function: Callable[P, R] | None = None,
    /,
    *,
    client: Client | AsyncClient | None = None,
    **options: Any,
) -> Any:
    """Make a function a `Task`: ``@slipway.task`` or ``@slipway.task(memory="1g")``.

    Parameters
    ----------
    function
        The function.
    client
        Where to submit; the client of the environment by default.
    options
        Fields of `Options`.
    """
    if function is not None:
        return Task(function)
    fields = cast("OptionFields", options)
    return lambda function: Task(function, fields, client)
