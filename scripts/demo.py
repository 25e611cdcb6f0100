"""Submit real Python tasks to a gateway over REST and print what came back, with timings.

Exit status: 0 when everything came back as expected, else 1.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import pickle
import socket
import statistics
import sys
import time
import urllib.request
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

try:
    import cloudpickle
except ImportError:
    cloudpickle = None

Json = dict[str, Any]

WARM_RUNS = 50
START_SECONDS = 60
JOB_SECONDS = 300
WARM_SECONDS = 30
IMAGE_PYTHON = "3.11"

SOURCE = "def main(x, y=1):\n    return x * y\n"
HUMANIZE = "import humanize\n\ndef main(n):\n    return humanize.intcomma(n)\n"
SLEEP = "import time\n\ndef main():\n    time.sleep(600)\n"
# Where the host's Python is of another version than the image's, a job makes the pickle in the image.
PICKLER = """
import base64, sys, zlib
import cloudpickle

def main():
    rate = 1.19
    call = (lambda prices: [round(price * rate, 2) for price in prices], ([10, 20, 30],), {})
    return base64.b64encode(zlib.compress(cloudpickle.dumps(call))).decode()
"""


class DemoError(Exception):
    """Something that the demo cannot go on without."""


@dataclass
class Row:
    """One line of the table.

    Attributes
    ----------
    task
        What was run.
    job
        The job as the gateway describes it.
    result
        What came back, or why nothing did.
    round_trip
        Seconds from the request to the answer, or nothing where the wait was not for one answer.
    """

    task: str
    job: Json
    result: str
    round_trip: float | None = None


@dataclass
class Report:
    """What the demo saw.

    Attributes
    ----------
    rows
        The lines of the table.
    faults
        What was not as expected.
    notes
        What a reader should know besides.
    """

    rows: list[Row] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def expect(self, task: str, expected: Any, found: Any) -> None:
        """Note a fault unless both values are equal."""
        if expected != found:
            self.faults.append(f"{task}: expected {expected!r}, got {found!r}")


class Gateway:
    """A client of the REST gateway over one connection that is kept alive.

    Parameters
    ----------
    url
        Where the gateway listens.
    credentials
        The file in which it puts the key at its first start.
    pid
        The gateway's process, to notice when it ends.
    """

    def __init__(self, url: str, credentials: Path, pid: int) -> None:
        parts = urlsplit(url)
        self.connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=90
        )
        self.credentials = credentials
        self.pid = pid
        self.key = ""

    def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        prefer: str | None = None,
    ) -> tuple[int, Json]:
        """Make one call; return the status and the decoded body."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        if prefer:
            headers["Prefer"] = prefer
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        if self.connection.sock is None:
            self.connection.connect()
            # Header and body are two writes in http.client: without this the second may wait for 40 ms.
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.connection.request(method, path, data, headers)
            response = self.connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise
        try:
            return response.status, json.loads(text) if text else {}
        except ValueError:
            return response.status, {"detail": text[:200].decode(errors="replace")}

    def alive(self) -> bool:
        """Tell whether the gateway's process still runs."""
        try:
            os.kill(self.pid, 0)
        except OSError:
            return False
        # A child that ended stays until the shell waits for it.
        try:
            return (
                Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
                != "Z"
            )
        except OSError:
            return False

    def wait_ready(self) -> None:
        """Wait until the gateway takes jobs, saying every few seconds what it waits for."""
        began = shown = time.monotonic()
        reason = "it does not listen yet"
        while True:
            try:
                status, body = self.call("GET", "/readyz")
                if status == 200 and self.credentials.exists():
                    self.key = json.loads(self.credentials.read_text())["key"]
                    say(f"    ready after {time.monotonic() - began:.1f} s")
                    return
                reason = (
                    str(body.get("detail") or body)[:200]
                    if status != 200
                    else "no credentials file yet"
                )
            except (OSError, http.client.HTTPException) as error:
                reason = str(error)
            now = time.monotonic()
            if not self.alive():
                raise DemoError("the gateway ended while starting")
            if now - began > START_SECONDS:
                raise DemoError(
                    f"the gateway is not ready after {START_SECONDS} s: {reason}"
                )
            if now - shown > 3:
                shown = now
                say(f"    {now - began:.0f} s: {reason}")
            time.sleep(0.05)

    def submit(self, request: Json, prefer: str | None = None) -> Json:
        """Submit a job; return it as it is when the answer comes."""
        status, job = self.call("POST", "/v1/jobs", request, prefer)
        if status not in (200, 202):
            raise DemoError(
                f"submit of '{request.get('name')}' was answered {status}: {json.dumps(job)[:600]}"
            )
        return job

    def run(self, request: Json, limit: float = JOB_SECONDS) -> tuple[Json, float]:
        """Submit a job and wait until it ended; return it and the seconds that took."""
        name = request["name"]
        began = time.perf_counter()
        job = self.submit(request, "wait=10")
        while job["state"] not in ("completed", "error", "cancelled"):
            elapsed = time.perf_counter() - began
            state = f"'{name}' is {job['state']} after {elapsed:.0f} s; {self.pools()}"
            if elapsed > limit:
                raise DemoError(state)
            say(f"    {state}")
            job = self.call("GET", f"/v1/jobs/{job['id']}?wait=10")[1]
        return job, time.perf_counter() - began

    def pools(self) -> str:
        """Return what the sandboxes are doing, in a few words."""
        words = ("stem", "warm", "busy", "starting", "max", "last_error")
        pools = self.call("GET", "/v1/pools")[1].get("pools") or []
        states = [
            ", ".join(f"{word} {pool.get(word)}" for word in words) for pool in pools
        ]
        return f"sandboxes: {'; '.join(states) or 'none'}"

    def result(self, job: Json) -> Any:
        """Return the result of a job as a Python value, or the job's error as text."""
        if job["state"] != "completed":
            error = job.get("error") or {}
            return f"{error.get('kind')}: {error.get('message')}"
        answer = job.get("result")
        if answer is None:
            answer = self.call("GET", f"/v1/jobs/{job['id']}/result")[1]
        if answer.get("media_type") == "application/vnd.python.pickle":
            # The demo's own task made these bytes; a pickle from elsewhere must not be loaded.
            return pickle.loads(zlib.decompress(base64.b64decode(answer["data"])))
        return answer.get("value")


