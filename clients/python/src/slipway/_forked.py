"""Tells connections when they are in a forked process, which must not use those of its parent.

Both processes would write to one connection, and read each other's answers.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Inherited(Protocol):
    """What a forked process gets a copy of."""

    def forked(self) -> None:
        """Let go of what is the parent's, whose threads are not here and whose locks may be held for ever."""


_known: weakref.WeakSet[Inherited] = weakref.WeakSet()


def tell(thing: Inherited) -> None:
    """Tell something when it is in a forked process, in its first thread.

    Parameters
    ----------
    thing
        Is told until nobody holds it any more.
    """
    _known.add(thing)


def _tell_all() -> None:
    for thing in list(_known):
        thing.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_tell_all)
