"""Wait for a task's answer, and print what the task printed where the workflow runs."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TextIO

from slipway import Job, SlipwayError, TaskError
from slipway._results import PICKLE

Output = Literal["after", "live", "none"]


def answer_of(job: Job, output: Output) -> tuple[Any, bool]:
    """Return the job's result, and whether that is declared as a pickle.

    Parameters
    ----------
    job
        The job, which is waited for.
    output
        With ``live`` its output is printed meanwhile.

    Raises
    ------
    TaskError
        When the task ended otherwise; then it could not say whether it printed, and its output is looked for.
    """
    if output == "live":
        return _live(job)
    try:
        return _ended(job)
    except TaskError:
        if output == "after":
            print_output(job, ("stdout", "stderr"))
        raise


def _ended(job: Job) -> tuple[Any, bool]:
    job.wait()
    pickled = False
    if job.status == "completed":
        if "result" not in job.info:
            session = job._session
            result = session.transport.run(session.calls.result(job.id))
            job._learn({**job.info, "result": result})
        # The job lets go of it once it has made the value.
        pickled = job.info["result"].get("media_type") == PICKLE
    return job.result(), pickled


def printed(outcome: Mapping[str, Any]) -> list[str]:
    """Return the streams that an outcome says the task has written to.

    Parameters
    ----------
    outcome
        Where the sandbox is not trusted, this may be anything.
    """
    said = outcome.get("printed")
    if not isinstance(said, dict):
        return []
    return [name for name in ("stdout", "stderr") if said.get(name) is True]


def print_output(job: Job, streams: Iterable[str]) -> None:
    """Print what the ended job wrote.

    Parameters
    ----------
    job
        The job.
    streams
        ``stdout`` and ``stderr``, or those of them that have something.
    """
    for name in streams:
        try:
            text = job.logs(stream="stdout" if name == "stdout" else "stderr")
        except SlipwayError:
            continue  # The result counts more than what was printed beside it.
        if text:
            _write(sys.stdout if name == "stdout" else sys.stderr, text)


def _write(stream: TextIO, text: str) -> None:
    stream.write(text)
    stream.flush()


def _live(job: Job) -> tuple[Any, bool]:
    def follow(name: Literal["stdout", "stderr"], stream: TextIO) -> None:
        try:
            for text in job.logs(stream=name, follow=True):
                _write(stream, text)
        except SlipwayError:
            return

    pairs: tuple[tuple[Literal["stdout", "stderr"], TextIO], ...] = (
        ("stdout", sys.stdout),
        ("stderr", sys.stderr),
    )
    threads = [
        threading.Thread(target=follow, args=pair, daemon=True) for pair in pairs
    ]
    for thread in threads:
        thread.start()
    try:
        return _ended(job)
    finally:
        if job.status in ("completed", "error", "cancelled"):
            for thread in threads:
                thread.join(10)