def say(text: str) -> None:
    """Print progress, apart from the table."""
    print(text, file=sys.stderr, flush=True)


def source(name: str, code: str, *args: Any, **more: Any) -> Json:
    """Return the submit body of a source task; ``more`` are further fields of the job."""
    return {
        "name": name,
        "task": {"type": "source", "code": code, "args": list(args)},
        **more,
    }


def pickled(gateway: Gateway, runtime: str, report: Report) -> tuple[Json, Any]:
    """Return the submit body of a callable task and the result to expect."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    rate = 1.19
    expected: Any = [11.9, 23.8, 35.7]
    if runtime == "docker" and version != IMAGE_PYTHON:
        report.notes.append(
            f"the lambda was pickled by a job: this host has Python {version}, the image {IMAGE_PYTHON}"
        )
        job, _ = gateway.run(source("pickler", PICKLER, requirements=["cloudpickle"]))
        data, version = str(gateway.result(job)), IMAGE_PYTHON
        if job["state"] != "completed":
            raise DemoError(f"the lambda could not be pickled in the image: {data}")
    elif cloudpickle is not None:
        call = (
            lambda prices: [round(price * rate, 2) for price in prices],
            ([10, 20, 30],),
            {},
        )
        data = base64.b64encode(zlib.compress(cloudpickle.dumps(call))).decode()
    else:
        report.notes.append(
            "no package index answers, so a plain pickle of math.hypot stands in for the lambda"
        )
        import math

        data = base64.b64encode(
            zlib.compress(pickle.dumps((math.hypot, (3, 4), {})))
        ).decode()
        expected = 5.0
    return {
        "name": "pickled lambda",
        "task": {"type": "callable", "data": data, "python": version},
    }, expected


def once(gateway: Gateway, report: Report, request: Json, expected: Any) -> Row:
    """Run a job, note what came back, and compare it."""
    say(f"==> {request['name']}")
    job, seconds = gateway.run(request)
    value = gateway.result(job)
    row = Row(
        request["name"],
        job,
        repr(value) if job["state"] == "completed" else str(value),
        seconds,
    )
    report.rows.append(row)
    report.expect(f"{row.task}, state", "completed", job["state"])
    report.expect(f"{row.task}, result", expected, value)
    return row


def again(gateway: Gateway, report: Report, request: Json, expected: Any) -> None:
    """Run a job many times on what is warm now; note the medians."""
    jobs: list[Json] = []
    trips: list[float] = []
    for _ in range(WARM_RUNS):
        job, seconds = gateway.run(request, WARM_SECONDS)
        jobs.append(job)
        trips.append(seconds)
        if job["state"] != "completed" or gateway.result(job) != expected:
            report.faults.append(
                f"{request['name']}, again: {job['state']}, {gateway.result(job)!r}"
            )
            return
    timings = {
        key: statistics.median(job["timings"][key] or 0 for job in jobs)
        for key in jobs[0]["timings"]
    }
    starts = sorted({str(job["start"]) for job in jobs})
    summary = {"state": "completed", "start": "/".join(starts), "timings": timings}
    report.rows.append(
        Row(
            f"  {WARM_RUNS} times again",
            summary,
            "the same (medians)",
            statistics.median(trips),
        )
    )
    # The first of them may still find its sandbox being cleaned; later ones must find it warm.
    report.expect(f"{request['name']}, start of the last", "warm", jobs[-1]["start"])


def cancelled(gateway: Gateway, report: Report) -> None:
    """Cancel a job while it runs."""
    say("==> a job that is cancelled")
    job = gateway.submit(source("sleeps 600 s, cancelled", SLEEP))
    began = time.monotonic()
    while (
        job["state"] in ("queued", "starting")
        and time.monotonic() - began < START_SECONDS
    ):
        time.sleep(0.02)
        job = gateway.call("GET", f"/v1/jobs/{job['id']}")[1]
    report.expect("cancelled job, before the cancel", "running", job["state"])
    began = time.perf_counter()
    status, answer = gateway.call("POST", f"/v1/jobs/{job['id']}/cancel")
    report.expect("cancel, status", 202, status)
    job = gateway.call("GET", f"/v1/jobs/{answer.get('id', job['id'])}?wait=30")[1]
    seconds = time.perf_counter() - began
    report.rows.append(
        Row("sleeps 600 s, cancelled", job, "the cancel's own time", seconds)
    )
    report.expect("cancelled job, state", "cancelled", job["state"])


def index_answers() -> bool:
    """Tell whether the package index can be reached from this host."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
    try:
        with urllib.request.urlopen(f"{index}/humanize/", timeout=10) as answer:
            return answer.status == 200
    except (OSError, ValueError):
        return False


