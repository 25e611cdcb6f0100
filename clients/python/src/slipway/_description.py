"""What is known of a job, and how it is shown."""

from __future__ import annotations

import html
from typing import Any

from ._calls import TERMINAL
from ._steps import Json

_COLOURS = {"completed": "#2e7d32", "error": "#c62828", "cancelled": "#757575"}


class Description:
    """What the gateway last said of a job; the base of `Job` and `AsyncJob`.

    Parameters
    ----------
    info
        The job as the gateway describes it.
    """

    def __init__(self, info: Json) -> None:
        self._info = info
        self._settled: tuple[Any, BaseException | None] | None = None

    @property
    def id(self) -> str:
        """The job's id."""
        return str(self._info["id"])

    @property
    def name(self) -> str | None:
        """The name that it was given."""
        name: str | None = self._info.get("name")
        return name

    @property
    def status(self) -> str:
        """The last known state: queued, starting, running, completed, error or cancelled."""
        return str(self._info["state"])

    @property
    def info(self) -> Json:
        """The job as the gateway last described it."""
        return self._info

    @property
    def ended(self) -> bool:
        """Whether the job is known to have ended; nobody is asked."""
        return self._info["state"] in TERMINAL

    def _learn(self, info: Json) -> None:
        """Take a newer description; what has ended stays so."""
        if self.ended and info["state"] not in TERMINAL:
            return
        if "result" in self._info and "result" not in info:
            info = {**info, "result": self._info["result"]}
        self._info = info

    def _learn_from(self, other: Description) -> None:
        """Take what another object knows of the same job."""
        self._learn(other._info)

    def _hear(self, event: Json) -> None:
        """Take the last event of the job, which brings the job and may bring a result."""
        if self.ended:
            return
        self._info = dict(event["job"])
        if isinstance(event.get("result"), dict):
            self._info["result"] = event["result"]

    def _settle(self, outcome: tuple[Any, BaseException | None]) -> None:
        self._settled = outcome
        if "result" in self._info:
            # The value is kept, so its bytes need not be.
            self._info = {k: v for k, v in self._info.items() if k != "result"}

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        more = ""
        error = self._info.get("error")
        if error:
            message = str(error.get("message") or "").splitlines()
            more = f" ({error.get('type') or error.get('kind')}: {message[0] if message else ''})"
        return f"<{type(self).__name__} {self.id}{name} {self.status}{more}>"

    def _repr_html_(self) -> str:
        colour = _COLOURS.get(self.status, "#1565c0")
        timings = self._info.get("timings") or {}
        cells = [
            ("job", f"<code>{html.escape(self.id)}</code>"),
            ("name", html.escape(self.name or "")),
            ("state", f'<b style="color:{colour}">{html.escape(self.status)}</b>'),
            ("attempt", html.escape(str(self._info.get("attempt", "")))),
            ("run", _milliseconds(timings.get("run"))),
            ("total", _milliseconds(timings.get("total"))),
        ]
        error = self._info.get("error")
        if error:
            text = f"{error.get('type') or error.get('kind')}: {error.get('message')}"
            cells.append(("error", f"<pre>{html.escape(text)}</pre>"))
        rows = "".join(
            f'<tr><th style="text-align:left">{name}</th><td style="text-align:left">{value}</td></tr>'
            for name, value in cells
            if value
        )
        return f"<table>{rows}</table>"


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.1f} ms"
