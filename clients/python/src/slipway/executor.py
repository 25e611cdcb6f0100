"""A ``concurrent.futures.Executor`` whose calls run in the sandboxes of a gateway."""

from __future__ import annotations

import itertools
import os
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor as BaseExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from ._session import name_of
from .executor_core import Core
from .executor_future import RemoteFuture
from .executor_link import Link, Prepared
from .executor_remote import chunked, initialised
from .executor_threads import Threads

if TYPE_CHECKING:
    from .client import Client

T = TypeVar("T")
_counter = itertools.count()


class Executor(BaseExecutor):
    """Runs calls as jobs of a gateway, with the interface of the standard library.

    Parameters
    ----------
    client
        The client to use; it stays open. Nothing: one of the executor's own, from the environment or the credentials
        file, closed when the executor is at its end.
    max_workers
        Most jobs of this executor that the gateway has unfinished at a time. Nothing: as many as the gateway runs.
    initializer, initargs
        Called in the sandbox before each call, in its process: a call never finds what another one left. When it
        raises, the executor is broken. For modules that take long to import, ``preload`` is the faster way.
    options
        What each job asks for: the fields of `Options`.

    Raises
    ------
    ValueError
        ``max_workers`` is not greater than 0.
    TypeError
        ``initializer`` is no callable, or an option is unknown.

    Examples
    --------
    >>> with slipway.Executor(memory="1g") as executor:
    ...     list(executor.map(pow, [2, 3], [8, 2]))
    [256, 9]
    """

    def __init__(
        self,
        client: Client | None = None,
        max_workers: int | None = None,
        *,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        **options: Any,
    ) -> None:
        if max_workers is not None and max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        self._max_workers = max_workers
        self._initializer = initializer
        self._initargs = tuple(initargs)
        self._link = Link(client, options)
        self._core = Core(self._link, max_workers)
        self._threads = Threads(self._core, f"slipway-executor-{next(_counter)}")
        # Collected without a shutdown: as after shutdown(wait=False).
        weakref.finalize(self, _close, self._core, os.getpid()).atexit = False

    @property
    def label(self) -> str:
        """The label, as ``key:value``, that all jobs of this executor have."""
        return self._link.label

    @property
    def _broken(self) -> str | None:
        return self._core.broken

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.label} {self._core.described()}>"

    def submit(
        self, fn: Callable[..., T], /, *args: Any, **kwargs: Any
    ) -> RemoteFuture[T]:
        """Run ``fn(*args, **kwargs)`` in a sandbox.

        The call is pickled at once, so what happens to its arguments afterwards does not matter, and sent by a thread
        of the executor. A call that cannot be pickled makes a future with that exception.

        Raises
        ------
        RuntimeError
            After ``shutdown``, while the interpreter ends, or in a process that was forked; `BrokenExecutor` after the initializer failed.
        """
        self._core.check_open()
        try:
            call = self._link.prepare(self._wrapped(fn), args, kwargs, name_of(fn))
        except Exception as error:  # noqa: BLE001
            return self._failed(error)
        return self._add(call)

    def _wrapped(self, fn: Callable[..., T]) -> Callable[..., T]:
        if self._initializer is None:
            return fn
        return initialised(self._initializer, self._initargs, fn)

    def _add(self, call: Prepared) -> RemoteFuture[Any]:
        future: RemoteFuture[Any] = RemoteFuture(self._core.cancel)
        self._core.add(future, call)
        self._threads.start()
        return future

    def _failed(self, error: Exception) -> RemoteFuture[Any]:
        future: RemoteFuture[Any] = RemoteFuture(self._core.cancel)
        future._settle_exception(error)
        return future

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[T]:
        """Run ``fn`` for the items of the iterables; the results come in their order.

        Parameters
        ----------
        fn
            The function; pickled once.
        iterables
            Read to the end of the shortest before this returns.
        timeout
            Seconds from now until all results must be here.
        chunksize
            How many calls make one job. Worth raising when a call takes less than a few milliseconds.

        Raises
        ------
        ValueError
            ``chunksize`` is below 1.
        TimeoutError
            From the iterator, when a result is not there in time. What did not start is cancelled then.
        """
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        end = None if timeout is None else time.monotonic() + timeout
        self._core.check_open()
        # All at once: what an iterable raises is the caller's, here and now.
        calls = iter(list(zip(*iterables)))
        if chunksize == 1:
            return _results(self._submit_all(fn, calls, name_of(fn)), end)
        chunks = iter(lambda: list(itertools.islice(calls, chunksize)), [])
        many = ((chunk,) for chunk in chunks)
        futures = self._submit_all(chunked(fn), many, name_of(fn))
        return itertools.chain.from_iterable(_results(futures, end))

    def _submit_all(
        self,
        fn: Callable[..., Any],
        arguments: Iterator[tuple[Any, ...]],
        name: str | None,
    ) -> list[RemoteFuture[Any]]:
        """Submit a call for each of the argument tuples."""
        futures: list[RemoteFuture[Any]] = []
        calls = self._link.prepare_all(self._wrapped(fn), arguments, name)
        while True:
            try:
                call = next(calls, None)
            except Exception as error:  # noqa: BLE001
                # As far as a reader of the results comes: what is after it would be cancelled then.
                futures.append(self._failed(error))
                return futures
            if call is None:
                return futures
            futures.append(self._add(call))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls.

        Parameters
        ----------
        wait
            Return when every call has its outcome; otherwise they go on in the background.
        cancel_futures
            Cancel the calls that have not started.

        Raises
        ------
        RuntimeError
            Called with ``wait`` by a callback of one of the futures.
        """
        self._core.close()
        if cancel_futures:
            self._core.cancel_all()
        if wait:
            self._threads.join()

    def terminate_workers(self) -> None:
        """Shut down without waiting, and cancel all jobs, also those that run.

        Calls that have not started are cancelled; those that run end with `TaskCancelled`.
        """
        self._core.close()
        self._core.cancel_all()
        self._core.kill()


def _results(futures: list[RemoteFuture[Any]], end: float | None) -> Iterator[Any]:
    """Yield the results in order and keep none of them; cancel what is left when this ends early."""
    futures.reverse()
    try:
        while futures:
            left = None if end is None else end - time.monotonic()
            yield _result_or_cancel(futures.pop(), left)
    finally:
        for future in futures:
            future.cancel()


def _result_or_cancel(future: RemoteFuture[Any], timeout: float | None) -> Any:
    try:
        return future.result(timeout)
    finally:
        future.cancel()
        # Else an exception's traceback would hold the future that holds the exception.
        del future


def _close(core: Core, process: int) -> None:
    # A forked process has a copy: its locks may be held for ever, and the connection is its parent's.
    if os.getpid() == process:
        core.close()
