"""``rejoinder simulate feedback``: is what was learned from people's reactions worth anything? Resumable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.assistant import load_assistant
from bot.commands.benchmark_policies import finished_runs
from bot.commands.benchmark_probes import counted
from bot.config import Config
from bot.errors import CommandError
from bot.report import console, print_json, print_table
from memory.ontology import Ontology
from simulator.feedback_users import FeedbackScene

SELECTIONS = {
    "learned": ("learned", True),
    "learned, of strangers": ("learned", False),
    "fixed": ("fixed", True),
    "uniform": ("uniform", True),
}
"""Mode, and whether people are remembered: without that it can learn what is good, but not for whom."""
SCENE = FeedbackScene()
LAST = 5
"""Days at the end that the comparison is made on."""
Runs = Mapping[str, list[Mapping[str, Any]]]
RATES = {"acceptance": ("accepted", "offers"), "booking": ("booked", "visits")}
COLUMNS = ("selection", "acceptance, last days", "booking, last days", "acceptance, all days", "booking, all days")
Vector = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class FeedbackPlan:
    """``users`` in all, divided among ``seeds`` worlds; ``out`` holds finished runs."""

    users: int
    seeds: int
    out: Path


def feedback(config: Config, plan: FeedbackPlan, *, as_json: bool) -> None:
    """Run what isn't in ``plan.out`` yet and compare; curves (.png) are written beside it."""
    try:
        import lightgbm  # noqa: F401
    except ImportError:
        raise CommandError(
            "learning to select trains a ranker: run `make setup`, or install rejoinder[train]"
        ) from None
    if plan.users < plan.seeds:
        raise CommandError(f"--users {plan.users}: every one of {plan.seeds} worlds needs some; ask for fewer --seeds")
    runs = _run(config, plan, quiet=as_json)
    last = min(LAST, SCENE.days)
    cells = [_cell(mode, runs, last) for mode in SELECTIONS]
    picture = plan.out.with_suffix(".png")
    drawn = _draw(runs, picture)
    if as_json:
        print_json({
            "users": plan.users, "seeds": plan.seeds, "days": SCENE.days, "last_days": last, "selections": cells,
            "runs": str(plan.out), "curves": str(picture) if drawn else None,
        })  # fmt: skip
        return
    rows = [[cell["selection"], *(_percent(cell[f"{rate}{part}"]) for part in ("", "_all") for rate in RATES)]
            for cell in cells]  # fmt: skip
    print_table(f"{plan.users} users in {plan.seeds} worlds, {SCENE.days} days (95 % intervals)", COLUMNS, rows)
    for cell in cells[1:]:
        gains = " and ".join(f"{_percent(cell[f'learned_gain_{rate}'])} points of {rate}" for rate in RATES)
        console.print(f"learned against {cell['selection']}: {gains} in the last {last} days")
    console.print(f"written: {picture}" if drawn else "no curves without matplotlib", markup=False)


def _run(config: Config, plan: FeedbackPlan, *, quiet: bool) -> Runs:
    """Every wanted run; each is on disk before the next begins."""
    from bot.feedback_simulation import run_feedback

    ontology = load_assistant(config.assistant).ontology
    done = finished_runs(plan.out)
    plan.out.parent.mkdir(parents=True, exist_ok=True)
    runs: dict[str, list[Mapping[str, Any]]] = {mode: [] for mode in SELECTIONS}
    users, days = plan.users // plan.seeds, plan.seeds * len(SELECTIONS) * SCENE.days
    with counted("days", days, hidden=quiet) as advance, plan.out.open("a", encoding="utf-8") as file:
        if file.tell() and not plan.out.read_bytes().endswith(b"\n"):
            file.write("\n")  # an interruption cut the last line short
        for seed in range(plan.seeds):
            for mode, (name, remembers) in SELECTIONS.items():
                chosen = config.selection.model_copy(update={"mode": name})
                key = _key(ontology, {**chosen.model_dump(mode="json"), "remembers": remembers}, users, seed)
                if key in done:
                    for _ in range(SCENE.days):
                        advance()
                else:
                    run = run_feedback(ontology, chosen, SCENE, users, seed, remembers=remembers, progress=advance)
                    done[key] = {"key": key, **asdict(run)}
                    file.write(json.dumps(done[key]) + "\n")
                    file.flush()
                runs[mode].append(done[key])
    return runs


