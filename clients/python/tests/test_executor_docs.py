"""The examples of docs/python-executor.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from executor_gateway import BINARY, local_client

import slipway

PAGE = Path(__file__).resolve().parents[3] / "docs" / "python-executor.md"
TEXT = PAGE.read_text()
EXAMPLES = [
    # With the page's own lines, for tracebacks.
    "\n" * TEXT[: found.start(1)].count("\n") + found.group(1)
    for found in re.finditer(r"```python\n(.*?)```", TEXT, re.DOTALL)
]


@pytest.fixture(scope="module")
def local() -> Iterator[slipway.Client]:
    if BINARY is None:
        pytest.skip("no gateway: SLIPWAY_TEST_BINARY names no binary")
    with local_client(containers=True) as client:
        yield client


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_example(
    local: slipway.Client, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    code = EXAMPLES[number]
    for module in ("joblib", "dask"):
        if f"import {module}\n" in code:
            pytest.importorskip(module)
    key = local._session.transport._client.headers["authorization"].split()[1]
    monkeypatch.setenv("SLIPWAY_URL", local.url)
    monkeypatch.setenv("SLIPWAY_KEY", key)
    names = {"__name__": "example", "slipway": slipway}
    exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 6
