"""What an asynchronous client, its views and its jobs share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from . import _forked
from ._board import Callback
from ._credentials import Credentials
from ._description import Description
from ._session import Session
from ._transport import AsyncTransport, Verify
from ._watch import Watcher


class AsyncSession:
    """A session whose requests are awaited.

    Only the stream of events is read by a thread, as for the blocking client; it hands what
    it hears to the event loop.

    Parameters
    ----------
    session
        What submissions and the stream are made with.
    credentials
        Address and key.
    verify
        How certificates are checked.
    """

    def __init__(
        self, session: Session, credentials: Credentials, verify: Verify
    ) -> None:
        self.url = session.url
        self.calls = session.calls
        self.drafts = session.drafts
        self.trusted = session.trusted
        self.transport = AsyncTransport(credentials, verify)
        self._session = session
        _forked.tell(self)

    @property
    def watcher(self) -> Watcher:
        """What waits for many jobs."""
        return self._session.watcher

    def forked(self) -> None:
        """Go on in a forked process, with nothing of the parent's."""
        self.transport.forked()

    def relay(self, callback: Callable[[Description], object]) -> Callback:
        """Return a callback for any thread, which calls another one in the event loop.

        What comes while the loop is busy is handed over at once, since each hand-over wakes
        the loop up.

        Parameters
        ----------
        callback
            What to call in the loop.
        """
        loop = asyncio.get_running_loop()
        lock = threading.Lock()
        heard: list[Description] = []

        def drain() -> None:
            with lock:
                jobs = heard.copy()
                heard.clear()
            for job in jobs:
                callback(job)

        def relay(job: Description) -> None:
            with lock:
                heard.append(job)
                if len(heard) > 1:
                    return
            try:
                loop.call_soon_threadsafe(drain)
            except RuntimeError:
                return  # The loop is closed: nobody waits any more.

        return relay

    async def close(self) -> None:
        """Close all connections."""
        await self.transport.close()
        self._session.close()
