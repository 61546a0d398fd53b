"""Tuning of any settings by trials that may stop early, fail, crash or hang: optuna's journal on disk, processes.

Every trial runs in a process of its worker, so that one which kills its process or never ends costs that process and
not the search. A trial that is worse at some step than the median of the earlier ones there is given up.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial, TrialState

from policies.optimize.samplers import Method, distributions, grid_points, sampler
from policies.optimize.space import Dimension
from policies.optimize.trial_process import Bench, Objective, Setting, TrialProcess

Outcome = Literal["finished", "hopeless", "failed"]

NAME = "search"
STARTUP_TRIALS, CUT_OFF = 4, "the search was cut off"
"""Trials before any is given up."""


class TuningError(ValueError):
    """A search can't begin or found nothing; the message says why and what to do."""


@dataclass(frozen=True)
class TuningPlan:
    """How to search: ``trials`` in all, ``workers`` at once, each trial at most ``seconds``; ``maximise`` or not."""

    method: Method = "bayes"
    trials: int = 30
    workers: int = 1
    seconds: float = 3600.0
    maximise: bool = True
    seed: int = 0


@dataclass(frozen=True)
class TrialRecord:
    """One trial: ``value`` where it was finished, ``steps`` it reported, ``why`` it failed."""

    number: int
    setting: Setting
    outcome: Outcome
    value: float | None
    steps: Mapping[int, float]
    seconds: float
    why: str = ""


def tune(
    objective: Objective,
    space: Sequence[Dimension],
    default: Setting,
    plan: TuningPlan,
    journal: Path,
    about: Mapping[str, Any],
    *,
    done: Callable[[TrialRecord], None] = lambda trial: None,
    bench: Callable[[Objective], Bench] = TrialProcess,
) -> list[TrialRecord]:
    """Search until ``journal`` holds ``plan.trials`` trials, in order; those of earlier calls count.
    A grid may end sooner.

    ``default`` is the first trial, so the winner is at least as good as measured. ``about``: what must be the same for
    the trials to be comparable. ``done`` hears of each trial as it ends (from its worker's thread). ``bench``: makes
    what a worker tries settings on. Ctrl-C loses the trials under way only. TuningError when the journal belongs to
    another search or can't be read.
    """
    study = _study(journal, space, plan, about)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    finished = len([trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()])
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial({d.name: default[d.name] for d in space})
    if plan.method == "grid":
        for point in grid_points(space, plan.trials, plan.seed)[: max(plan.trials - finished, 0)]:
            study.enqueue_trial(point, skip_if_exists=True)
    turns = _Turns(plan.trials - finished)
    workers = [
        _Worker(bench(objective), space, plan, journal, turns, done, plan.seed + 1000 * finished + n)
        for n in range(min(plan.workers, max(turns.left, 0)))
    ]
    for worker in workers:
        worker.start()
    try:
        for worker in workers:
            worker.join()
    except BaseException:
        turns.left = 0
        for worker in workers:
            worker.end()
        raise
    for worker in workers:
        if worker.error is not None:
            raise worker.error
    return records(study)


def records(study: optuna.Study) -> list[TrialRecord]:
    """The finished trials of a study, in order."""
    return [_record(trial) for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]


def best(trials: Sequence[TrialRecord], *, maximise: bool) -> TrialRecord:
    """The best finished trial; TuningError, naming how they failed, where none was finished."""
    finished = [trial for trial in trials if trial.outcome == "finished"]
    if not finished:
        reasons = list(dict.fromkeys(trial.why for trial in trials if trial.why))[:3]
        raise TuningError(f"none of {len(trials)} trials was finished: {'; '.join(reasons) or 'no trials'}")
    sign = 1 if maximise else -1
    return max(finished, key=lambda trial: sign * (trial.value or 0.0))


