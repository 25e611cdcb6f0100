"""The step that keeps PyTorch within a promised limit, on a stand-in of its interface."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Iterator

import pytest
from slipway_runner import gpu

TORCH_CUDA = """
    calls = []
    queued = []
    class _Properties:
        total_memory = 80 << 30
    def device_count():
        return 2
    def get_device_properties(device):
        return _Properties
    def set_per_process_memory_fraction(fraction, device):
        calls.append((fraction, device))
    def _lazy_call(function):
        queued.append(function)
"""


@pytest.fixture
def torch_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "torch" / "cuda"
    folder.mkdir(parents=True)
    (tmp_path / "torch" / "__init__.py").write_text("from . import cuda\n")
    (folder / "__init__.py").write_text(textwrap.dedent(TORCH_CUDA))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "torch"]:
        del sys.modules[name]
    sys.meta_path[:] = [
        finder for finder in sys.meta_path if not isinstance(finder, gpu._Watch)
    ]


def test_the_limit_is_queued_and_nothing_is_initialised(torch_folder: Path) -> None:
    before = list(sys.meta_path)
    gpu.watch({gpu.VARIABLE: str(20 << 30)})
    import torch.cuda

    assert torch.cuda.calls == [], "importing must not touch a device"
    assert len(torch.cuda.queued) == 1
    assert sys.meta_path == before, "the step is gone once it was taken"
    torch.cuda.queued[0]()
    assert torch.cuda.calls == [(0.25, 0), (0.25, 1)]


def test_a_limit_above_the_device_is_all_of_it(torch_folder: Path) -> None:
    gpu.watch({gpu.VARIABLE: str(100 << 30)})
    import torch

    torch.cuda.queued[0]()
    assert torch.cuda.calls == [(1.0, 0), (1.0, 1)]


def test_other_imports_are_left_alone(torch_folder: Path) -> None:
    gpu.watch({gpu.VARIABLE: "1"})
    with pytest.raises(ModuleNotFoundError):
        __import__("no_module_of_this_name")
    assert any(isinstance(finder, gpu._Watch) for finder in sys.meta_path)


def test_a_second_configuration_adds_nothing(torch_folder: Path) -> None:
    before = len(sys.meta_path)
    gpu.watch({gpu.VARIABLE: "1000"})
    gpu.watch({gpu.VARIABLE: "1000"})
    assert len(sys.meta_path) == before + 1
    import torch

    gpu.watch({gpu.VARIABLE: "1000"})
    assert len(sys.meta_path) == before
    assert len(torch.cuda.queued) == 1


def test_without_a_limit_nothing_is_watched() -> None:
    before = list(sys.meta_path)
    gpu.watch({})
    gpu.watch({gpu.VARIABLE: "much"})
    assert sys.meta_path == before


def test_a_pytorch_of_another_shape_still_imports(
    torch_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (torch_folder / "__init__.py").write_text("value = 5\n")
    gpu.watch({gpu.VARIABLE: "1000"})
    import torch

    assert torch.cuda.value == 5
    assert "no GPU memory limit in PyTorch" in capsys.readouterr().err
