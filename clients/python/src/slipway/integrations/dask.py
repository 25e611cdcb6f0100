"""Compute dask collections on Slipway.

Examples
--------
>>> import dask, slipway.integrations.dask
>>> with slipway.integrations.dask.executor() as executor, dask.config.set(scheduler=executor):
...     dask.delayed(pow)(2, 8).compute()
256
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ..executor import Executor

if TYPE_CHECKING:
    from ..client import Client


def executor(
    client: Client | None = None, max_workers: int | None = None, **options: Any
) -> Executor:
    """Return an executor whose sandboxes have this process's version of dask.

    Each dask task is a job. Any `slipway.Executor` does as well where its image has dask.

    Parameters
    ----------
    client, max_workers, options
        As for `slipway.Executor`. ``max_workers`` is also how many tasks dask hands over at a time; nothing: as many
        as this machine has processors. ``requirements`` are those besides dask; further packages that the tasks use,
        such as numpy or pandas, belong there.
    """
    needed = f"dask=={version('dask')}"
    more = [r for r in options.pop("requirements", None) or () if r != needed]
    return Executor(client, max_workers, requirements=[needed, *more], **options)
