"""Measure ``Client.map`` over lambdas beside the engine itself, in one run.

The engine's figure is that of ``slipway bench``: jobs submitted in Swift, with no REST and no pickle of results between.
Both take turns in rounds, so that whatever else the machine does touches them alike: trust the ratio::

    pip install ./clients/python
    python Benchmarks/python/map.py --binary .build/release/slipway
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from slipway import Client

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "graflow"))

from gateway import running


def engine(binary: str, docker_host: str, jobs: int) -> dict[str, float]:
    """Return the jobs a second of an embedded engine, by the name of the measurement."""
    done = subprocess.run(
        [
            binary,
            "bench",
            "--json",
            "--count",
            "20",
            "--cold",
            "1",
            "--jobs",
            str(jobs),
        ],
        env={**os.environ, "DOCKER_HOST": docker_host},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"slipway bench failed: {done.stderr[-2000:]}")
    rates: dict[str, float] = json.loads(done.stdout)["throughput"]
    return rates


def mapped(client: Client, items: int, chunksize: int) -> float:
    """Return the items a second of one map, every result checked."""
    began = time.perf_counter()
    seen = 0
    for number, value in enumerate(
        client.map(lambda x: x * x, range(items), chunksize=chunksize)
    ):
        if value != number * number:
            raise RuntimeError(f"item {number} gave {value}")
        seen += 1
    if seen != items:
        raise RuntimeError(f"{seen} results of {items}")
    return items / (time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True, help="the slipway binary")
    parser.add_argument(
        "--docker-host", default=os.environ.get("DOCKER_HOST", ""), help="the engine"
    )
    parser.add_argument("--items", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    binary = str(Path(options.binary).resolve())
    maps: list[float] = []
    chunks: list[float] = []
    engines: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        # One engine at a time: they would share the processors.
        with (
            running(binary, options.docker_host) as (url, key),
            Client(url, key) as client,
        ):
            mapped(client, 200, 1)
            maps.append(mapped(client, options.items, 1))
            chunks.append(mapped(client, options.items, 100))
        rates = engine(binary, options.docker_host, options.items)
        for name, rate in rates.items():
            engines.setdefault(name, []).append(rate)
    map_rate = statistics.median(maps)
    print(f"{'map, a job for each item':44} {map_rate:8.0f} jobs/s")
    print(f"{'map, chunksize=100':44} {statistics.median(chunks):8.0f} items/s")
    for name, rates_of_name in engines.items():
        rate = statistics.median(rates_of_name)
        print(f"{name:44} {rate:8.0f} jobs/s   map is {map_rate / rate:.2f} of it")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'peak memory of the client':44} {peak:8.0f} MiB")


if __name__ == "__main__":
    main()
