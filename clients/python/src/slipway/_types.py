"""Types that clients, jobs and tasks share."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any, ParamSpec, TypedDict

from ._progress import Progress

P = ParamSpec("P")
T = typing.TypeVar("T")

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    # So that `Job` alone still means a job of anything.
    T_co = TypeVar("T_co", covariant=True, default=Any)
else:
    T_co = typing.TypeVar("T_co", covariant=True)


class MapOptions(TypedDict, total=False):
    """What `Client.map` takes besides the function and the items."""

    progress: Progress
    chunksize: int
    ordered: bool
