"""What the simulator needs to know of an assistant: its task's priors and its NLU's measured errors."""

from __future__ import annotations

from bot.assistant import Assistant
from bot.config import Config
from simulator.goal import Task
from simulator.noise import ErrorModel


def task_of(assistant: Assistant) -> Task:
    """The simulated users' task, from the assistant's task.yml."""
    task = assistant.task
    return Task(task.constraint_priors, booking_prior=task.booking_prior, requestable=task.requestable)


def error_model(config: Config) -> ErrorModel:
    """The error model measured from this assistant's NLU; ErrorModelError when it was not measured yet."""
    return ErrorModel.from_json(config.model_dir / "nlu" / "error_model.json")
