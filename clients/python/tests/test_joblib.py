"""joblib.Parallel on Slipway."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import cloudpickle
import pytest
from executor_gateway import BINARY, local_client

import slipway

joblib = pytest.importorskip("joblib")

from slipway.integrations.joblib import register

# The sandbox does not have this module.
cloudpickle.register_pickle_by_value(sys.modules[__name__])
OPTIONS = {"cpus": 0.2, "memory": "128m"}


@pytest.fixture(scope="module", autouse=True)
def local() -> Iterator[slipway.Client]:
    if BINARY is None:
        pytest.skip("no gateway: SLIPWAY_TEST_BINARY names no binary")
    register()
    with local_client(containers=True) as client:
        yield client


def square(number: int) -> tuple[int, bool]:
    import os

    return number * number, "SLIPWAY_JOB" in os.environ


def fails(number: int) -> int:
    import time

    if number == 3:
        raise KeyError(number)
    time.sleep(number)
    return number


def test_a_parallel_call_runs_in_sandboxes_and_keeps_its_order(
    local: slipway.Client,
) -> None:
    with joblib.parallel_config("slipway", n_jobs=3, client=local, **OPTIONS):
        found = joblib.Parallel()(joblib.delayed(square)(n) for n in range(40))
    assert found == [(n * n, True) for n in range(40)]


def test_one_parallel_object_for_several_calls_and_all_jobs(
    local: slipway.Client,
) -> None:
    with (
        joblib.parallel_config("slipway", n_jobs=-1, client=local, **OPTIONS),
        joblib.Parallel(batch_size=5) as parallel,
    ):
        for length in (7, 12):
            found = parallel(joblib.delayed(square)(n) for n in range(length))
            assert found == [(n * n, True) for n in range(length)]


def test_results_as_they_come(local: slipway.Client) -> None:
    with joblib.parallel_config("slipway", n_jobs=2, client=local, **OPTIONS):
        parallel = joblib.Parallel(return_as="generator")
        found = parallel(joblib.delayed(square)(n) for n in range(9))
        assert [value for value, _ in found] == [n * n for n in range(9)]


def test_an_exception_comes_back_and_ends_the_other_jobs(local: slipway.Client) -> None:
    with (
        joblib.parallel_config("slipway", n_jobs=4, client=local, **OPTIONS),
        pytest.raises(KeyError, match="3"),
    ):
        joblib.Parallel(batch_size=1)(joblib.delayed(fails)(n) for n in (60, 3, 61))
    left = [job for job in local.jobs(name="call_items") if not job.ended]
    assert all(job.wait(30) for job in left)
    assert {job.status for job in left} <= {"cancelled", "error"}


def test_no_jobs_is_a_mistake(local: slipway.Client) -> None:
    with (
        joblib.parallel_config("slipway", n_jobs=0, client=local),
        pytest.raises(ValueError, match="n_jobs"),
    ):
        joblib.Parallel()(joblib.delayed(square)(n) for n in range(3))
