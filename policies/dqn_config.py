"""The settings of a DQN run, checked when they are made (numpy only)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from policies.exploration import Boltzmann, EpsilonGreedy, Explorer, Greedy, Schedule, Thompson, UpperConfidence
from policies.prioritized import PrioritizedReplay
from policies.replay import NStepReplay

Exploration = Literal["epsilon", "boltzmann", "ucb", "thompson", "noisy"]


class DQNConfigError(ValueError):
    """Settings that are out of range or contradict each other; the message names them and says what to change."""


@dataclass(frozen=True, slots=True)
class DQNConfig:
    """Everything a run depends on; two runs with equal settings give equal weights on one machine.

    ``steps`` of ``num_envs`` parallel environments, the first ``spike_steps`` of them acted by the teacher, then
    ``pretrain_updates`` gradient steps that imitate it with ``margin`` (0: only learn from it), from then on
    ``updates_per_step`` each step. ``reward_scale`` multiplies rewards inside the learner. The learning rate falls
    linearly to ``learning_rate_end``. ``tau`` moves the target network at each update. The greedy policy is evaluated
    every ``evaluate_every`` steps. ``threads``: torch's; more than 1 does not pay at this size. ``device``: see
    ``policies.devices``; equal weights are promised on the CPU.

    ``double``, ``dueling``, ``n_step``, ``prioritized`` (``priority_alpha``, ``priority_beta``), ``noisy``
    (``noisy_sigma``), ``heads`` > 1 (each learns from a transition with ``head_probability``) and ``quantiles`` > 1
    combine freely. ``exploration``: "epsilon" (epsilon falls linearly from ``epsilon_start`` to ``epsilon_end`` over
    the first ``exploration_fraction`` of the steps after spiking), "boltzmann" (the same with ``temperature_*``),
    "ucb" (``ucb_bonus`` standard deviations of the heads) and "thompson" (a head per episode), which need several
    heads, or "noisy", which needs noisy layers as they need it. DQNConfigError for what makes no sense.
    """

    steps: int = 3600
    num_envs: int = 128
    spike_steps: int = 250
    pretrain_updates: int = 1000
    margin: float = field(default=0.05, metadata={"search": {"low": 0.0, "high": 0.2}})
    updates_per_step: int = field(default=3, metadata={"search": {"low": 1, "high": 6}})
    batch_size: int = 256
    capacity: int = 150_000
    hidden: tuple[int, ...] = (192, 96)
    dueling: bool = True
    double: bool = True
    n_step: int = field(default=2, metadata={"search": {"low": 1, "high": 5}})
    gamma: float = 0.99
    reward_scale: float = 0.05
    learning_rate: float = field(default=5e-4, metadata={"search": {"low": 0.0001, "high": 0.003, "log": True}})
    learning_rate_end: float = 2e-5
    tau: float = field(default=0.01, metadata={"search": {"low": 0.001, "high": 0.1, "log": True}})
    gradient_clip: float = 10.0
    exploration: Exploration = "epsilon"
    exploration_fraction: float = 0.6
    epsilon_start: float = field(default=0.05, metadata={"search": {"low": 0.0, "high": 0.3}})
    epsilon_end: float = 0.01
    temperature_start: float = 0.05
    temperature_end: float = 0.005
    ucb_bonus: float = 1.0
    prioritized: bool = False
    priority_alpha: float = 0.6
    priority_beta: float = 0.4
    noisy: bool = False
    noisy_sigma: float = 0.5
    heads: int = 1
    head_probability: float = 0.5
    quantiles: int = 1
    evaluate_every: int = 250
    seed: int = 0
    threads: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in (
            "steps", "num_envs", "updates_per_step", "batch_size", "n_step", "heads", "quantiles", "evaluate_every",
        ):  # fmt: skip
            _require(getattr(self, name) >= 1, f"{name} = {getattr(self, name)}: give at least 1")
        for name in ("gamma", "tau", "head_probability", "exploration_fraction"):
            _require(0 < getattr(self, name) <= 1, f"{name} = {getattr(self, name)}: give a number in (0, 1]")
        for name in ("epsilon_start", "epsilon_end", "priority_alpha", "priority_beta"):
            _require(0 <= getattr(self, name) <= 1, f"{name} = {getattr(self, name)}: give a number in [0, 1]")
        for name in ("reward_scale", "learning_rate", "gradient_clip", "temperature_start", "temperature_end"):
            _require(getattr(self, name) > 0, f"{name} = {getattr(self, name)}: give a number above 0")
        self._check_exploration()

    def _check_exploration(self) -> None:
        if self.exploration in ("ucb", "thompson"):
            _require(
                self.heads > 1,
                f"exploration = {self.exploration!r} with heads = {self.heads}: it compares bootstrapped heads, "
                "so give heads of 2 or more, or another exploration",
            )
        if self.noisy and self.exploration != "noisy":
            raise DQNConfigError(
                f"noisy = True with exploration = {self.exploration!r}: noisy layers already explore, "
                "so give exploration = 'noisy', or noisy = False"
            )
        if self.exploration == "noisy" and not self.noisy:
            raise DQNConfigError("exploration = 'noisy' without noisy layers never explores: give noisy = True")
        known = ("epsilon", "boltzmann", "ucb", "thompson", "noisy")
        _require(self.exploration in known, f"exploration = {self.exploration!r}: choose among {', '.join(known)}")

    def progress(self, step: int) -> float:
        """0 at the end of spiking, 1 at the end of training."""
        return min(max((step - self.spike_steps) / max(self.steps - self.spike_steps, 1), 0.0), 1.0)

    @property
    def first_update(self) -> int:
        """The environment step after which learning begins: spiking is over and the replay can be sampled."""
        return max(self.spike_steps, self.n_step + 1)

    def explorer(self) -> Explorer:
        """How training explores after spiking."""
        match self.exploration:
            case "boltzmann":
                return Boltzmann(Schedule(self.temperature_start, self.temperature_end, self.exploration_fraction))
            case "ucb":
                return UpperConfidence(self.ucb_bonus)
            case "thompson":
                return Thompson()
            case "noisy":
                return Greedy()
            case _:
                return EpsilonGreedy(Schedule(self.epsilon_start, self.epsilon_end, self.exploration_fraction))

    def replay(self, inputs: int, actions: int) -> NStepReplay:
        """An empty replay for observations of ``inputs`` numbers and ``actions`` actions."""
        if not self.prioritized:
            return NStepReplay(self.capacity, self.num_envs, inputs, actions, self.n_step, self.gamma, self.heads)
        return PrioritizedReplay(
            self.capacity, self.num_envs, inputs, actions, self.n_step, self.gamma, self.heads,
            alpha=self.priority_alpha, beta=self.priority_beta,
        )  # fmt: skip


def _require(fits: bool, problem: str) -> None:
    if not fits:
        raise DQNConfigError(problem)
