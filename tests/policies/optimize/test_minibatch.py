"""The rivals reach the same optimum, and their search finds a best setting that lies inside what was tried."""

from __future__ import annotations

import numpy as np
import pytest

from policies.optimize.cocoa import Run, Stop, safeguarded, solve
from policies.optimize.cocoa_workers import SimulatedWorkers
from policies.optimize.losses import problem
from policies.optimize.minibatch import fista, minibatch_sgd, tune, tuned_cd, tuned_sgd
from tests.policies.optimize.test_problem_losses import small

CASES = (("hinge", 0.0, 0.1), ("logistic", 0.0, 0.1), ("squared", 0.05, 0.0), ("smoothed-hinge", 0.02, 0.05))


@pytest.mark.parametrize("case", CASES)
def test_tuned_rivals_reach_the_optimum_and_no_best_lies_on_an_edge(case) -> None:
    posed = problem(small(1, 40, 10, classes=case[0] != "squared"), *case)
    best = solve(posed, safeguarded(), SimulatedWorkers(posed, 2), Stop(1e-7, 2000))
    stop = Stop(1e-3, 300, bound=best.objective - best.duality_gap)
    for search in (tuned_sgd, tuned_cd):
        tuned = search(posed, 2, stop, (1.0,))
        assert tuned.run.rounds_to_gap is not None, search.__name__
        assert not tuned.on_edge
        assert posed.objective(tuned.run.weights) == pytest.approx(best.objective, rel=1.1e-3)
        assert tuned.run.rounds_to_gap == min(rounds for *_, rounds, _ in tuned.trials if rounds is not None)
    if case[0] == "hinge":
        with pytest.raises(ValueError, match="smoothed-hinge"):
            fista(posed, 2, stop)
    else:
        found = fista(posed, 2, stop)
        assert posed.objective(found.weights) == pytest.approx(best.objective, rel=1.1e-3)
        assert found.bytes == 2 * 8 * 10 * 2 * found.rounds


def test_a_search_widens_until_the_best_lies_inside() -> None:
    def attempt(setting: float, share: float, rounds: int) -> Run:
        needed = round(10 + 20 * abs(np.log(setting / 3000)))
        reached = needed if needed <= rounds else None
        return Run("made up", np.zeros(1), 1.0, 0.5, reached)

    found = tune(attempt, 1.0, (1.0,), 1000)
    assert not found.on_edge
    assert 1500 < found.setting < 6000
    narrow = tune(lambda setting, share, rounds: Run("", np.zeros(1), 1.0, 1 / setting), 1.0, (1.0,), 10)
    assert narrow.on_edge


def test_too_long_a_step_is_found_out() -> None:
    posed = problem(small(2, 40, 5, classes=False), "squared", 0.0, 0.001)
    with np.errstate(over="ignore", invalid="ignore"):
        assert minibatch_sgd(posed, 2, 100.0, 1.0, Stop(1e-3, 500)).diverged
    assert not minibatch_sgd(posed, 2, 0.1, 0.5, Stop(1e-3, 50)).diverged
