"""Which jobs of a map go out, and when."""

from __future__ import annotations

import pytest

from slipway import _ledger
from slipway._description import Description
from slipway._ledger import Ledger


def ended(number: int, data: str = "") -> Description:
    """Return a job that has ended with a result."""
    info = {"id": f"job_{number}", "state": "completed", "result": {"data": data}}
    return Description(info)


def test_results_that_nobody_takes_hold_up_what_goes_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_ledger, "HELD_BYTES", 100)
    ledger = Ledger(ordered=True)
    jobs = [ended(number, "x" * 30) for number in range(4)]
    ledger.add(jobs)
    for job in jobs[1:]:
        ledger.note(job)
        ledger.note(job)
        assert ledger.wants_more
    # The first may be as large as it likes: it is what is waited for.
    ledger.note(jobs[0])
    assert not ledger.wants_more and ledger.ready
    # What becomes of a result meanwhile does not change what it counted for.
    jobs[0].info.pop("result")
    assert ledger.take() is jobs[0]
    assert ledger.wants_more
    assert [ledger.take() for _ in range(3)] == jobs[1:]
    ledger.complete = True
    assert not ledger.wants_more


def test_no_more_than_so_many_jobs_are_ahead() -> None:
    ledger = Ledger(ordered=False)
    busy = [Description({"id": str(n), "state": "queued"}) for n in range(2000)]
    ledger.add(busy[:1999])
    assert ledger.wants_more
    ledger.add(busy[1999:])
    assert not ledger.wants_more
    ledger.note(busy[7])
    assert ledger.wants_more and ledger.ready
    assert ledger.take() is busy[7]
    assert len(ledger.left()) == 1999
