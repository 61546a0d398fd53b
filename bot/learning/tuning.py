"""Thresholds of the rule policy, tuned in the assistant's simulation: trials on disk, and a check on fresh users."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.errors import CommandError
from memory.ontology import Ontology
from policies.thresholds import RULE_BOX, Acquisition, ThresholdTuner, Trial, default_setting, rule_policy
from simulator.evaluate import bootstrap, play
from simulator.goal import Task
from simulator.noise import ErrorModel
from simulator.simulation import SimulationSettings

TUNING_SEED = 404
"""Of the users every setting is tried on; the check uses others."""
CHECK_SEED = 30_000


@dataclass(frozen=True)
class Search:
    """One search: how many trials of how many dialogues in each context (semantic error rate)."""

    rates: tuple[float, ...]
    trials: int = 30
    dialogues: int = 1000
    margin: float = 0.01
    acquisition: Acquisition = "ucb"
    seed: int = 0


class TrialLog:
    """Trials as JSON lines, each synced when it is done; the first line says which search they belong to.

    CommandError when the file belongs to another search or a line can't be read. A last line that a crash cut short
    is dropped.
    """

    def __init__(self, path: Path, search: Mapping[str, Any]) -> None:
        self.path = path
        self.trials: list[Trial] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        if not whole:
            path.write_text(json.dumps(search) + "\n", encoding="utf-8")
            return
        if whole != text:
            path.write_text(whole, encoding="utf-8")
        for number, line in enumerate(whole.splitlines(), start=1):
            self._read(number, line, search)

    def _read(self, number: int, line: str, search: Mapping[str, Any]) -> None:
        try:
            row = json.loads(line)
            if number > 1:
                self.trials.append(Trial.from_json(row))
                return
        except (ValueError, TypeError, KeyError) as error:
            raise CommandError(f"{self.path}:{number}: not a trial ({error}): correct it or delete the file") from None
        different = [key for key in search if row.get(key) != json.loads(json.dumps(search[key]))]
        if different:
            raise CommandError(
                f"{self.path}:1: trials of another search ({', '.join(different)} differ): give another --trials-file"
            )

    def append(self, trial: Trial) -> None:
        """Keep one more trial, durably."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(trial)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.trials.append(trial)


def header(ontology: Ontology, search: Search, max_turns: int) -> dict[str, Any]:
    """What two searches must share for their trials to be comparable; the number of trials may grow."""
    same = {name: value for name, value in asdict(search).items() if name != "trials"}
    return {**same, "max_turns": max_turns, "ontology": ontology.fingerprint, "box": asdict(RULE_BOX)}


def run(
    ontology: Ontology,
    task: Task,
    search: Search,
    log: TrialLog,
    *,
    max_turns: int,
    advance: Callable[[], None] = lambda: None,
) -> dict[float, Trial]:
    """Search until each context has ``search.trials`` trials; returns each context's best. All trials so far count."""
    low, high = min(search.rates), max(search.rates)
    tuner = ThresholdTuner(
        RULE_BOX, default_setting(), (low, high if high > low else low + 1),
        acquisition=search.acquisition, margin=search.margin, seed=search.seed,
    )  # fmt: skip
    for done in range(len(log.trials), search.trials * len(search.rates)):
        rate = search.rates[done % len(search.rates)]
        setting = tuner.propose(rate, log.trials)
        log.append(try_setting(ontology, task, rate, setting, search.dialogues, max_turns=max_turns))
        advance()
    return {rate: tuner.best(rate, log.trials) for rate in search.rates}


def try_setting(
    ontology: Ontology, task: Task, rate: float, setting: Sequence[float], dialogues: int, *, max_turns: int
) -> Trial:
    """Play the rule policy at ``setting`` with the same users for every setting."""
    reward, success = _outcomes(ontology, task, rate, setting, dialogues, TUNING_SEED, max_turns)
    root = np.sqrt(dialogues)
    # with no failure among n the error is not 0: one more of each outcome gives its order of magnitude (Laplace)
    share = (success.sum() + 1) / (dialogues + 2)
    return Trial(
        rate, tuple(setting), float(reward.mean()), float(reward.std() / root),
        float(success.mean()), float(np.sqrt(share * (1 - share)) / root),
    )  # fmt: skip


def check(
    ontology: Ontology,
    task: Task,
    best: Mapping[float, Trial],
    dialogues: int,
    seeds: int,
    *,
    max_turns: int,
    advance: Callable[[], None] = lambda: None,
) -> list[dict[str, Any]]:
    """Tuned against default setting on users that the search never saw, the same for both.

    Per context: means with 95 % intervals (bootstrap over seeds and dialogues) of both and of their difference.
    """
    rows = []
    for rate, trial in best.items():
        played: dict[str, list[tuple[Any, Any]]] = {"default": [], "tuned": []}
        for seed in range(seeds):
            for name, setting in (("default", default_setting()), ("tuned", trial.setting)):
                played[name].append(_outcomes(ontology, task, rate, setting, dialogues, CHECK_SEED + seed, max_turns))
            advance()
        row: dict[str, Any] = {"error_rate": rate, "setting": dict(zip(RULE_BOX.names, trial.setting, strict=True))}
        for position, metric in enumerate(("reward", "success")):
            samples = {name: np.stack([part[position] for part in parts]) for name, parts in played.items()}
            samples["difference"] = samples["tuned"] - samples["default"]
            row[metric] = {name: asdict(bootstrap(values)) for name, values in samples.items()}
        rows.append(row)
    return rows


def _outcomes(
    ontology: Ontology, task: Task, rate: float, setting: Sequence[float], dialogues: int, seed: int, max_turns: int
) -> tuple[Any, Any]:
    policy = rule_policy(ontology, dict(zip(RULE_BOX.names, setting, strict=True)))
    settings = SimulationSettings(
        task, errors=(ErrorModel.at(rate),), max_turns=max_turns, thresholds=policy.space.thresholds
    )
    played = play(policy, ontology, settings, dialogues, seed)
    return played.reward[0], played.success[0]


def plot(trials: Sequence[Trial], rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Two panels as PNG: reward of the trials in order, and what tuning gained on fresh users."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    search, gain = figure.subplots(1, 2)
    for row in rows:
        rate = row["error_rate"]
        rewards = [trial.reward for trial in trials if trial.context == rate]
        line = search.plot(rewards, ".", alpha=0.4, label=f"errors {rate:.0%}")[0]
        search.plot(np.maximum.accumulate(rewards), color=line.get_color())
        d = row["reward"]["difference"]
        gain.errorbar(f"{rate:.0%}", d["mean"], [[d["mean"] - d["low"]], [d["high"] - d["mean"]]], fmt="o", capsize=4)
    search.set(xlabel="trial", ylabel="mean reward (line: best so far)")
    search.legend()
    gain.axhline(0, color="grey", linestyle="--")
    gain.set(xlabel="semantic error rate", ylabel="reward gained on fresh users, 95 %")
    figure.savefig(path, dpi=120)
