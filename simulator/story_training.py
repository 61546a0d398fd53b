"""A story policy from scripts to the exported model: imitation, reinforcement with fitted users, calibration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from policies.stories.ensemble import FALLBACK
from policies.stories.featurizer import MAX_HISTORY
from policies.stories.rules import RulePolicy
from policies.stories.scripts import Script
from policies.stories.served import ServedStoryPolicy, save_story_policy
from policies.stories.state import History, StoryPolicy
from simulator.story_dialogue import StoryDialogue, StorySettings
from simulator.story_env import StoryEnv, StoryEnvs, score
from simulator.story_user import StoryUsers

if TYPE_CHECKING:
    from policies.stories.training import StoryLearner


StoryProgress = Callable[[str, float], None]
"""Told the stage and the share of it that is done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class StoryRun:
    """What is trained: ``imitation_updates`` or more, then ``updates`` of the reinforcement in ``num_envs`` dialogues.

    ``dialogues`` with new users judge the result, in which a probability under ``threshold`` leads to the fallback
    (Rasa's core_fallback_threshold).
    """

    max_history: int = MAX_HISTORY
    augmentation: int = 10
    seed: int = 0
    imitation_updates: int = 900
    num_envs: int = 16
    updates: int = 40
    dialogues: int = 200
    threshold: float = 0.3
    users: StorySettings = field(default_factory=StorySettings)

    @property
    def judging_seed(self) -> int:
        """Of the users who judge: not those of the training."""
        return int(np.random.SeedSequence([self.seed, 7]).generate_state(1)[0])


def train_story_policy(
    scripts: Sequence[Script],
    folder: Path,
    run: StoryRun,
    *,
    rules: RulePolicy | None = None,
    project: str = "",
    progress: StoryProgress | None = None,
) -> dict[str, Any]:
    """Train, write the model to ``folder`` and report; ``rules`` decide first, in training as in serving.

    The report: counts of scripts, examples and actions, ``accuracy`` on the stories' own examples, ``temperature``,
    and with fitted users ``success`` and ``digressing`` (null: nobody digressed) of ``imitation`` and ``reinforced``;
    neither where rules alone decide everything.
    Ctrl-C ends the stage under way with what it reached: ``interrupted``.
    ValueError when there is nothing to imitate.
    """
    users = practice_users(scripts, run, rules)
    learned = learn_story_policy(scripts, users, run, rules=rules, progress=progress)
    learner = learned.final
    examples = [example for script in scripts for example in script.examples(run.max_history)]
    report: dict[str, Any] = {
        "scripts": len(scripts), "examples": len(examples), "actions": len(learner.actions),
        "seed": run.seed, "max_history": run.max_history, "accuracy": round(learner.accuracy(examples), 4),
        "temperature": learned.temperature, "interrupted": learner.interrupted,
    }  # fmt: skip
    save_story_policy(learner.network, learner.featurizer, learner.actions, folder, project=project, training=report)
    served = ServedStoryPolicy.load(folder)
    if users is not None:
        report["imitation"] = judged(learned.imitation, users, run, rules)
        report["reinforced"] = judged(served, users, run, rules) if learned.temperature is not None else None
    return report


@dataclass(frozen=True)
class LearnedStories:
    """What imitation gave and what reinforcement and calibration made of it (the same thing without users)."""

    imitation: StoryLearner
    final: StoryLearner
    temperature: float | None


def learn_story_policy(
    scripts: Sequence[Script],
    users: StoryUsers | None,
    run: StoryRun,
    *,
    rules: RulePolicy | None = None,
    progress: StoryProgress | None = None,
) -> LearnedStories:
    """Imitate ``scripts``, then practise with ``users``, if there are any; ValueError without anything to imitate."""
    from policies.stories.training import StoryTraining, imitate

    shown = progress or (lambda stage, share: None)
    settings = StoryTraining(
        max_history=run.max_history, augmentation=run.augmentation, updates=run.imitation_updates, seed=run.seed
    )
    imitation, batches = imitate(scripts, settings, lambda share: shown("imitation", share))
    if users is None or imitation.interrupted:
        return LearnedStories(imitation, imitation, None)
    from policies.stories.reinforcement import StoryPPO, calibrate, improve

    envs = StoryEnvs(
        lambda: StoryEnv(users, imitation.featurizer, imitation.actions, run.users, rules), run.num_envs
    )  # fmt: skip
    ppo = StoryPPO(updates=run.updates, seed=run.seed)
    final = improve(imitation, batches, envs, ppo, lambda share: shown("reinforcement", share))
    return LearnedStories(imitation, final, round(calibrate(final, batches, envs, envs.expected, run.seed), 3))


def decide(policy: StoryPolicy, threshold: float) -> Callable[[History], str]:
    """The most probable action of ``policy``; the fallback where it is less sure than ``threshold`` or abstains."""

    def act(history: History) -> str:
        action, confidence = policy.predict(history).best
        return action if action is not None and confidence >= threshold else FALLBACK

    return act


def practice_users(scripts: Sequence[Script], run: StoryRun, rules: RulePolicy | None) -> StoryUsers | None:
    """Whom to practise with; None where rules alone play all dialogues, or no script has a user."""
    try:
        users = StoryUsers(scripts)
    except ValueError:
        return None
    rng = np.random.default_rng(run.seed)
    left = any(not StoryDialogue(users, run.users, rng, rules).over for _ in range(50))
    return users if left else None


def judged(policy: StoryPolicy, users: StoryUsers, run: StoryRun, rules: RulePolicy | None) -> dict[str, float | None]:
    """Shares of success with ``run.dialogues`` users who are not those of the training, and wrong actions a dialogue.

    ``digressing`` counts the dialogues in which the user left the goal; None when nobody did.
    """
    found = score(decide(policy, run.threshold), users, run.users, run.dialogues, run.judging_seed, rules)
    digressing = None if np.isnan(found.digressing) else round(found.digressing, 4)
    return {"success": round(found.success, 4), "digressing": digressing, "wrong_actions": round(found.wrong, 4)}
