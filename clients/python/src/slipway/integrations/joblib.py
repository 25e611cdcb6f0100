"""Run ``joblib.Parallel``, and so scikit-learn's ``n_jobs``, on Slipway.

Examples
--------
>>> import joblib, slipway.integrations.joblib
>>> slipway.integrations.joblib.register()
>>> with joblib.parallel_config(backend="slipway", n_jobs=8, memory="1g"):
...     joblib.Parallel()(joblib.delayed(pow)(n, 2) for n in range(3))
[0, 1, 4]
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import joblib
from joblib._parallel_backends import AutoBatchingMixin, ParallelBackendBase

from ..executor import Executor
from ..executor_remote import call_items

if TYPE_CHECKING:
    from ..client import Client

ALL_JOBS = 16
"""What a negative ``n_jobs`` stands for: a gateway does not say how many jobs it runs at a time."""


class SlipwayBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]
    """A joblib backend whose batches are jobs of a gateway.

    The sandbox needs no joblib, unless the functions themselves use it. Arguments are pickled with each batch: large
    arrays are not shared through files as joblib's own backends do.

    Parameters
    ----------
    nesting_level, inner_max_num_threads
        As joblib passes them; the second has no effect, as a sandbox has its own processors.
    client
        The client to use, instead of one from the environment or the credentials file.
    options
        What each job asks for: the fields of `slipway.Options`.
    """

    supports_retrieve_callback = True
    supports_inner_max_num_threads = False
    uses_threads = False
    supports_sharedmem = False

    def __init__(
        self,
        nesting_level: int | None = None,
        inner_max_num_threads: int | None = None,
        *,
        client: Client | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads
        )
        self._client = client
        self._options = options
        self._executor: Executor | None = None
        self._n_jobs = 1

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return how many jobs run at a time: 1 for nothing, 16 for negative numbers."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        return ALL_JOBS if n_jobs < 0 else n_jobs

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_: Any) -> int:
        """Prepare for one ``Parallel`` call."""
        self.parallel = parallel
        self._n_jobs = self.effective_n_jobs(n_jobs)
        self._open()
        return self._n_jobs

    def _open(self) -> Executor:
        self._executor = Executor(
            self._client, max_workers=self._n_jobs, **self._options
        )
        return self._executor

    def submit(
        self, func: Any, callback: Callable[[Future[Any]], object] | None = None
    ) -> Future[Any]:
        """Send one of joblib's batches."""
        executor = self._executor or self._open()
        items = getattr(func, "items", None)
        # joblib's own class around the calls would need joblib in the sandbox.
        if isinstance(items, list):
            future: Future[Any] = executor.submit(call_items, items)
        else:
            future = executor.submit(func)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def apply_async(
        self, func: Any, callback: Callable[[Future[Any]], object] | None = None
    ) -> Future[Any]:
        """Send one batch: the name of `submit` before joblib 1.5."""
        return self.submit(func, callback)

    def retrieve_result_callback(self, out: Future[Any]) -> Any:
        """Return what a batch returned, or raise what it raised."""
        return out.result()

    def terminate(self) -> None:
        """End the executor; nothing runs any more then."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None
        self.reset_batch_stats()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Cancel all batches, those that run too."""
        if self._executor is not None:
            self._executor.terminate_workers()
            self._executor = None
        if ensure_ready:
            self._open()


def register(name: str = "slipway", *, make_default: bool = False) -> None:
    """Make the backend known to joblib.

    Parameters
    ----------
    name
        What ``backend=`` calls it.
    make_default
        Whether ``Parallel`` uses it when it names none.
    """
    joblib.register_parallel_backend(name, SlipwayBackend, make_default=make_default)
