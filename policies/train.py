"""The training loop: act in a vector environment, remember, learn, evaluate, keep the best; resumable at any step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray
from policies.curves import plot_learning_curve, plot_learning_curves
from policies.dqn import DQN
from policies.dqn_config import DQNConfig
from policies.exploration import EpsilonGreedy, Schedule
from policies.masked import check_finite
from policies.record import Evaluate, Progress, Record, TrainingResult
from policies.resume import (
    Checkpoints,
    Resumable,
    ResumeError,
    State,
    pack_json,
    pack_rng,
    part,
    prefixed,
    restore_rng,
    unpack_json,
)

__all__ = [
    "DQNTraining", "Evaluate", "Progress", "TrainingEnv", "TrainingResult", "plot_learning_curve",
    "plot_learning_curves", "train_dqn",
]  # fmt: skip


class TrainingEnv(Protocol):
    """What the loop needs of a (SAME_STEP autoreset) gymnasium vector environment with action masks."""

    num_envs: int

    def reset(self, *, seed: int | None = None) -> tuple[FloatArray, dict[str, Any]]:
        """Begin everywhere."""
        ...

    def step(self, actions: IntArray, /) -> tuple[FloatArray, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """One step everywhere."""
        ...

    def action_masks(self) -> BoolArray:
        """(num_envs, A)."""
        ...


Teacher = Callable[[], IntArray]
"""The environments' actions now, as whoever is imitated would choose them."""


