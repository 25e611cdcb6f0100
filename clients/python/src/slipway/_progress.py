"""Bars that show how far many jobs are, in terminals and notebooks."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .errors import SlipwayError

if TYPE_CHECKING:
    from typing_extensions import Self

Progress = bool | str
"""Whether to draw a bar; a text stands before it."""


class Bar:
    """A bar, or nothing.

    Parameters
    ----------
    progress
        Whether to draw; a text stands before the bar.
    total
        How many items there are, if that is known.
    """

    def __init__(self, progress: Progress, total: int | None) -> None:
        self._bar: Any = None
        if progress is False:
            return
        try:
            # Draws itself in a notebook where it runs in one.
            from tqdm.auto import tqdm
        except ImportError as error:
            raise SlipwayError(
                "progress=True needs tqdm: pip install 'slipway[progress]'"
            ) from error
        self._bar = tqdm(
            total=total,
            desc=progress if isinstance(progress, str) else None,
            unit="item",
            dynamic_ncols=True,
        )

    def advance(self, items: int = 1) -> None:
        """Count some more items."""
        if self._bar is not None:
            self._bar.update(items)

    def close(self) -> None:
        """Draw no more."""
        if self._bar is not None:
            self._bar.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def total_of(iterables: Iterable[Any]) -> int | None:
    """Return how many items a zip of these has, if all can tell.

    Parameters
    ----------
    iterables
        Sequences or other iterables.
    """
    lengths = []
    for items in iterables:
        if not hasattr(items, "__len__"):
            return None
        lengths.append(len(items))
    return min(lengths, default=0)
