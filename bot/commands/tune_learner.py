"""``rejoinder tune policy``, ``ranker``, ``memory``, ``nlu``: search, tell what failed, write down the winner."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bot.commands.benchmark_probes import counted
from bot.errors import CommandError
from bot.rasa.reading.files import is_rasa_project
from bot.report import console, print_json, print_table
from bot.tuned_settings import patch
from policies.files import write_atomically
from policies.optimize.space import search_space

if TYPE_CHECKING:
    from bot.config import Config
    from bot.tuning_objectives import MemoryObjective, NLUObjective, PolicyObjective, RankerObjective
    from policies.optimize.trial_process import Bench, Objective
    from policies.optimize.tuning import TrialRecord


@dataclass(frozen=True)
class Tuned:
    """What is tuned: the section of config.yml's ``tuned`` it goes to, and what its objective's value means."""

    section: str
    measure: str
    maximise: bool


POLICY, RANKER = Tuned("policy", "reward", True), Tuned("ranker", "NDCG", True)
MEMORY, NLU = Tuned("memory", "error", False), Tuned("nlu", "accuracy", True)


@dataclass(frozen=True)
class SearchOptions:
    """What the command line says of the search itself; ``out`` is the folder of its files.

    ``ray``: the address of a cluster whose workers run the trials, "local" for one of this machine, None for processes.
    """

    method: str
    trials: int
    workers: int
    seconds: float
    seed: int
    out: Path
    ray: str | None = None


def tune_learner(
    what: Tuned, objective: PolicyObjective | RankerObjective | MemoryObjective | NLUObjective, options: SearchOptions,
    about: Mapping[str, Any], *, as_json: bool,
) -> None:  # fmt: skip
    """Search until there are ``options.trials`` trials, and write trials, winner (YAML) and picture to its folder."""
    _require_optuna()
    from policies.optimize.samplers import METHODS
    from policies.optimize.tuning import TuningError, TuningPlan, best, tune

    if options.method not in METHODS:
        raise CommandError(f"--method {options.method!r}: there are {', '.join(METHODS)}")
    default = objective.settings()
    space = search_space(type(default))
    plan = TuningPlan(
        next(method for method in METHODS if method == options.method), options.trials, options.workers,
        options.seconds, what.maximise, options.seed,
    )  # fmt: skip
    said = {"what": what.section, "seed": options.seed, **about}
    try:
        with _alone(options.out), counted(f"tuning the {what.section}", options.trials, hidden=as_json) as advance:
            done = _said(advance, quiet=as_json)
            trials = tune(
                objective,
                space,
                asdict(default),
                plan,
                options.out / "trials.log",
                said,
                done=done,
                bench=_bench(options.ray),
            )
        winner = best(trials, maximise=what.maximise)
    except TuningError as error:
        raise CommandError(str(error)) from None
    report = _written(what, options, trials, winner, {d.name: getattr(default, d.name) for d in space})
    if as_json:
        print_json(report)
    else:
        _show(what, report, trials)


def require_trained_nlu(config: Config) -> None:
    """CommandError for a Rasa project, and where no encoder is there whose sentence vectors could be used."""
    if is_rasa_project(config.assistant):
        raise CommandError(
            f"{config.assistant}: the NLU of a Rasa project is trained as its config.yml says: there is nothing to tune"
        )
    folder = config.model_dir / "nlu" / "encoder"
    if not folder.is_dir():
        raise CommandError(f"{folder}: no such folder: run `rejoinder train nlu` first, whose encoder is used")


def _bench(ray: str | None) -> Callable[[Objective], Bench]:
    """Where trials run."""
    from policies.optimize.trial_process import TrialProcess

    if ray is None:
        return TrialProcess
    from policies.optimize.ray_connection import connected
    from policies.optimize.trial_ray import TrialActor

    address = None if ray == "local" else ray
    connected(address)
    return lambda objective: TrialActor(objective, address)


def _require_optuna() -> None:
    try:
        import optuna  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise CommandError(
            f"tuning needs {error.name}, which isn't installed: run `make setup`, or install rejoinder[train]"
        ) from None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One search at a time in a folder: another one's trials under way would be taken for ones that were cut off."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # no such locks on Windows
        yield
        return
    with (folder / "busy").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CommandError(f"{folder}: a search is under way there: wait, or give another --out") from None
        yield


def _said(advance: Any, *, quiet: bool) -> Any:
    lock = threading.Lock()

    def done(trial: TrialRecord) -> None:
        with lock:
            advance()
            if trial.why and not quiet:
                console.print(f"trial {trial.number} failed: {trial.why}", markup=False)

    return done


def _written(
    what: Tuned, options: SearchOptions, trials: Sequence[TrialRecord], winner: TrialRecord, default: Mapping[str, Any]
) -> dict[str, Any]:
    from policies.optimize.tuning import as_json

    lines = "".join(json.dumps(as_json(trial)) + "\n" for trial in trials)
    write_atomically(options.out / "trials.jsonl", lines.encode())
    changed = {name: _short(value) for name, value in winner.setting.items() if value != default[name]}
    write_atomically(options.out / "tuned.yml", patch(what.section, changed).encode())
    picture = options.out / "trials.png"
    draw(trials, what, picture)
    outcomes = {name: sum(trial.outcome == name for trial in trials) for name in ("finished", "hopeless", "failed")}
    return {
        "tuned": what.section, "measure": what.measure, "method": options.method, "trials": len(trials), **outcomes,
        "default": trials[0].value, "best": winner.value, "best_trial": winner.number, "setting": changed,
        "failures": {str(trial.number): trial.why for trial in trials if trial.why},
        "patch": str(options.out / "tuned.yml"), "log": str(options.out / "trials.jsonl"), "picture": str(picture),
    }  # fmt: skip


def _short(value: Any) -> Any:
    """Numbers with four digits: a search knows no more."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _show(what: Tuned, report: Mapping[str, Any], trials: Sequence[TrialRecord]) -> None:
    sign = -1 if what.maximise else 1
    finished = sorted((t for t in trials if t.value is not None), key=lambda t: sign * (t.value or 0.0))[:5]
    names = list(trials[0].setting)
    rows = [[t.number, t.value, *(str(_short(t.setting[name])) for name in names)] for t in finished]
    print_table(f"the best trials (0: the defaults), {what.measure}", ["trial", what.measure, *names], rows)
    console.print(
        f"{report['trials']} trials: {report['finished']} finished, {report['hopeless']} given up, "
        f"{report['failed']} failed. {what.measure}: default {report['default']}, best {report['best']:.4f}"
    )
    console.print(f"paste into config.yml: {report['patch']}; picture: {report['picture']}", markup=False)


def draw(trials: Sequence[TrialRecord], what: Tuned, path: Path) -> None:
    """Values of the trials in order, the best so far as a line, those that failed or were given up as ticks."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.add_subplot(xlabel="trial", ylabel=f"{what.measure} (line: best so far)")
    finished = [trial for trial in trials if trial.value is not None]
    values = np.array([trial.value for trial in finished], dtype=np.float64)
    numbers = [trial.number for trial in finished]
    axes.plot(numbers, values, ".", color="C0")
    best = np.maximum.accumulate(values) if what.maximise else np.minimum.accumulate(values)
    axes.step(numbers, best, where="post", color="C0")
    for outcome, color in (("hopeless", "grey"), ("failed", "red")):
        ticks = [trial.number for trial in trials if trial.outcome == outcome]
        axes.plot(ticks, np.full(len(ticks), values.min()), "|", color=color, label=outcome)
    axes.legend(fontsize=7)
    figure.savefig(path, dpi=120)
