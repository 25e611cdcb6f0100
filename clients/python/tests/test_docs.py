"""Every example of the documentation runs, and prints what its page says.

Those in a shell are the blocks that call curl. Those of a page are one session: each may use what one before it set.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from gateway import Gateway

import slipway

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "python.md"
README = ROOT / "README.md"
REST = ROOT / "docs" / "rest-api.md"
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


# Writes the status of each answer, and what was asked, into a file.
_CURL = """set -euo pipefail
curl() { command curl -w '%{stderr}%{http_code} %{method} %{url}\\n' "$@" 2>>"$TOLD"; }
"""


def sessions(page: Path) -> list[str]:
    """Return the shell blocks of a page that call curl."""
    blocks = _BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [block[2] for block in blocks if block[1] == "sh" and "curl -s" in block[2]]


def told(
    blocks: list[str], gateway: Gateway, folder: Path, **variables: str
) -> tuple[str, list[list[str]]]:
    """Run blocks of one page.

    Returns
    -------
    output : str
        What they printed.
    answers : list[list[str]]
        For each call its status, its method and its address without the gateway's own.
    """
    environment = {
        **os.environ,
        **variables,
        "XDG_CONFIG_HOME": str(gateway.config_home),
        "TOLD": str(folder / "told"),
        "no_proxy": "127.0.0.1",
    }
    done = subprocess.run(
        ["bash", "-c", _CURL + "\n".join(blocks)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (folder / "told").read_text().splitlines()
    assert done.returncode == 0, (done.stderr, lines)
    answers = [line.replace(gateway.url, "").split(" ") for line in lines]
    return done.stdout, answers


@pytest.mark.live
def test_the_calls_of_the_readme(gateway: Gateway, tmp_path: Path) -> None:
    blocks = sessions(README)
    assert len(blocks) == 2
    output, answers = told(blocks, gateway, tmp_path)
    assert [answer[0] for answer in answers] == ["200", "202", "200", "200"], answers
    # What the first call prints is the job with its result, and the last one what the task wrote.
    job, _ = json.JSONDecoder().raw_decode(output)
    assert (job["name"], job["state"]) == ("multiply", "completed")
    assert job["result"] == {"media_type": "application/json", "value": 42}
    assert output.endswith("}42\n")


@pytest.mark.live
def test_the_calls_of_the_page_of_the_gateway(
    gateway: Gateway, client: slipway.Client, tmp_path: Path
) -> None:
    blocks = sessions(REST)
    assert len(blocks) >= 5
    job = client.submit_source("def main():\n    return [1, 2]")
    assert job.result() == [1, 2]
    _, answers = told(blocks, gateway, tmp_path, ID=job.id)
    assert len(answers) >= 14
    for status, method, path in answers:
        # Its job has ended, as it has for whoever copies the lines one after the other.
        expected = ["409"] if path.endswith("/cancel") else ["200", "201", "202", "204"]
        assert status in expected, (status, method, path)
    assert json.loads((tmp_path / "result").read_text()) == [1, 2]
    assert ["204", "DELETE", f"/v1/jobs/{job.id}"] in answers
