"""``rejoinder benchmark stories``: memory, imitation and reinforcement on users who leave the stories."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bot.commands.benchmark_probes import counted
from bot.errors import CommandError
from bot.machine import machine
from bot.rasa.project import RasaProject, Story
from bot.rasa.reading.loading import load_project
from bot.rasa.story_policies import story_ensemble
from bot.rasa.training import story_run, story_scripts
from bot.report import print_json, print_table
from policies.stories.ensemble import Situation
from policies.stories.state import History, StoryPolicy

if TYPE_CHECKING:
    from simulator.story_env import StoryScore
    from simulator.story_training import StoryRun

POLICIES = ("memory", "memory that forgets", "imitation", "imitation and RL", "as served")
"""All after the rules: Rasa's MemoizationPolicy; its augmented variant; the network alone; memory, then the network."""
FIGURES = ("success", "digressing", "wrong")


@dataclass(frozen=True, slots=True)
class StoryBenchmark:
    """What is compared: ``seeds`` trainings for each project, each judged by ``dialogues`` new users.

    ``held_out``: instead, each story in turn is kept from a training (and from the rules' and memory's stories), and
    judges it as it is written.
    """

    projects: tuple[Path, ...]
    seeds: int = 5
    dialogues: int = 500
    held_out: bool = False


def stories(plan: StoryBenchmark, *, as_json: bool) -> None:
    """Compare and report; CommandError where torch is missing or a project has nobody to practise with.

    JSON: ``projects`` (rows of project, policy, and mean and 95 % interval over the seeds of ``success``,
    ``digressing``, ``wrong``), ``seconds`` of a training, ``machine``.
    """
    try:
        import torch  # noqa: F401
    except ImportError:
        raise CommandError("this benchmark trains policies: run `make setup`, or install rejoinder[train]") from None
    rows: list[dict[str, Any]] = []
    started = time.monotonic()
    projects = [load_project(path) for path in plan.projects]
    trainings = plan.seeds * sum(len(_written(project)) if plan.held_out else 1 for project in projects)
    with counted("trainings", trainings, hidden=as_json) as advance:
        for project in projects:
            rows += (_held_out if plan.held_out else _project)(project, plan, advance)
    report = {
        "seeds": plan.seeds, "held_out": plan.held_out, "dialogues": plan.dialogues, "projects": rows,
        "machine": machine(1), "seconds": round((time.monotonic() - started) / trainings, 1),
    }  # fmt: skip
    if as_json:
        print_json(report)
        return
    columns = ["project", "policy", "success %", "where users digressed %", "wrong actions a dialogue"]
    shown = [
        [row["project"], row["policy"], *(_interval(row, name, 1 if name == "wrong" else 100) for name in FIGURES)]
        for row in rows
    ]
    who = "stories that were held out" if plan.held_out else "fitted users"
    print_table(f"{who}, {plan.seeds} seeds, mean (95 % interval)", columns, shown)


Deciding = Mapping[str, Callable[[History], str]]
"""What each of ``POLICIES`` does."""


def _project(project: RasaProject, plan: StoryBenchmark, advance: Callable[[], None]) -> list[dict[str, Any]]:
    """Rows of the fitted users."""
    from simulator.story_env import score
    from simulator.story_training import practice_users

    scripts, rules = story_scripts(project), story_ensemble(project).rules
    scores: dict[str, list[StoryScore]] = {name: [] for name in POLICIES}
    for seed in range(plan.seeds):
        run = replace(story_run(project, seed), dialogues=plan.dialogues)
        users = practice_users(scripts, run, rules) if scripts else None
        if users is None:
            raise CommandError(f"{project.path}: rules alone decide everything here: there is nothing to compare")
        for name, act in _trained(project, run).items():
            scores[name].append(score(act, users, run.users, run.dialogues, run.judging_seed, rules))
        advance()
    return [{"project": project.path.name, "policy": name, **_figures(found)} for name, found in scores.items()]


def _held_out(project: RasaProject, plan: StoryBenchmark, advance: Callable[[], None]) -> list[dict[str, Any]]:
    """Rows of the stories that were held out; the intervals are over stories and seeds."""
    from simulator.story_dialogue import StorySettings
    from simulator.story_env import score
    from simulator.story_user import StoryUsers

    told = StorySettings(digressing=0.0)
    scores: dict[str, list[StoryScore]] = {name: [] for name in POLICIES}
    for held in _written(project):
        rest = replace(project, stories=tuple(story for story in project.stories if (story.file, story.line) != held))
        mine = replace(project, stories=tuple(s for s in project.stories if s not in rest.stories), rules=())
        users, rules = StoryUsers(story_scripts(mine)), story_ensemble(rest).rules
        for seed in range(plan.seeds):
            for name, act in _trained(rest, story_run(rest, seed)).items():
                scores[name].append(score(act, users, told, len(mine.stories), seed, rules))
            advance()
    return [{"project": project.path.name, "policy": name, **_figures(found)} for name, found in scores.items()]


def _written(project: RasaProject) -> list[tuple[str, int]]:
    """Where the stories are written that a user can live through (`or` makes several of one)."""
    return list(dict.fromkeys((s.file, s.line) for s in project.stories if _is_played(project, s)))


def _is_played(project: RasaProject, story: Story) -> bool:
    (script,) = story_scripts(replace(project, stories=(story,), rules=())) or (None,)
    return script is not None and script.first_turn is not None


def _trained(project: RasaProject, run: StoryRun) -> Deciding:
    from simulator.story_training import decide, learn_story_policy, practice_users

    scripts, rules = story_scripts(project), story_ensemble(project).rules
    learned = learn_story_policy(scripts, practice_users(scripts, run, rules), run, rules=rules)
    deciding = (
        _served(project, None, restarting=False), _served(project, None), decide(learned.imitation, run.threshold),
        decide(learned.final, run.threshold), _served(project, learned.final),
    )  # fmt: skip
    return dict(zip(POLICIES, deciding, strict=True))


def _served(project: RasaProject, learned: StoryPolicy | None, *, restarting: bool = True) -> Callable[[History], str]:
    """Memory before what was learned; rules have decided already."""
    ensemble = story_ensemble(project, learned)
    ensemble.rules = None
    if not restarting:
        ensemble.restarting = None
    return lambda history: ensemble.choose(Situation(history, history)).action


def _figures(scores: Sequence[StoryScore]) -> dict[str, Any]:
    """Mean and interval (bootstrap over seeds) of each figure; None where nobody digressed."""
    found: dict[str, Any] = {}
    for name in FIGURES:
        values = np.array([getattr(score, name) for score in scores])
        values = values[~np.isnan(values)]
        if not len(values):
            found[name] = found[f"{name}_ci"] = None
            continue
        drawn = np.random.default_rng(0).integers(len(values), size=(2000, len(values)))
        low, high = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
        found[name], found[f"{name}_ci"] = round(float(values.mean()), 4), [round(float(low), 4), round(float(high), 4)]
    return found


def _interval(row: dict[str, Any], name: str, scale: float) -> str:
    if row[name] is None:
        return "nobody did"
    low, high = row[f"{name}_ci"]
    digits = 1 if scale > 1 else 2
    return f"{scale * row[name]:.{digits}f} ({scale * low:.{digits}f} to {scale * high:.{digits}f})"
