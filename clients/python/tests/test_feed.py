"""What a follower is told again after a restart of the gateway, and what is new."""

from __future__ import annotations

import json
from typing import Any

from slipway._feed import JobFeed


def _lines(*events: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def _update(seq: int, status: str) -> dict[str, Any]:
    return {"type": "job_update", "seq": seq, "status": status, "attempt": 1}


def _log(seq: int, data: str, stream: str = "stdout") -> dict[str, Any]:
    return {"type": "log", "seq": seq, "stream": stream, "data": data}


def _tick(seq: int, number: int) -> dict[str, Any]:
    return {"type": "tick", "seq": seq, "i": number}


BEFORE = (
    _update(1, "queued"),
    _update(2, "running"),
    _log(3, "eins\n"),
    {"type": "preload_error", "seq": 4, "module": "x"},
    _tick(5, 0),
    _log(6, "zw\u00f6", "stderr"),
    _tick(7, 1),
)


def test_what_is_told_again_after_a_restart_is_told_once() -> None:
    feed = JobFeed("job_1")
    assert feed.take_some(_lines(*BEFORE)) == list(BEFORE)
    assert feed.request().headers["last-event-id"] == "7"
    told = feed.take_some(
        _lines(
            _update(5_000_000, "queued"),
            _update(5_000_001, "running"),
            _log(5_000_002, "eins\nzwei\ndrei\n"),
            _log(5_000_003, "zw\u00f6lf", "stderr"),
            _tick(5_000_004, 0),
            _tick(5_000_005, 1),
            _tick(5_000_006, 2),
            _log(5_000_007, "vier\n"),
            _update(5_000_008, "completed"),
        )
    )
    assert told == [
        _log(5_000_002, "zwei\ndrei\n"),
        _log(5_000_003, "lf", "stderr"),
        _tick(5_000_006, 2),
        _log(5_000_007, "vier\n"),
        _update(5_000_008, "completed"),
    ]
    assert feed.over


def test_two_restarts() -> None:
    feed = JobFeed("job_1")
    feed.take_some(_lines(*BEFORE))
    feed.request()
    assert (
        feed.take_some(_lines(_update(1_000_000, "queued"), _tick(1_000_001, 0))) == []
    )
    feed.request()
    again = (
        _update(9_000_000, "queued"),
        _log(9_000_001, "eins\nz"),
        _tick(9_000_002, 0),
    )
    assert feed.take_some(_lines(*again)) == [_log(9_000_001, "z")]
    assert feed.take_some(_lines(_tick(9_000_003, 1), _tick(9_000_004, 2))) == [
        _tick(9_000_004, 2)
    ]


def test_a_connection_that_breaks_repeats_nothing() -> None:
    feed = JobFeed("job_1")
    feed.take_some(_lines(*BEFORE))
    feed.request()
    more = (_log(8, "eins\n"), _tick(9, 0), _update(10, "queued"))
    assert feed.take_some(_lines(*more)) == list(more)
