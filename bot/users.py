"""Which simulated people an assistant's policy practises with: the hand-set ones, or fitted and learned ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.assistant import Assistant
from bot.config import Config
from bot.errors import CommandError
from bot.task import task_of
from simulator.goal import Task
from simulator.noise import ErrorModel
from simulator.simulation import SimulationSettings
from simulator.user_parameters import UserParameters
from simulator.users.factory import AGENDA
from simulator.users.fitted import FittedUser

NETWORK = "neural"
"""Where a folder of ``rejoinder train user`` keeps its learned user."""


@dataclass(frozen=True)
class UserModel:
    """One kind of simulated user: what they want, how they talk, and who drives them (see SimulationSettings)."""

    name: str
    task: Task
    parameters: UserParameters | None = None
    user: str = AGENDA

    def settings(self, errors: Sequence[ErrorModel], max_turns: int) -> SimulationSettings:
        """The simulation with these users."""
        return SimulationSettings(self.task, self.parameters, errors=tuple(errors), max_turns=max_turns, user=self.user)


def user_models(assistant: Assistant, folders: Sequence[Path]) -> list[UserModel]:
    """The hand-set agenda, then a fitted and, where there is one, a learned user for each of ``folders``.

    FittedUserError for a folder without a fitted user, CommandError when two folders have one name.
    """
    base = task_of(assistant)
    models = [UserModel("hand-set", base)]
    for folder in folders:
        fitted = FittedUser.load(folder)
        task = fitted.task(assistant.ontology, base)
        models.append(UserModel(f"{folder.name} agenda", task, fitted.parameters))
        if (folder / NETWORK).is_dir():
            models.append(UserModel(f"{folder.name} learned", task, fitted.parameters, str(folder / NETWORK)))
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        raise CommandError("two folders of users have the same name: rename one, or give each once")
    return models


def practice_users(config: Config, assistant: Assistant) -> UserModel:
    """The people that ``training.users`` and ``training.user_model`` name; CommandError when they are not there."""
    folder, kind = config.training.users, config.training.user_model
    if folder is None:
        return user_models(assistant, [])[0]
    for model in user_models(assistant, [folder]):
        if model.name == f"{folder.name} {kind}":
            return model
    raise CommandError(f"{folder}: has no {kind} user: run `rejoinder train user --model neural` for it")
