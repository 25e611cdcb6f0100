"""Exceptions that are too large for an event, or hold what no event may hold, from real sandboxes."""

from __future__ import annotations

import pytest

import slipway


@pytest.mark.parametrize("kind", [ValueError, KeyError, FileNotFoundError])
def test_the_type_of_a_large_exception_survives(
    client: slipway.Client, kind: type[Exception]
) -> None:
    def fail() -> None:
        import os

        raise kind(os.urandom(100_000).hex())

    with pytest.raises(kind) as caught:
        client.run(fail)
    assert type(caught.value) is kind
    assert 900 <= len(str(caught.value)) <= 1100


def test_what_is_small_of_a_large_exception_comes(client: slipway.Client) -> None:
    def fail() -> None:
        import os

        error = LookupError("first", 2)
        error.more = os.urandom(100_000).hex()  # type: ignore[attr-defined]
        raise error

    with pytest.raises(LookupError) as caught:
        client.run(fail)
    assert caught.value.args == ("first", 2)
    assert "in fail" in str(caught.value.__cause__)


def test_the_type_of_an_exception_survives_halves_of_characters(
    client: slipway.Client,
) -> None:
    def fail() -> None:
        error = LookupError("a \ud800 b")
        error.__notes__ = ["seen: \udc80"]  # type: ignore[attr-defined]
        raise error

    with pytest.raises(LookupError) as caught:
        client.run(fail)
    assert caught.value.args == ("a \ud800 b",)
    assert caught.value.__notes__ == ["seen: \udc80"]  # type: ignore[attr-defined]
