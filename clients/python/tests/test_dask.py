"""dask on Slipway."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import cloudpickle
import pytest
from executor_gateway import BINARY, local_client

import slipway

dask = pytest.importorskip("dask")

from slipway.integrations.dask import executor as dask_executor

# The sandbox does not have this module.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def local() -> Iterator[slipway.Client]:
    if BINARY is None:
        pytest.skip("no gateway: SLIPWAY_TEST_BINARY names no binary")
    with local_client() as client:
        yield client


def increment(number: int) -> int:
    import os

    assert "SLIPWAY_JOB" in os.environ
    return number + 1


def test_delayed_calls_run_in_sandboxes(local: slipway.Client) -> None:
    # These sandboxes have the interpreter of the tests, and so its dask.
    with (
        slipway.Executor(local, 4, cpus=0.2, memory="256m") as executor,
        dask.config.set(scheduler=executor),
    ):
        ones = [dask.delayed(increment)(n) for n in range(6)]
        total = dask.delayed(sum)(ones)
        assert total.compute() == sum(range(1, 7))


def test_an_exception_of_a_dask_task(local: slipway.Client) -> None:
    with (
        slipway.Executor(local, cpus=0.2, memory="256m") as executor,
        dask.config.set(scheduler=executor),
        pytest.raises(ZeroDivisionError),
    ):
        dask.delayed(divmod)(1, 0).compute()


def test_the_sandboxes_of_its_own_executor_are_to_have_dask(
    local: slipway.Client,
) -> None:
    with dask_executor(local, 2, requirements=["numpy"]) as executor:
        assert executor._link._client.defaults.requirements == [
            f"dask=={dask.__version__}",
            "numpy",
        ]
        assert executor._max_workers == 2