def _key(ontology: Ontology, selection: dict[str, Any], users: int, seed: int) -> str:
    """What makes a run what it is."""
    from bot.feedback_simulation import LATEST, NIGHTS

    table = hashlib.sha256(ontology.entity_values.tobytes() + repr(ontology.entity_names).encode()).hexdigest()
    return json.dumps([table[:16], selection, users, seed, asdict(SCENE), NIGHTS, LATEST], sort_keys=True)


def _cell(mode: str, runs: Runs, last: int) -> dict[str, Any]:
    """Mean rates of one way to choose over worlds, and what ``learned`` has above it, world by world."""
    cell: dict[str, Any] = {"selection": mode, "rankers": sum(run["rankers"] for run in runs[mode])}
    for rate in RATES:
        for part, days in (("", slice(-last, None)), ("_all", slice(None))):
            cell[f"{rate}{part}"] = _interval(_rates(runs[mode], rate, days))
        if mode != "learned":
            days = slice(-last, None)
            cell[f"learned_gain_{rate}"] = _interval(
                _rates(runs["learned"], rate, days) - _rates(runs[mode], rate, days)
            )
        cell[f"{rate}_by_day"] = _by_day(runs[mode], rate).mean(axis=0).tolist()
    return cell


def _rates(runs: Sequence[Mapping[str, Any]], rate: str, days: slice) -> Vector:
    """(worlds,) the rate over ``days`` in each world."""
    above, below = (np.array([sum(run[name][days]) for run in runs], dtype=np.float64) for name in RATES[rate])
    return np.asarray(above / np.maximum(below, 1))


def _by_day(runs: Sequence[Mapping[str, Any]], rate: str) -> Vector:
    """(worlds, days) the rate of each day."""
    above, below = (np.array([run[name] for run in runs], dtype=np.float64) for name in RATES[rate])
    return np.asarray(above / np.maximum(below, 1))


def _interval(values: Vector) -> dict[str, float]:
    """Mean of ``values`` (worlds,) and its 95 % interval by Student's t: a bootstrap of few worlds is too narrow."""
    from scipy.stats import t as student

    spread = float(values.std(ddof=1) / np.sqrt(len(values)) * student.ppf(0.975, len(values) - 1))
    return {"mean": float(values.mean()), "low": float(values.mean()) - spread, "high": float(values.mean()) + spread}


def _percent(value: Mapping[str, float]) -> str:
    return f"{100 * value['mean']:.1f} ({100 * value['low']:.1f} to {100 * value['high']:.1f})"


def _draw(runs: Runs, path: Path) -> bool:
    """Both rates by day, mean and 95 % bootstrap interval over worlds; False without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    from policies.curves import bootstrap_interval

    figure = Figure(figsize=(10, 4), layout="constrained")
    panels = figure.subplots(1, len(RATES), squeeze=False)[0]
    for axes, rate in zip(panels, RATES, strict=True):
        for place, mode in enumerate(SELECTIONS):
            table = _by_day(runs[mode], rate)
            low, high = bootstrap_interval(np.asarray(table, dtype=np.float32))
            days = np.arange(1, table.shape[1] + 1)
            axes.fill_between(days, low, high, color=f"C{place}", alpha=0.15, lw=0)
            axes.plot(days, table.mean(axis=0), color=f"C{place}", label=mode)
        axes.axvline(SCENE.days // 2 + 1, ls=":", color="grey", label="some turn to other tastes")
        above, below = RATES[rate]
        axes.set(xlabel="day", ylabel=f"{above} / {below}", ylim=(0, None))
    panels[0].legend(fontsize=8)
    figure.savefig(path, dpi=120)
    return True
