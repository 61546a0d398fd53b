"""What `rejoinder tune` measures: a short training of a policy, a ranker, a story memory or the NLU, judged.

Each objective is a frozen dataclass that goes to the trials' processes and is called with a setting there; it tells
its report how good the learner is on its way, so that hopeless trials end early. All trials of a search use the same
seed and are judged on the same users, queries or stories.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bot.config import Config
from bot.errors import CommandError
from policies.optimize.trial_process import Report

if TYPE_CHECKING:
    from bot.nlu.settings import NLUTraining
    from memory.dnc.training import MemoryTraining
    from policies.dqn_config import DQNConfig
    from policies.ranking.gbt import RankerSettings

Setting = Mapping[str, Any]
DIALOGUES, EVALUATIONS = 500, 6
"""Users that judge a policy, and how often while it learns."""
FOLDS = 5


@dataclass(frozen=True)
class PolicyObjective:
    """Mean reward of the best policy of a short training, on simulated users that it did not practise with."""

    config: Config
    steps: int
    seed: int

    def settings(self) -> DQNConfig:
        """The learner's settings without a tuned one."""
        from policies.dqn_config import DQNConfig

        spike = min(DQNConfig().spike_steps, self.steps // 3)
        return DQNConfig(
            steps=self.steps, num_envs=self.config.training.num_envs, seed=self.seed, spike_steps=spike,
            evaluate_every=max((self.steps - spike) // EVALUATIONS, 1),
        )  # fmt: skip

    def __call__(self, setting: Setting, report: Report) -> float:
        """Train with ``setting`` and judge."""
        from torch import nn

        from bot.assistant import load_assistant
        from bot.task import error_model
        from bot.users import practice_users
        from policies.dqn import NetworkPolicy
        from policies.rule import RulePolicy
        from policies.train import train_dqn
        from simulator.noise import ErrorModelError
        from simulator.training import VALIDATION_SEED, mixed_errors, summarise
        from simulator.vector_env import DialogueVectorEnv

        assistant, training = load_assistant(self.config.assistant), self.config.training
        try:
            errors = mixed_errors(error_model(self.config), training.error_rates)
        except ErrorModelError:
            errors = mixed_errors(None, training.error_rates)
        simulation = practice_users(self.config, assistant).settings(errors, training.max_turns)
        learner = replace(self.settings(), **setting)
        env = DialogueVectorEnv(learner.num_envs, assistant.ontology, settings=simulation)
        rule = RulePolicy(assistant.ontology, env.simulation.space)

        def evaluate(network: nn.Module) -> Mapping[str, float]:
            policy = NetworkPolicy(network, env.featurizer)
            return summarise(policy, assistant.ontology, simulation, DIALOGUES, VALIDATION_SEED)

        result = train_dqn(
            env, learner, evaluate, teacher=lambda: rule.choose(env.simulation.belief, env.action_masks()),
            progress=lambda step, total, row: report(step, row["reward"]),
        )  # fmt: skip
        return float(result.best["reward"])


@dataclass(frozen=True)
class RankerObjective:
    """Cross-validated NDCG of a ranker on judged queries: five parts, each judged by a ranker of the others."""

    files: tuple[Path, ...]
    seed: int

    def settings(self) -> RankerSettings:
        """The ranker's settings without a tuned one; one member, since a search compares many."""
        from policies.ranking.gbt import RankerSettings

        return RankerSettings(members=1)

    def __call__(self, setting: Setting, report: Report) -> float:
        """Train five rankers with ``setting`` and judge."""
        from policies.ranking.gbt import PairwiseRanker, mean_ndcg
        from policies.ranking.letor import aligned, concatenated, read_letor

        data = concatenated(aligned([read_letor(file) for file in self.files]))
        queries = len(data.groups)
        if queries < FOLDS:
            raise CommandError(f"{queries} queries can't be divided into {FOLDS} parts: give more files")
        settings = replace(self.settings(), **setting)
        shuffled = np.random.default_rng(self.seed).permutation(queries)
        values: list[float] = []
        for fold in range(FOLDS):
            held = np.sort(shuffled[fold::FOLDS])
            rest, judged = data.queries(np.setdiff1d(np.arange(queries), held)), data.queries(held)
            ranker = PairwiseRanker.train(rest, settings, seed=self.seed)
            values.append(mean_ndcg(ranker.predict(judged.features), judged, settings.at))
            report(fold, float(np.mean(values)))
        return float(np.mean(values))


@dataclass(frozen=True)
class NLUObjective:
    """Cross-validated accuracy of the intents, on sentences as written and misspelt, with a trained NLU's encoder."""

    config: Config
    seed: int

    def settings(self) -> NLUTraining:
        """The training's settings without a tuned one."""
        from bot.nlu.settings import NLUTraining

        return NLUTraining()

    def __call__(self, setting: Setting, report: Report) -> float:
        """Train three times with ``setting`` and judge on what was held out."""
        from bot.assistant import load_assistant
        from bot.nlu.cross_validation import intent_accuracy
        from bot.nlu.encoder import Encoder

        encoder = Encoder(self.config.model_dir / "nlu" / "encoder")
        learner = replace(self.settings(), **setting)
        return intent_accuracy(load_assistant(self.config.assistant), encoder, learner, self.seed, report)


@dataclass(frozen=True)
class MemoryObjective:
    """Share of wrong answers of a story memory after a short training, on stories held out."""

    tasks: tuple[int, ...]
    data: Path | None
    steps: int
    seed: int
    stories: int = 400

    def settings(self) -> MemoryTraining:
        """The learner's settings without a tuned one."""
        from memory.dnc.training import MemoryTraining

        return MemoryTraining(steps=self.steps, seed=self.seed)

    def __call__(self, setting: Setting, report: Report) -> float:
        """Train with ``setting`` and judge."""
        import torch

        from bot.memory_training import MemoryRun, load
        from memory.dnc.story_model import StoryModel
        from memory.dnc.training import EVERY, StoryTraining, evaluate

        torch.set_num_threads(1)
        torch.manual_seed(self.seed)
        training = replace(self.settings(), **setting)
        material = load(MemoryRun(self.tasks, self.data, 0, Path("unused"), training))
        learner = StoryTraining(StoryModel(material.settings), material.stories, training)
        judging = material.judging[: self.stories]
        while not learner.finished:
            learner.advance()
            if learner.progress.step % (2 * EVERY) == 0 and not learner.finished:
                report(learner.progress.step, float(np.mean(list(evaluate(learner.model, judging).values()))))
        return float(np.mean(list(evaluate(learner.model, judging).values())))