def requirement(gateway: Gateway, report: Report) -> None:
    """Run a job that needs a package of the index, twice."""
    if not index_answers():
        report.notes.append(
            "skipped, not passed: the job with a requirement, since no package index answers here"
        )
        return
    request = source("needs humanize", HUMANIZE, 1234567, requirements=["humanize"])
    if once(gateway, report, request, "1,234,567").job["state"] == "completed":
        again(gateway, report, request, "1,234,567")


def table(rows: list[Row]) -> str:
    """Return the rows as text in columns; times in milliseconds."""
    heads = [
        "task",
        "state",
        "start",
        "queued",
        "start",
        "run",
        "total",
        "round trip",
        "result",
    ]
    lines = [heads]
    for row in rows:
        timings = row.job.get("timings") or {}
        cells = [row.task, row.job["state"], str(row.job.get("start") or "-")]
        for key in ("queued", "start", "run", "total"):
            cells.append(
                "-" if timings.get(key) is None else f"{timings[key] * 1000:.2f}"
            )
        cells.append("-" if row.round_trip is None else f"{row.round_trip * 1000:.2f}")
        cells.append(row.result if len(row.result) <= 40 else row.result[:37] + "...")
        lines.append(cells)
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    text = []
    for line in lines:
        cells = [
            cell.rjust(width) if 3 <= column <= 7 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths))
        ]
        text.append("  ".join(cells).rstrip())
    text.insert(1, "-" * max(map(len, text)))
    return "\n".join(text)


def demo(gateway: Gateway, runtime: str, report: Report) -> None:
    """Run all jobs of the demo."""
    gateway.wait_ready()
    request = {
        "name": "python source",
        "task": {
            "type": "source",
            "code": SOURCE,
            "entrypoint": "main",
            "args": [21],
            "kwargs": {"y": 2},
        },
    }
    once(gateway, report, request, 42)
    again(gateway, report, request, 42)
    request, expected = pickled(gateway, runtime, report)
    once(gateway, report, request, expected)
    again(gateway, report, request, expected)
    requirement(gateway, report)
    cancelled(gateway, report)


def main() -> int:
    """Run the demo and print what it saw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="where the gateway listens")
    parser.add_argument(
        "--credentials",
        required=True,
        type=Path,
        help="the file in which it puts the key",
    )
    parser.add_argument("--runtime", choices=["docker", "process"], default="docker")
    parser.add_argument(
        "--gateway-pid",
        required=True,
        type=int,
        help="its process, to notice when it ends",
    )
    options = parser.parse_args()
    report = Report()
    try:
        demo(
            Gateway(options.url, options.credentials, options.gateway_pid),
            options.runtime,
            report,
        )
    except (DemoError, OSError, KeyError, http.client.HTTPException) as error:
        report.faults.append(f"{type(error).__name__}: {error}")
    if report.rows:
        print(
            f"\nTasks over REST, runtime {options.runtime}; times in milliseconds, the job's own but for the round trip\n"
        )
        print(table(report.rows), flush=True)
    for note in report.notes:
        print(f"note: {note}")
    for fault in report.faults:
        print(f"NOT AS EXPECTED: {fault}")
    print(
        "\ndemo: everything came back as expected"
        if not report.faults
        else "\ndemo: failed",
        flush=True,
    )
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
