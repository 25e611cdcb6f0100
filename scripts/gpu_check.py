"""The checks of gpu-check: real tasks on real devices, through the process runtime."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Tests" / "runner"))

from harness import Host, Result, process_sandbox

GIB = 1 << 30
#: What the driver answers where a process may see no device.
NO_DEVICE = 100

#: Asks the driver itself, through its C interface: no framework is needed.
LOOK = """
import ctypes, os
def main():
    cuda = ctypes.CDLL("libcuda.so.1")
    seen = {"visible": os.environ.get("CUDA_VISIBLE_DEVICES"), "init": cuda.cuInit(0), "devices": []}
    if seen["init"]:
        return seen
    count = ctypes.c_int()
    cuda.cuDeviceGetCount(ctypes.byref(count))
    for number in range(count.value):
        device, total = ctypes.c_int(), ctypes.c_size_t()
        name, uuid = ctypes.create_string_buffer(256), (ctypes.c_ubyte * 16)()
        cuda.cuDeviceGet(ctypes.byref(device), number)
        cuda.cuDeviceGetName(name, 256, device)
        cuda.cuDeviceTotalMem_v2(ctypes.byref(total), device)
        cuda.cuDeviceGetUuid(uuid, device)
        seen["devices"].append([name.value.decode(), total.value, bytes(uuid).hex()])
    return seen
"""

#: Takes a GiB of the device, writes to it, and holds it.
HOLD = """
import ctypes, time
def main(seconds):
    cuda = ctypes.CDLL("libcuda.so.1")
    device, context, pointer = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
    codes = [cuda.cuInit(0), cuda.cuDeviceGet(ctypes.byref(device), 0),
             cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device),
             cuda.cuCtxSetCurrent(context),
             cuda.cuMemAlloc_v2(ctypes.byref(pointer), ctypes.c_size_t(1 << 30)),
             cuda.cuMemsetD8_v2(pointer, ctypes.c_ubyte(7), ctypes.c_size_t(1 << 30)),
             cuda.cuCtxSynchronize()]
    time.sleep(seconds)
    return codes
"""

#: PyTorch with a limit of 2 GiB: 1 GiB fits, 3 GiB more do not.
TORCH = """
def main():
    import torch
    held = torch.zeros(1 << 28, device="cuda")
    try:
        torch.zeros(3 << 28, device="cuda")
        return [torch.__version__, "no limit"]
    except torch.cuda.OutOfMemoryError as error:
        return [torch.__version__, "refused"]
