"""Types of the client's callers are what they hope for."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from slipway.options import OptionFields, Options

HERE = Path(__file__).resolve().parent


def test_the_keywords_of_options_are_its_fields() -> None:
    fields = {field.name: field.type for field in dataclasses.fields(Options)}
    keywords = {
        name: getattr(kind, "__forward_arg__", kind)
        for name, kind in OptionFields.__annotations__.items()
    }
    assert keywords == fields


def test_calls_have_the_types_of_their_functions(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental"]
        + ["--python-version=3.10", f"--cache-dir={tmp_path}", "typed_usage.py"],
        cwd=HERE,
        env={**os.environ, "MYPYPATH": str(HERE.parent / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
