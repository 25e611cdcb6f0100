"""Every example of the documentation runs, and prints what its page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from gateway import Gateway

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "python.md"
README = ROOT / "README.md"
_BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """A block of Python, and what a block of text right behind it says of its output."""

    page: str
    line: int
    code: str
    output: str | None


def examples(page: Path) -> list[Example]:
    """Return the examples of a page."""
    text = page.read_text(encoding="utf-8")
    found: list[Example] = []
    blocks = list(_BLOCK.finditer(text))
    for number, block in enumerate(blocks):
        if block[1] != "python":
            continue
        output = None
        if number + 1 < len(blocks):
            after = blocks[number + 1]
            if after[1] == "text" and not text[block.end() : after.start()].strip():
                output = after[2]
        line = text.count("\n", 0, block.start()) + 1
        found.append(Example(page.name, line, block[2], output))
    return found


def test_the_pages_have_examples() -> None:
    found = examples(PAGE)
    assert len(found) >= 10
    assert sum(example.output is not None for example in found) >= 8
    (readme,) = examples(README)
    assert readme.output is not None


@pytest.mark.live
@pytest.mark.parametrize(
    "example",
    examples(PAGE) + examples(README),
    ids=lambda example: f"{example.page}-{example.line}",
)
def test_an_example(example: Example, gateway: Gateway, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(example.code, encoding="utf-8")
    # A package of the caller's own, for the examples that announce one.
    package = tmp_path / "mypackage"
    package.mkdir()
    (package / "__init__.py").write_text("from .rates import taxed\n")
    (package / "rates.py").write_text("def taxed(x):\n    return round(x * 1.19, 2)\n")
    environment = {**os.environ, "XDG_CONFIG_HOME": str(gateway.config_home)}
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if example.output is not None:
        assert done.stdout == example.output