def _study(journal: Path, space: Sequence[Dimension], plan: TuningPlan, about: Mapping[str, Any]) -> optuna.Study:
    """The study in ``journal``, made where there is none; a last line that a crash cut short is dropped."""
    journal.parent.mkdir(parents=True, exist_ok=True)
    if journal.exists():
        whole = journal.read_bytes()
        if not whole.endswith(b"\n"):
            journal.write_bytes(whole[: whole.rfind(b"\n") + 1])
    said = {"method": plan.method, "space": repr(tuple(space)), "maximise": plan.maximise, **about}
    try:
        study = optuna.create_study(
            storage=_storage(journal), study_name=NAME, load_if_exists=True,
            direction="maximize" if plan.maximise else "minimize",
        )  # fmt: skip
        before = study.user_attrs.get("about")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TuningError(f"{journal}: not the trials of a search ({error}): delete it or name another file") from None
    if before is None:
        study.set_user_attr("about", said)
    elif before != said:
        different = sorted(key for key in {*said, *before} if said.get(key) != before.get(key))
        raise TuningError(f"{journal}: trials of another search ({', '.join(different)} differ): name another file")
    return study


def _storage(journal: Path) -> optuna.storages.JournalStorage:
    from optuna.storages.journal import JournalFileBackend

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.storages.JournalStorage(JournalFileBackend(str(journal)))


def _record(trial: FrozenTrial) -> TrialRecord:
    outcomes: dict[TrialState, Outcome] = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "hopeless"}
    outcome = outcomes.get(trial.state, "failed")
    why = str(trial.user_attrs.get("why", CUT_OFF)) if outcome == "failed" else ""
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    value = trial.value if outcome == "finished" else None
    return TrialRecord(trial.number, trial.params, outcome, value, trial.intermediate_values, round(seconds, 3), why)


class _Turns:
    """How many trials are left to begin, for all workers together."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.lock = threading.Lock()

    def take(self) -> bool:
        with self.lock:
            self.left -= 1
            return self.left >= 0


class _Worker(threading.Thread):
    """Asks for settings, has them tried in its process, and tells what came out."""

    def __init__(
        self, bench: Bench, space: Sequence[Dimension], plan: TuningPlan, journal: Path, turns: _Turns,
        done: Callable[[TrialRecord], None], seed: int,
    ) -> None:  # fmt: skip
        super().__init__(daemon=True)
        self.plan, self.turns, self.done = plan, turns, done
        self.ranges = distributions(space)
        self.bench = bench
        self.error: BaseException | None = None
        self.study = optuna.load_study(
            study_name=NAME, storage=_storage(journal), sampler=sampler(plan.method, space, plan.trials, seed),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS),
        )  # fmt: skip

    def run(self) -> None:
        try:
            while self.turns.take():
                self._one()
        except BaseException as error:
            self.error = error
        finally:
            self.bench.end()

    def end(self) -> None:
        """Stop the process now."""
        self.bench.end()

    def _one(self) -> None:
        with self.turns.lock:  # one after the other, so that no point of a grid is asked for twice
            trial = self._next()
        if trial is None:
            return

        def hopeless(step: int, value: float) -> bool:
            if not math.isfinite(value):
                return False  # its final value will say so
            trial.report(value, step)
            return trial.should_prune()

        value, why = self.bench.attempt(trial.params, self.plan.seconds, hopeless)
        if why:
            trial.set_user_attr("why", why)
            self.study.tell(trial, state=TrialState.FAIL)
        elif value is None:
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            self.study.tell(trial, value)
        self.done(_record(self.study.get_trials(deepcopy=False)[trial.number]))

    def _next(self) -> optuna.Trial | None:
        """The next trial; None, and none for the other workers, when the grid is exhausted."""
        waiting = (TrialState.WAITING,)
        if self.plan.method == "grid" and not self.study.get_trials(deepcopy=False, states=waiting):
            self.turns.left = 0
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.study.ask(self.ranges)


def as_json(trial: TrialRecord) -> dict[str, Any]:
    """A trial as JSON-able values."""
    return asdict(trial) | {"setting": dict(trial.setting), "steps": dict(trial.steps)}
