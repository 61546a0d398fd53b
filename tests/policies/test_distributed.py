"""Distributed Q-learning takes the steps of the local learner; lanes decide the result, workers and servers don't."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from policies.distributed import GradientDQN, Judge, dqn_program, first_parameters, flat, put, server_settings
from policies.distributed_plan import UpdatePlan, divisible
from policies.dqn import DQN
from policies.dqn_config import DQNConfig, DQNConfigError
from policies.optimize.parameter_server import Shard
from policies.optimize.parameter_server_files import ServerCheckpoints
from policies.optimize.parameter_server_training import Course, conduct
from policies.optimize.parameter_server_workers import LocalGroup, Sizes
from policies.record import Record
from policies.replay import Batch
from policies.train import DQNTraining, Teacher, TrainingEnv
from simulator.probes import SLOT, ProbeEnv
from tests.policies.playing import greedy_return

QUICK = DQNConfig(
    steps=120, num_envs=16, spike_steps=30, pretrain_updates=10, updates_per_step=1, batch_size=32, capacity=2000,
    hidden=(16,), gamma=SLOT.gamma, evaluate_every=40, gradient_clip=0.05, learning_rate=3e-3, n_step=1,
)  # fmt: skip
ALL = replace(QUICK, prioritized=True, heads=2, exploration="thompson", quantiles=3)
INPUTS, ACTIONS, LANES = SLOT.states, SLOT.actions, 4


def make_env(count: int) -> tuple[TrainingEnv, Teacher | None]:
    return ProbeEnv(SLOT, count), None


def group(config: DQNConfig, sizes: Sizes | None = None) -> LocalGroup:
    plan = UpdatePlan(config, LANES)
    program = dqn_program(plan, make_env, INPUTS, ACTIONS, asynchronous=False)
    return LocalGroup(program, first_parameters(plan, INPUTS, ACTIONS), server_settings(plan), sizes)


def judge(config: DQNConfig) -> Judge:
    def evaluate(network: nn.Module) -> Mapping[str, float]:
        return {"reward": greedy_return(SLOT, network)}

    network = DQN(INPUTS, ACTIONS, config).network
    return Judge(UpdatePlan(config, LANES), network, Record(network, evaluate, config.steps))


def batch(size: int, rng: np.random.Generator) -> Batch:
    draw = lambda *shape: rng.normal(size=shape).astype(np.float32)  # noqa: E731
    actions = rng.integers(ACTIONS, size=size).astype(np.int32)
    return Batch(
        draw(size, INPUTS), actions, draw(size), np.full(size, 0.9, dtype=np.float32), draw(size, INPUTS),
        rng.random((size, ACTIONS)) < 0.8, weights=rng.random(size).astype(np.float32),
    )  # fmt: skip


def test_halves_of_a_batch_and_a_server_move_the_weights_as_the_local_learner_does() -> None:
    rng = np.random.default_rng(1)
    local, plan = DQN(INPUTS, ACTIONS, QUICK), UpdatePlan(QUICK, LANES)
    worker = GradientDQN(INPUTS, ACTIONS, QUICK)
    server = Shard(flat(local.network), server_settings(plan))
    for update in range(8):
        examples = batch(32, rng)
        local.update(examples, plan.progress(100), 0.1)
        parts = []
        for half in (slice(0, 16), slice(16, 32)):
            put(worker.network, server.parameters)
            put(worker.target, server.average)
            worker.update(
                Batch(
                    examples.features[half], examples.actions[half], examples.returns[half], examples.discounts[half],
                    examples.next_features[half], examples.next_masks[half],
                    weights=None if examples.weights is None else examples.weights[half],
                ),
                margin=0.1,
            )  # fmt: skip
            parts.append((16.0, worker.gradient()))
        server.apply(update, [server.combine(update, parts)], plan.rate(100))
        np.testing.assert_allclose(server.parameters, flat(local.network), rtol=1e-4, atol=2e-6)
        np.testing.assert_allclose(server.average, flat(local.target), rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("config", [QUICK, ALL], ids=["plain", "prioritised bootstrapped quantiles"])
def test_workers_servers_and_shards_change_nothing_but_rounding(config: DQNConfig) -> None:
    one, many = group(config), group(config, Sizes(4, 3, 2))
    judges = judge(config), judge(config)
    for trained, watching in zip((one, many), judges, strict=True):
        conduct(trained, Course(40, UpdatePlan(config, LANES).rate), watching)
    np.testing.assert_allclose(one.pull().parameters, many.pull().parameters, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(one.pull().average, many.pull().average, rtol=1e-3, atol=1e-5)
    other = group(replace(config, seed=5))
    assert abs(other.pull().parameters - one.pull().parameters).max() > 1e-3


def test_a_stopped_training_goes_on_to_the_same_bits_with_its_history(tmp_path: Path) -> None:
    plan = UpdatePlan(ALL, LANES)
    course = Course(plan.updates, plan.rate)
    whole, watching = group(ALL), judge(ALL)
    conduct(whole, course, watching)
    checkpoints, calls = ServerCheckpoints(tmp_path, {}), iter([False, False, True])
    finish = conduct(group(ALL), course, judge(ALL), checkpoints, stop=lambda: next(calls))
    assert finish.interrupted
    rest, again = group(ALL), judge(ALL)
    conduct(rest, course, again, checkpoints, resume=True)
    assert (rest.pull().parameters == whole.pull().parameters).all()
    drop = lambda rows: [{k: v for k, v in row.items() if "seconds" not in k} for row in rows]  # noqa: E731
    assert drop(again.record.result.history) == drop(watching.record.result.history)
    assert len(again.record.result.history) == 3


def test_it_learns_what_the_local_learner_learns() -> None:
    config = replace(
        QUICK, steps=500, gradient_clip=10.0, updates_per_step=2, batch_size=64, hidden=(24,), tau=0.05,
        epsilon_start=0.3, learning_rate=5e-3,
    )  # fmt: skip
    plan, watching = UpdatePlan(config, LANES), judge(config)
    conduct(group(config, Sizes(2, 2, 2)), Course(plan.updates, plan.rate), watching)
    assert watching.record.result.best["reward"] == pytest.approx(SLOT.optimum, abs=0.5)


@given(st.integers(1, 4), st.integers(0, 9), st.integers(5, 30), st.integers(1, 13), st.integers(0, 7))
@settings(max_examples=40, deadline=None)
def test_the_plan_is_the_local_loops_order(per_step: int, pretrain: int, more: int, every: int, spike: int) -> None:
    config = replace(
        QUICK, steps=spike + 3 + more, updates_per_step=per_step, pretrain_updates=pretrain, evaluate_every=every,
        spike_steps=spike,
    )  # fmt: skip
    plan, step, update, evaluations = UpdatePlan(config, LANES), 0, 0, []
    while step < config.steps:  # as DQNTraining.advance
        due = pretrain if step == config.first_update else 0
        for _ in range(due + (per_step if step >= config.first_update else 0)):
            assert plan.env_steps(update) == step + 1
            assert plan.progress(update) == (0.0 if update < pretrain else config.progress(step))
            update += 1
        step += 1
        if step > config.first_update and step % every == 0:
            evaluations.append(update)
    assert plan.updates == update
    ends = [n for n in range(1, update + 1) if plan.evaluated(n)]
    assert ends == sorted({*evaluations, update})
    assert all(plan.evaluation(n) == min(e for e in (*evaluations, update) if e > n) for n in range(update))


def test_the_plan_equals_a_real_local_training() -> None:
    config = replace(QUICK, steps=60)
    trained = DQNTraining(ProbeEnv(SLOT, config.num_envs), config, lambda network: {"reward": 0.0})
    trained.run()
    assert trained.learner.updates == UpdatePlan(config, LANES).updates


def test_what_cannot_be_divided_is_named_and_raised() -> None:
    with pytest.raises(DQNConfigError, match="num_envs = 18: give a multiple of the 4 lanes"):
        UpdatePlan(replace(QUICK, num_envs=18), LANES)
    fixed = divisible(replace(QUICK, num_envs=18, batch_size=33), LANES)
    assert (fixed.num_envs, fixed.batch_size) == (20, 36)
    with pytest.raises(DQNConfigError, match="steps = 20"):
        UpdatePlan(replace(QUICK, steps=20), LANES)


def test_a_reward_that_is_not_finite_stops_the_training() -> None:
    class Broken(ProbeEnv):
        def step(self, actions, /):  # type: ignore[no-untyped-def]
            features, reward, *rest = super().step(actions)
            return features, reward * np.float32(np.nan), *rest

    plan = UpdatePlan(QUICK, LANES)
    program = dqn_program(plan, lambda count: (Broken(SLOT, count), None), INPUTS, ACTIONS, asynchronous=False)
    broken = LocalGroup(program, first_parameters(plan, INPUTS, ACTIONS), server_settings(plan))
    before = broken.pull().parameters
    with pytest.raises(FloatingPointError, match="rewards"):
        conduct(broken, Course(plan.updates, plan.rate), judge(QUICK))
    assert (broken.pull().parameters == before).all()
    assert torch.isfinite(torch.from_numpy(before)).all()
