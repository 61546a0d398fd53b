"""Which update of a DQN run belongs to which environment step, and how its environments are divided (numpy only)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from policies.dqn_config import DQNConfig, DQNConfigError

LANES = 8
"""Parts of the environments, however many workers there are (up to as many): the result doesn't depend on these."""


@dataclass(frozen=True, slots=True)
class UpdatePlan:
    """The updates of a run in order; ``lanes`` divide its environments, its replay and every batch evenly.

    DQNConfigError where they can't, or where the run is too short for an update.
    """

    config: DQNConfig
    lanes: int = LANES

    def __post_init__(self) -> None:
        c = self.config
        for name in ("num_envs", "batch_size"):
            if getattr(c, name) % self.lanes:
                raise DQNConfigError(f"{name} = {getattr(c, name)}: give a multiple of the {self.lanes} lanes")
        if c.steps <= c.first_update:
            raise DQNConfigError(f"steps = {c.steps}: learning begins after step {c.first_update}, so give more")

    @property
    def updates(self) -> int:
        """All of them."""
        c = self.config
        return c.pretrain_updates + c.updates_per_step * (c.steps - c.first_update)

    def env_steps(self, update: int) -> int:
        """How many environment steps are done before update ``update`` (from 0)."""
        return self.config.first_update + 1 + self._later(update) // self.config.updates_per_step

    def progress(self, update: int) -> float:
        """See ``DQNConfig.progress``."""
        return 0.0 if update < self.config.pretrain_updates else self.config.progress(self.env_steps(update) - 1)

    def rate(self, update: int) -> float:
        """The learning rate."""
        c = self.config
        return c.learning_rate + self.progress(update) * (c.learning_rate_end - c.learning_rate)

    def evaluation(self, update: int) -> int:
        """The first number of updates above ``update`` after which the network is evaluated, or all updates."""
        c = self.config
        done = 0 if update < c.pretrain_updates else (update - c.pretrain_updates) // c.updates_per_step
        steps = (c.first_update + done) // c.evaluate_every * c.evaluate_every + c.evaluate_every
        following = c.pretrain_updates + c.updates_per_step * (steps - c.first_update)
        return min(following, self.updates)

    def evaluated(self, update: int) -> bool:
        """Whether the network is evaluated after ``update`` updates: at the last of them it always is."""
        return update == self.updates or (update > 0 and self.evaluation(update - 1) == update)

    def _later(self, update: int) -> int:
        return max(update - self.config.pretrain_updates, 0)


def divisible(config: DQNConfig, lanes: int) -> DQNConfig:
    """``config`` with environments and batch size raised to multiples of ``lanes``."""
    up = {name: -(-getattr(config, name) // lanes) * lanes for name in ("num_envs", "batch_size")}
    return replace(config, **up)
