"""B dialogues between simulated users and a system that is told which action to take: the core of every environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeVar

import numpy as np

from memory.belief import BeliefState, observe_system, observe_user
from memory.ontology import BoolArray, IntArray, Ontology
from memory.turn import FloatArray, SystemTurn
from policies.actions import ActionSpace, MaskThresholds
from simulator.channel import NoiseChannel
from simulator.goal import Task
from simulator.noise import ErrorModel
from simulator.random import RowRandom
from simulator.reward import Reward
from simulator.user_parameters import UserParameters
from simulator.user_turn import Told, UserTurn
from simulator.users.factory import AGENDA, build_users

MAX_TURNS = 25


@dataclass(frozen=True)
class SimulationSettings:
    """What an experiment fixes: the task, the people, how badly they are heard, and the rules of the game.

    ``user``: "agenda", or the folder of a learned user (``simulator.users``); ``users`` are the numbers of either.
    ``errors``: each dialogue draws one of these models. ``ends_on_bye``: the user's goodbye ends a dialogue at once
    (as in PyDial) instead of waiting for the system's answer.
    """

    task: Task
    users: UserParameters | None = None
    errors: tuple[ErrorModel, ...] = field(default_factory=lambda: (ErrorModel.none(),))
    reward: Reward = field(default_factory=Reward)
    max_turns: int = MAX_TURNS
    thresholds: MaskThresholds = field(default_factory=MaskThresholds)
    ends_on_bye: bool = False
    user: str = AGENDA


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What one system turn led to, each (B,): the reward, how a dialogue ended, and whether its goal is fulfilled."""

    reward: FloatArray
    terminated: BoolArray
    truncated: BoolArray
    fulfilled: BoolArray

    @property
    def done(self) -> BoolArray:
        """(B,) ended either way."""
        return self.terminated | self.truncated


class DialogueSimulation:
    """``reset`` rows, then ``step`` actions; between the two, ``belief`` is what the policy may look at.

    Rows never influence each other: equal seeds give equal dialogues whatever the batch.
    """

    remembered: ClassVar[tuple[str, ...]] = ("users", "_noise_random", "model", "belief", "user_turn")

    def __init__(self, ontology: Ontology, settings: SimulationSettings, seeds: Sequence[int]) -> None:
        self.ontology = ontology
        self.settings = settings
        self.space = ActionSpace(ontology, settings.thresholds)
        self.users = build_users(ontology, settings.task, seeds, settings.users, settings.user)
        self._noise_random = RowRandom([_second(seed) for seed in seeds])
        self.channel = NoiseChannel(ontology, settings.errors, settings.task.open_values, self._noise_random)
        self.model: IntArray = np.zeros(len(seeds), dtype=np.int32)
        self.belief = BeliefState.initial(ontology, len(seeds))
        self.user_turn = UserTurn.empty(ontology, len(seeds))
        self.reset(np.arange(len(seeds), dtype=np.int32))

    @property
    def batch(self) -> int:
        """B."""
        return self.belief.batch

    def seed(self, rows: IntArray, seeds: Sequence[int]) -> None:
        """Restart the randomness of ``rows``; takes effect at their next reset."""
        self.users.random.seed(rows, seeds)
        self._noise_random.seed(rows, [_second(seed) for seed in seeds])

    def reset(self, rows: IntArray) -> None:
        """Begin new dialogues in ``rows``: the new users open them and are heard."""
        if not len(rows):
            return
        self.users.reset(rows)
        self.model[rows] = self.channel.assign(rows)
        self.user_turn = self.users.open(rows)
        evidence = self.channel.hear(self.user_turn.take(rows), self.model[rows], rows)
        fresh = BeliefState.initial(self.ontology, len(rows))
        self.belief = scatter(self.belief, rows, observe_user(self.ontology, fresh, evidence))

    def masks(self) -> BoolArray:
        """(B, A) the actions that make sense now."""
        return self.space.masks(self.belief)

    def step(self, actions: IntArray) -> StepOutcome:
        """Take the system turns that ``actions`` (B,) mean and let users answer; ended dialogues await ``reset``."""
        system = self.space.ground(self.belief, actions)
        told = Told.of(self.space.matcher, self.belief)
        self.user_turn = self.users.react(system, told)
        evidence = self.channel.hear(self.user_turn, self.model)
        self.belief = observe_user(self.ontology, observe_system(self.ontology, self.belief, system), evidence)
        return self.outcome()

    def outcome(self) -> StepOutcome:
        """Judge the turn just taken (``belief.turn`` counts the user's turns, the opening one included)."""
        terminated = self.users.state.hung_up.copy()
        if self.settings.ends_on_bye:
            terminated |= self.users.state.goodbyes > 0
        truncated = ~terminated & (self.belief.turn > self.settings.max_turns)
        fulfilled = self.users.fulfilled()
        return StepOutcome(self.settings.reward(terminated | truncated, fulfilled), terminated, truncated, fulfilled)


def _second(seed: int) -> int:
    """A seed for the noise that shares nothing with the user's."""
    return (seed ^ 0x5851F42D4C957F2D) & 0xFFFFFFFFFFFFFFFF


_Arrays = TypeVar("_Arrays", BeliefState, SystemTurn)


def scatter(state: _Arrays, rows: IntArray, part: _Arrays) -> _Arrays:
    """A copy of ``state`` whose ``rows`` are those of ``part`` (len(rows))."""
    merged: dict[str, Any] = {}
    for f in fields(state):
        old, new = getattr(state, f.name), getattr(part, f.name)
        if isinstance(old, SystemTurn):
            merged[f.name] = scatter(old, rows, new)
        else:
            merged[f.name] = old.copy()
            merged[f.name][rows] = new
    return type(state)(**merged)
