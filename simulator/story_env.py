"""Fitted story users as environments, one action of the bot a step, and how well a policy does with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from memory.ontology import BoolArray, IntArray
from memory.turn import FloatArray
from policies.stories.featurizer import StoryFeaturizer
from policies.stories.rules import RulePolicy
from policies.stories.state import History
from simulator.story_dialogue import StoryDialogue, StorySettings
from simulator.story_user import StoryUsers

MAX_STEPS = 100
"""Actions of the bot after which an episode is cut off."""
NEEDS_LOOP = frozenset({"action_deactivate_loop"})
"""Actions that are impossible while no loop is active."""


class StoryEnv(gym.Env[FloatArray, np.int64]):
    """A user with a story in mind; the bot acts, also to listen.

    Observations: (max_history * width,) features of the latest states. Actions: ``actions`` by index. Rewards: see
    ``StorySettings``; a wrong action costs. ``info["action_mask"]`` is False for what is impossible; choosing it all
    the same is a wrong action. Rules act by themselves where they are not silent.
    """

    metadata: dict[str, Any] = {"render_modes": []}

    def __init__(
        self, users: StoryUsers, featurizer: StoryFeaturizer, actions: Sequence[str],
        settings: StorySettings | None = None, rules: RulePolicy | None = None,
    ) -> None:  # fmt: skip
        self.users, self.featurizer, self.actions = users, featurizer, tuple(actions)
        self.settings, self.rules = settings or StorySettings(), rules
        self.observation_space = gym.spaces.Box(0.0, 1.0, (featurizer.size,), np.float32)
        self.action_space = gym.spaces.Discrete(len(self.actions))
        self.dialogue: StoryDialogue | None = None
        self.steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[FloatArray, dict[str, Any]]:
        """A new user speaks; dialogues that rules alone play to the end are passed over."""
        super().reset(seed=seed)
        self.steps = 0
        for _ in range(50):
            self.dialogue = StoryDialogue(self.users, self.settings, self.np_random, self.rules)
            if not self.dialogue.over:
                break
        return self._observe(), self._info()

    def step(self, action: np.int64 | int) -> tuple[FloatArray, float, bool, bool, dict[str, Any]]:
        """Gymnasium's step; ``info`` holds ``success`` and the ``expected`` action of the state left."""
        assert self.dialogue is not None, "reset first"
        self.steps += 1
        if self.dialogue.over:  # of rules alone: nothing was left to do
            return self._observe(), 0.0, True, False, self._info()
        reward = self.dialogue.act(self.actions[int(action)])
        return self._observe(), reward, self.dialogue.over, self.steps >= MAX_STEPS, self._info()

    def action_masks(self) -> BoolArray:
        """(A,) what is possible now."""
        assert self.dialogue is not None, "reset first"
        loop = self.dialogue.seen[-1].active_loop
        return np.array([loop is not None or action not in NEEDS_LOOP for action in self.actions])

    def _observe(self) -> FloatArray:
        assert self.dialogue is not None
        return self.featurizer(self.dialogue.seen).reshape(-1)

    def _info(self) -> dict[str, Any]:
        assert self.dialogue is not None
        return {"action_mask": self.action_masks(), "success": self.dialogue.success}


class StoryEnvs:
    """Several ``StoryEnv`` with autoreset in the same step: what the learners of ``policies`` train in."""

    def __init__(self, make: Callable[[], StoryEnv], num_envs: int) -> None:
        self.num_envs = num_envs
        self._envs = [make() for _ in range(num_envs)]

    def reset(self, *, seed: int | None = None) -> tuple[FloatArray, dict[str, Any]]:
        """Begin everywhere; (B, inputs)."""
        seeds = np.random.SeedSequence(seed).generate_state(self.num_envs)
        return np.stack([env.reset(seed=int(s))[0] for env, s in zip(self._envs, seeds, strict=True)]), {}

    def step(self, actions: IntArray, /) -> tuple[FloatArray, FloatArray, NDArray[Any], NDArray[Any], dict[str, Any]]:
        """One step everywhere; ``success`` (B,) tells how the episodes went that ended with it."""
        rows = [env.step(int(action)) for env, action in zip(self._envs, actions, strict=True)]
        features = [
            env.reset()[0] if terminated or truncated else row
            for env, (row, _, terminated, truncated, _) in zip(self._envs, rows, strict=True)
        ]
        reward = np.array([row[1] for row in rows], dtype=np.float32)
        terminated, truncated = np.array([row[2] for row in rows]), np.array([row[3] for row in rows])
        success = np.array([row[4]["success"] for row in rows])
        return np.stack(features), reward, terminated, truncated, {"success": success}

    def action_masks(self) -> BoolArray:
        """(B, A)."""
        return np.stack([env.action_masks() for env in self._envs])

    def expected(self) -> list[str]:
        """The action that each user's story has now."""
        return [env.dialogue.expected if env.dialogue is not None else "" for env in self._envs]


@dataclass(frozen=True, slots=True)
class StoryScore:
    """How dialogues went: shares of success over all and over those in which the user left the goal, wrong actions."""

    dialogues: int
    success: float
    digressing: float
    digressed: int
    wrong: float
    """Wrong actions in a dialogue."""


def score(
    decide: Callable[[History], str], users: StoryUsers, settings: StorySettings, dialogues: int, seed: int,
    rules: RulePolicy | None = None,
) -> StoryScore:  # fmt: skip
    """Let ``decide`` (history -> action) act in ``dialogues`` with new users; ``digressing`` is NaN when none did."""
    rng = np.random.default_rng(seed)
    success, digressed, wrong = [], [], 0
    for _ in range(dialogues):
        dialogue = StoryDialogue(users, settings, rng, rules)
        for _ in range(MAX_STEPS):
            if dialogue.over:
                break
            dialogue.act(decide(dialogue.seen))
        success.append(dialogue.success)
        digressed.append(dialogue.digressed)
        wrong += dialogue.wrong
    left = [s for s, d in zip(success, digressed, strict=True) if d]
    share = float(np.mean(left)) if left else float("nan")
    return StoryScore(dialogues, float(np.mean(success)), share, len(left), wrong / dialogues)
