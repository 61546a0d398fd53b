"""Every variant of the DQN finds the optimum of every probe; learners with a known bug do not."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from bot.__main__ import app
from policies.dqn import DQN
from policies.replay import Batch
from policies.train import DQNTraining
from simulator.probe_runs import PLAIN, VARIANTS, run_probe
from simulator.probes import CONSTANT, DELAY, MASKED, OBSERVATION, PROBES, SLOT, Probe


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_solves_every_probe(name: str, seed: int) -> None:
    for probe in PROBES:
        run = run_probe(probe, VARIANTS[name], seed)
        assert run.solves(probe), f"{probe.name}: {run.reward}, the optimum is {probe.optimum}"
        assert run.seconds <= 10.0
        assert not wrong_values(probe, run.values)


def wrong_values(probe: Probe, values: np.ndarray) -> bool:
    """Whether the values of the probes whose values are known by hand are off."""
    if probe is CONSTANT:
        return abs(values[0, 0] - 1.0) > 0.1
    if probe is DELAY:  # after the right first action, one, two and no steps before the reward
        return bool(np.abs([values[0, 1] - 0.25, values[2].max() - 0.5, values[4].max() - 1.0]).max() > 0.15)
    return False


class Broken(DQNTraining):
    """A training whose batches are spoiled before the learner sees them."""

    def __init__(self, *args, **kwargs) -> None:  # type: ignore[no-untyped-def]
        super().__init__(*args, **kwargs)
        sample = self.replay.sample
        self.replay.sample = lambda *a: self.spoil(sample(*a))  # type: ignore[method-assign]

    def spoil(self, batch: Batch) -> Batch:
        raise NotImplementedError


class BootstrapsAtTheEnd(Broken):
    def spoil(self, batch: Batch) -> Batch:
        return replace(batch, discounts=np.full_like(batch.discounts, self.config.gamma))


class ForgetsToDiscount(Broken):
    def spoil(self, batch: Batch) -> Batch:
        return replace(batch, discounts=np.sign(batch.discounts))


class NeverBootstraps(Broken):
    def spoil(self, batch: Batch) -> Batch:
        return replace(batch, discounts=np.zeros_like(batch.discounts))


class SeesOnlyThePast(Broken):
    """Off by one: the observation before, with the action of now."""

    def spoil(self, batch: Batch) -> Batch:
        return replace(batch, features=np.roll(batch.features, 1, axis=0))


class RewardsTheWrongAction(Broken):
    def spoil(self, batch: Batch) -> Batch:
        return replace(batch, actions=np.roll(batch.actions, 1))


BUGS = (BootstrapsAtTheEnd, ForgetsToDiscount, NeverBootstraps, SeesOnlyThePast, RewardsTheWrongAction)


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.parametrize("name", ["plain", "quantile"])
def test_a_learner_with_a_bug_fails_a_probe(bug: type[DQNTraining], name: str) -> None:
    runs = {probe: run_probe(probe, VARIANTS[name], 0, bug) for probe in (CONSTANT, OBSERVATION, DELAY, SLOT)}
    assert any(not run.solves(probe) or wrong_values(probe, run.values) for probe, run in runs.items())


def test_targets_that_ignore_masks_believe_in_what_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """An action that is never allowed keeps the value it was born with; bootstrapping from it shows."""

    def value_after_the_right_action() -> float:
        return float(run_probe(DELAY, PLAIN, 0, OneActionForbidden).values[2, 1])

    assert value_after_the_right_action() == pytest.approx(0.5, abs=0.15)
    targets = DQN.targets
    monkeypatch.setattr(
        DQN, "targets", lambda self, b: targets(self, replace(b, next_masks=np.ones_like(b.next_masks)))
    )
    assert value_after_the_right_action() > 1.0


class OneActionForbidden(DQNTraining):
    """From the second step on action 0 is forbidden, and the network is born believing that it is wonderful."""

    def __init__(self, env, config, evaluate) -> None:  # type: ignore[no-untyped-def]
        allowed = env.action_masks

        def masks() -> np.ndarray:
            mask: np.ndarray = allowed()
            mask[env._time > 0, 0] = False
            return mask

        env.action_masks = masks
        super().__init__(env, config, evaluate)
        with torch.no_grad():
            for network in (self.learner.network, self.learner.target):
                network.advantage.bias[0] = 5.0


def test_the_optimum_of_masked_needs_the_mask() -> None:
    assert run_probe(MASKED, PLAIN, 0).reward == pytest.approx(0.5)


def test_the_command_reports_each_probe_and_refuses_unknown_variants() -> None:
    done = CliRunner().invoke(app, ["benchmark", "probes", "--seeds", "1", "--variant", "plain", "--json"])
    rows = json.loads(done.stdout)["probes"]
    assert [row["probe"] for row in rows] == [probe.name for probe in PROBES]
    assert all(row["solved"] == 1 and row["variant"] == "plain" for row in rows)
    failed = CliRunner().invoke(app, ["benchmark", "probes", "--variant", "magic"])
    assert failed.exit_code != 0
    assert "there are plain, double+dueling" in str(failed.exception)