class DQNTraining:
    """A training in progress: everything it depends on, and one environment step after another.

    Deterministic for a configuration, an environment and a torch version. ``state`` after any step and ``load_state``
    into a training newly made with the same arguments go on to the same bits.
    """

    def __init__(
        self, env: TrainingEnv, config: DQNConfig, evaluate: Evaluate, *, teacher: Teacher | None = None,
        progress: Progress | None = None, metrics: Path | None = None, tensorboard: Path | None = None,
    ) -> None:  # fmt: skip
        torch.set_num_threads(config.threads)
        self.env, self.config, self.teacher = env, config, teacher
        self.rng = np.random.default_rng(config.seed)
        self.bootstrap = np.random.default_rng([config.seed, 2])
        self.features, _ = env.reset(seed=config.seed)
        self.masks = env.action_masks()
        self.began = np.ones(env.num_envs, dtype=np.bool_)
        inputs, actions = self.features.shape[1], self.masks.shape[1]
        self.learner = DQN(inputs, actions, config)
        self.replay = config.replay(inputs, actions)
        self.explorer = config.explorer()
        self.record = Record(self.learner.network, evaluate, config.steps, progress, metrics, tensorboard)
        self.sums: dict[str, float] = {}
        self.step = 0

    def advance(self) -> None:
        """One step of all environments, and the updates and the evaluation that are due after it."""
        c, step = self.config, self.step
        actions = self._actions()
        following, reward, terminated, truncated, _ = self.env.step(actions)
        check_finite(self.learner.updates, rewards=reward, features=following)
        done = terminated | truncated
        heads = None
        if c.heads > 1:
            heads = self.bootstrap.random((self.env.num_envs, c.heads)) < c.head_probability
        scaled = np.float32(c.reward_scale) * reward
        self.replay.add(self.features, self.masks, actions, scaled, done, heads)
        self.features, self.masks, self.began = following, self.env.action_masks(), done
        if step == c.first_update:
            for _ in range(c.pretrain_updates):
                self._update(0.0, c.margin if self.teacher is not None else 0.0)
            self.sums.clear()
        for _ in range(c.updates_per_step if step >= c.first_update else 0):
            self._update(c.progress(step))
        self.step += 1
        if step >= c.spike_steps and self.step % c.evaluate_every == 0:
            self.evaluate()

    def evaluate(self) -> None:
        """Evaluate and write down the network as it is, with the means of the updates' figures since the last time."""
        count = max(self.sums.get("updates", 0.0), 1.0)
        names = ("loss", "gradient_norm", "value", "td_error")
        learned = {name: self.sums.get(name, 0.0) / count for name in names}
        self.sums.clear()
        self.record.take(self.step, {**learned, **self.explorer.figures(self.config.progress(self.step))})

    def run(self, checkpoints: Checkpoints | None = None) -> TrainingResult:
        """All steps that are left, written down whenever ``checkpoints`` says so; Ctrl-C returns the best so far."""
        try:
            while self.step < self.config.steps:
                self.advance()
                if checkpoints is not None and checkpoints.due(self.step):
                    checkpoints.save(self.step, asdict(self.config), self.state())
        except KeyboardInterrupt:
            self.record.result.interrupted = True
        if not self.record.result.history:
            self.evaluate()
        self.record.close()
        self.record.result.network.cpu()
        return self.record.result

    def state(self) -> State:
        """Everything that decides what happens next; ResumeError when the environment can't tell its state."""
        return {
            **prefixed("env", _resumable(self.env).state()),
            **prefixed("learner", self.learner.state()),
            **prefixed("replay", self.replay.state()),
            **prefixed("explorer", self.explorer.state()),
            **prefixed("record", self.record.state()),
            "rng": pack_rng(self.rng),
            "bootstrap": pack_rng(self.bootstrap),
            "features": self.features.copy(),
            "masks": self.masks.copy(),
            "began": self.began.copy(),
            "sums": pack_json(self.sums),
            "step": np.array(self.step),
        }

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue where ``state`` was taken; ResumeError when it does not fit this environment and configuration."""
        try:
            _resumable(self.env).load_state(part("env", state))
            for name in ("learner", "replay", "explorer", "record"):
                getattr(self, name).load_state(part(name, state))
            restore_rng(self.rng, state["rng"])
            restore_rng(self.bootstrap, state["bootstrap"])
            self.features, self.masks, self.began = (state[name].copy() for name in ("features", "masks", "began"))
            self.sums, self.step = unpack_json(state["sums"]), int(state["step"])
        except (KeyError, IndexError, RuntimeError) as error:
            raise ResumeError(f"the checkpoint does not fit this training ({error}): train without resuming") from None

    def _actions(self) -> IntArray:
        spiking = self.step < self.config.spike_steps
        if spiking and self.teacher is not None:
            return self.teacher()
        explorer = _RANDOM if spiking else self.explorer
        values = self.learner.values(self.features)
        return explorer.act(values, self.masks, self.config.progress(self.step), self.rng, self.began).actions

    def _update(self, progress: float, margin: float = 0.0) -> None:
        batch = self.replay.sample(self.config.batch_size, self.rng, progress)
        self.learner.update(batch, progress, margin)
        self.replay.reprioritise(batch, self.learner.errors)
        for name, value in (*self.learner.figures.items(), ("updates", 1.0)):
            self.sums[name] = self.sums.get(name, 0.0) + value


def train_dqn(
    env: TrainingEnv,
    config: DQNConfig,
    evaluate: Evaluate,
    *,
    teacher: Teacher | None = None,
    progress: Progress | None = None,
    metrics: Path | None = None,
    tensorboard: Path | None = None,
    checkpoints: Checkpoints | None = None,
    resume: bool = False,
) -> TrainingResult:
    """Train from scratch, or with ``resume`` from the last of the ``checkpoints`` if there is one.

    ``teacher`` gives the environments' actions during spiking (default: random allowed ones). Truncation counts as an
    end, so values are those of the game with its turn limit. Each evaluation is appended to ``metrics`` as a JSON
    line, written to the folder ``tensorboard`` and reported to ``progress``. Ctrl-C ends training early and returns
    the best network so far. ``checkpoints`` stay after the last step: clear them when the result is safe.
    FloatingPointError, naming what and at which update, as soon as a number is not finite; ResumeError for a
    checkpoint that does not belong to this training.
    """
    training = DQNTraining(
        env, config, evaluate, teacher=teacher, progress=progress, metrics=metrics, tensorboard=tensorboard
    )
    if checkpoints is not None:
        _resumable(env)
        state = checkpoints.load(asdict(config)) if resume else None
        if state is not None:
            training.load_state(state)
        else:
            checkpoints.clear()
    return training.run(checkpoints)


_RANDOM = EpsilonGreedy(Schedule(1.0, 1.0))


def _resumable(env: TrainingEnv) -> Resumable:
    if not isinstance(env, Resumable):
        raise ResumeError(
            f"{type(env).__name__} has no state() and load_state(): it can't be resumed, so train without checkpoints"
        )
    return env
