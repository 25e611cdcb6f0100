"""Keeps PyTorch within the device memory that a sandbox was promised.

Loaded by the zygote of sandboxes with such a promise only. Nothing here initialises
CUDA: the limit is queued with PyTorch's own calls for the moment at which a task does.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder

TYPE_CHECKING = False  # As in typing, whose pages every fork would pay for.
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any, Mapping, Optional

VARIABLE = "SLIPWAY_GPU_MEMORY_LIMIT"
MODULE = "torch.cuda"


def watch(env: Mapping[str, str]) -> None:
    """Have `torch.cuda`, once it is imported, keep to the limit that `env` names."""
    limit = env.get(VARIABLE, "")
    known = MODULE in sys.modules or any(
        isinstance(finder, _Watch) for finder in sys.meta_path
    )
    if limit.isdigit() and not known:
        sys.meta_path.insert(0, _Watch(int(limit)))


class _Watch:
    """Finds one module as it would be found anyway, and adds a step to its import."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def find_spec(
        self, name: str, path: Any = None, target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        """Return the specification of `torch.cuda`, None for every other module."""
        if name != MODULE:
            return None
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            apply(module, self._limit)

        try:
            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        except AttributeError:
            pass  # A loader that cannot be changed: the variable alone has to do.
        return spec


def apply(cuda: Any, limit: int) -> None:
    """Queue the limit with `torch.cuda`, for when it is initialised."""

    def keep() -> None:
        for device in range(cuda.device_count()):
            total = cuda.get_device_properties(device).total_memory
            cuda.set_per_process_memory_fraction(min(1.0, limit / total), device)

    try:
        cuda._lazy_call(keep)
    except Exception as error:
        # A PyTorch without these calls: the task runs, and is told.
        print("slipway: no GPU memory limit in PyTorch: %r" % error, file=sys.stderr)
