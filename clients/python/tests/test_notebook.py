"""How jobs are shown in a notebook: a real kernel runs the cells against a real gateway."""

from __future__ import annotations

import html.parser
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from gateway import Gateway
from nbclient import NotebookClient

pytestmark = pytest.mark.live

CELLS = [
    "import slipway\nclient = slipway.Client()\nscale = 3",
    # Functions of a notebook travel with what they use of it.
    "def scaled(x):\n    return x * scale\n\nclient.run(scaled, 14)",
    "job = client.options(name='a <b>name</b>').submit(scaled, 1)\njob.result()\njob",
    "failed = client.submit(lambda: 1 // 0)\nfailed.exception()\nfailed",
    "raised = client.submit(int, '<x>')\nraised.exception()\nraised",
    "print(repr(job))\n[j.status for j in (job, failed)]",
    # A notebook has an event loop of its own that runs already.
    """async with slipway.AsyncClient() as other:
    again = await other.submit(scaled, 2)
    print(await again)
again""",
    "list(client.map(scaled, range(4), progress='scaling'))",
]


class Cells(html.parser.HTMLParser):
    """Collects the text of a table's cells; anything that is not closed is a fault."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        if tag in ("td", "th"):
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts[-1] += data


def table(output: Any) -> dict[str, str]:
    """Read the table that a cell shows."""
    assert output["output_type"] == "execute_result"
    # What cannot show HTML gets the text.
    assert output["data"]["text/plain"].startswith(("<Job job_", "<AsyncJob job_"))
    cells = Cells()
    cells.feed(output["data"]["text/html"])
    assert not cells.open
    assert len(cells.texts) % 2 == 0
    return dict(zip(cells.texts[::2], cells.texts[1::2]))


def test_jobs_in_a_notebook(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(gateway.config_home))
    sources = str(Path(__file__).resolve().parents[1] / "src")
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([sources, os.environ.get("PYTHONPATH", "")])
    )
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in CELLS]
    )
    NotebookClient(book, timeout=120, kernel_name="python3").execute()
    shown = [cell.outputs for cell in book.cells]
    assert shown[1][-1]["data"]["text/plain"] == "42"
    done = table(shown[2][-1])
    assert done["name"] == "a <b>name</b>"
    assert done["state"] == "completed"
    assert done["job"].startswith("job_")
    assert done["total"].endswith(" ms")
    failed = table(shown[3][-1])
    assert failed["state"] == "error"
    assert failed["error"].startswith("ZeroDivisionError: ")
    assert "'<x>'" in table(shown[4][-1])["error"]
    assert shown[5][0]["text"].endswith("completed>\n")
    assert shown[5][1]["data"]["text/plain"] == "['completed', 'error']"
    assert shown[6][0]["text"] == "6\n"
    assert table(shown[6][-1])["state"] == "completed"
    # Without Jupyter's widgets, which not every environment has, the bar is text.
    bar = "".join(output.get("text", "") for output in shown[7])
    assert "scaling: 100%" in bar
    assert "4/4" in bar
    assert shown[7][-1]["data"]["text/plain"] == "[0, 3, 6, 9]"
