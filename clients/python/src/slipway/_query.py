"""The query parameters of requests that list or follow jobs."""

from __future__ import annotations

from collections.abc import Iterable

from ._feed import Feed

Several = str | Iterable[str] | None
"""One value, several, or any."""


def jobs_query(state: Several, label: Several, name: str | None) -> dict[str, str]:
    """Return the parameters of ``GET /v1/jobs``.

    Parameters
    ----------
    state, label, name
        What to restrict the list to.
    """
    return _given(state=_listed(state), label=_listed(label), name=name)


def events_feed(label: Several, results: bool) -> Feed:
    """Return the feed of ``GET /v1/events``.

    Parameters
    ----------
    label
        What to restrict it to.
    results
        Whether results are in it.
    """
    query = _given(label=_listed(label), results="true" if results else None)
    return Feed("/v1/events", query, "stream_id")


def _given(**values: str | None) -> dict[str, str]:
    return {key: value for key, value in values.items() if value is not None}


def _listed(values: Several) -> str | None:
    if values is None or isinstance(values, str):
        return values
    return ",".join(values)