"""


class Unavailable(Exception):
    """A check that cannot be made here."""


def smi(*arguments: str) -> str:
    """Ask nvidia-smi."""
    return subprocess.run(
        ["nvidia-smi", *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    ).stdout.strip()


def query(fields: str) -> list[list[str]]:
    """Return one list of fields for each device."""
    text = smi("--query-gpu=" + fields, "--format=csv,noheader,nounits")
    return [[word.strip() for word in line.split(",")] for line in text.splitlines()]


def computing() -> set[str]:
    """Return the lines of the processes that compute on any device."""
    text = smi("--query-compute-apps=gpu_uuid,pid", "--format=csv,noheader")
    return {line for line in text.splitlines() if line.startswith(("GPU-", "MIG-"))}


def value(result: Result) -> Any:
    """Return what a task returned; fail with its error where it returned nothing."""
    expect(result.outcome == "ok", result.header.get("error") or result.header)
    return result.value()


def expect(condition: bool, seen: Any) -> None:
    """Fail with what was seen."""
    if not condition:
        raise AssertionError(f"seen: {seen!r}")


class Checks:
    """Everything that is looked at, one method each; the first line of its text is its name."""

    def __init__(self, uuid: str, slipway: str | None) -> None:
        self.uuid = uuid
        self.slipway = slipway
        self.before = computing()

    def sandbox(self, **env: str) -> Any:
        """Start a sandbox that was granted the device, as the engine configures it."""
        return _Configured({"CUDA_VISIBLE_DEVICES": self.uuid, **env})

    def a_command_runs_nvidia_smi(self) -> str:
        """A command task runs nvidia-smi -L"""
        with self.sandbox() as host:
            result = host.finish(host.command("nvidia-smi", "-L"))
            text = result.text().decode().strip()
            expect(self.uuid in text, [text, result.header])
            return text.splitlines()[0]

    def a_task_sees_its_device(self) -> str:
        """A task sees exactly the granted device, and the driver serves it"""
        with self.sandbox() as host:
            seen = value(host.run(LOOK))
            digits = self.uuid.partition("-")[2].replace("-", "")
            expect(seen["visible"] == self.uuid and seen["init"] == 0, seen)
            expect([device[2] for device in seen["devices"]] == [digits], seen)
            name, total, _ = seen["devices"][0]
            return f"{name}, {total / GIB:.1f} GiB"

    def a_task_without_a_grant_sees_none(self) -> str:
        """A task without a grant sees no device"""
        with _Configured({"CUDA_VISIBLE_DEVICES": ""}) as host:
            seen = value(host.run(LOOK))
            expect(seen["init"] == NO_DEVICE and not seen["devices"], seen)
            return f"cuInit answers {seen['init']} (no device)"

    def memory_is_given_back_by_a_task(self) -> str:
        """A task takes 1 GiB of the device; after it nothing of it is left there"""
        with self.sandbox() as host:
            codes = value(host.run(HOLD, 0))
            expect(codes == [0] * 7, codes)
            return self._gone("a task")

    def memory_is_given_back_by_a_killed_task(self) -> str:
        """A task is killed while it holds 1 GiB; after it nothing of it is left there"""
        with self.sandbox() as host:
            job = host.source(HOLD, 60, timeout=10.0)
            deadline = time.monotonic() + 9
            while not computing() - self.before and time.monotonic() < deadline:
                time.sleep(0.05)
            expect(bool(computing() - self.before), "no context before the kill")
            result = host.finish(job)
            expect(result.outcome == "timeout", result.header)
            return self._gone("a killed task")

    def _gone(self, what: str) -> str:
        began = time.monotonic()
        while computing() - self.before:
            expect(time.monotonic() - began < 5, computing() - self.before)
            time.sleep(0.05)
        return f"no context {1000 * (time.monotonic() - began):.0f} ms after {what} was proven gone"

    def tasks_follow_each_other(self) -> str:
        """Twenty tasks use the device one after the other in one sandbox"""
        with self.sandbox() as host:
            times = []
            for _ in range(20):
                began = time.monotonic()
                seen = value(host.run(LOOK))
                times.append(time.monotonic() - began)
                expect(len(seen["devices"]) == 1, seen)
            times.sort()
            return (
                f"median {1000 * times[10]:.0f} ms each, most of it the driver's start"
            )

    def pytorch_keeps_to_its_limit(self) -> str:
        """PyTorch keeps to 2 GiB without a line of the task's"""
        return self._torch([])

    def preloaded_pytorch_keeps_to_its_limit(self) -> str:
        """Preloaded PyTorch does, too, and the zygote has no context"""
        return self._torch(["torch"])

    def _torch(self, preload: list[str]) -> str:
        probe = [sys.executable, "-c", "import torch"]
        if subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode:
            raise Unavailable("this Python has no torch")
        limit = {"SLIPWAY_GPU_MEMORY_LIMIT": str(2 * GIB)}
        path = [item for item in sys.path if item.endswith("-packages")]
        with self.sandbox(**limit) as host:
            host.configure(
                env={"CUDA_VISIBLE_DEVICES": self.uuid, **limit},
                preload=preload,
                path=path,
            )
            expect(not computing() - self.before, "a context before the first task")
            version, end = value(host.run(TORCH))
            expect(end == "refused", end)
            return f"torch {version}"

    def the_engine_runs_a_job(self) -> str:
        """slipway run --gpus 1 runs nvidia-smi -L"""
        text = self._slipway("--gpus", "1", "--", "nvidia-smi", "-L")
        expect(self.uuid in text, text)
        return text.splitlines()[0]

    def the_engine_keeps_to_grants(self) -> str:
        """slipway run shows the device with --gpus 1, and none without"""
        show = "import os; print(os.environ.get('CUDA_VISIBLE_DEVICES'))"
        granted = self._slipway("--gpus", "1", "-c", show)
        none = self._slipway("-c", show)
        expect(granted == self.uuid and none == "", [granted, none])
        return granted

    def _slipway(self, *arguments: str) -> str:
        if self.slipway is None:
            raise Unavailable("no slipway was named")
        with tempfile.TemporaryDirectory(prefix="slipway-gpu-") as folder:
            env = {
                **os.environ,
                "XDG_DATA_HOME": folder,
                "XDG_CONFIG_HOME": folder,
                "SLIPWAY_RUNTIME_DEFAULT": "process",
                "SLIPWAY_GPUS_DEVICES": self.uuid,
            }
            command = [self.slipway, "run", "--timeout", "60s", *arguments]
            done = subprocess.run(
                command,
                env=env,
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
            )
        expect(done.returncode == 0, [done.returncode, done.stderr[-1000:]])
        return done.stdout.strip()


class _Configured:
    """A sandbox that is configured with an environment."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env
        self._sandbox = process_sandbox(ready=False)

    def __enter__(self) -> Host:
        host = self._sandbox.__enter__()
        host.configure(env={"PATH": os.environ["PATH"], **self._env})
        return host

    def __exit__(self, *error: object) -> None:
        self._sandbox.__exit__(*error)  # type: ignore[arg-type]


def perform(check: Callable[[], str]) -> bool:
    """Make one check and print how it ended; False where it did not hold."""
    name = (check.__doc__ or "").strip()
    try:
        print(f"ok         {name}: {check()}", flush=True)
    except Unavailable as reason:
        print(f"not made   {name}: {reason}", flush=True)
    except Exception as error:  # noqa: BLE001  # Whatever it is, the next check is made.
        print(f"FAILED     {name}: {type(error).__name__}: {error}", flush=True)
        return False
    return True


def main() -> int:
    """Make every check on the first device."""
    devices = query("index,uuid,name,memory.total,driver_version,mig.mode.current")
    if not devices:
        print("nvidia-smi finds no device", file=sys.stderr)
        return 3
    print(json.dumps({"python": sys.version.split()[0], "devices": devices}))
    checks = Checks(devices[0][1], sys.argv[1] if len(sys.argv) > 1 else None)
    named = [value for name, value in vars(Checks).items() if name[0] != "_"]
    made = [value for value in named if (value.__doc__ or "")[:5] != "Start"]
    held = [perform(value.__get__(checks)) for value in made]
    print(f"{held.count(True)} of {len(held)} held or could not be made")
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
