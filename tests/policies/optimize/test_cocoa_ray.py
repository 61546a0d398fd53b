"""Ray actors take the same steps as the simulation; a cluster that isn't there is named."""

from __future__ import annotations

import importlib
import importlib.util
import sys

import numpy as np
import pytest

from policies.optimize.cocoa import Stop, safeguarded, solve
from policies.optimize.cocoa_ray import RayWorkers
from policies.optimize.cocoa_workers import SimulatedWorkers
from policies.optimize.losses import problem
from policies.optimize.ray_connection import WorkerError
from tests.policies.optimize.test_problem_losses import small

installed = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs rejoinder[ray]")


@installed
def test_actors_take_the_same_steps_as_the_simulation() -> None:
    posed = problem(small(1, 40, 10), "hinge", 0.0, 0.05)
    try:
        workers = RayWorkers(posed, 3)
    except WorkerError as error:
        pytest.skip(f"Ray did not start in time: {error.__cause__}")
    try:
        real = solve(posed, safeguarded(), workers, Stop(1e-5, 100))
        coefficients = workers.coefficients()
    finally:
        workers.close()
        importlib.import_module("ray").shutdown()
    simulation = SimulatedWorkers(posed, 3)
    simulated = solve(posed, safeguarded(), simulation, Stop(1e-5, 100))
    assert real.gaps == simulated.gaps
    assert (real.weights == simulated.weights).all()
    assert np.array_equal(coefficients, simulation.coefficients())
    assert real.bytes == simulated.bytes


@installed
def test_a_cluster_that_does_not_answer_is_named() -> None:
    import ray

    ray.shutdown()
    with pytest.raises(WorkerError, match=r"127.0.0.1:1 doesn't answer.*go without --ray"):
        RayWorkers(problem(small(), "hinge", 0, 0.1), 2, address="127.0.0.1:1")


def test_without_ray_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(WorkerError, match=r"rejoinder\[ray\]"):
        RayWorkers(problem(small(), "hinge", 0, 0.1), 2)
