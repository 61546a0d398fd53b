"""``rejoinder benchmark feature-selection``: is what matters kept, and the rest dropped? Run by run, resumable."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bot.commands.benchmark_policies import finished_runs
from bot.commands.evaluate_ranking import require_lightgbm
from bot.report import console, print_json, print_table

if TYPE_CHECKING:
    from policies.ranking.synthetic import SyntheticData, SyntheticSettings

STAGES = ("all", "stage_1", "kept", "true")
JUDGED_SEEDS = 2
"""Rankers whose mean NDCG on queries that the selection never saw is compared."""


@dataclass(frozen=True, slots=True)
class FeatureSelectionPlan:
    """What the command line asks for."""

    seeds: int
    queries: int
    out: Path


def feature_selection(plan: FeatureSelectionPlan, *, as_json: bool) -> None:
    """Select features on ``plan.seeds`` made-up data sets, report what was kept, draw the way there."""
    require_lightgbm()
    done = finished_runs(plan.out)
    plan.out.parent.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"), TimeElapsedColumn())
    with Progress(*columns, disable=as_json, console=console) as bar, plan.out.open("a", encoding="utf-8") as file:
        task = bar.add_task("data sets", total=plan.seeds, said="")
        for seed in range(plan.seeds):
            key = _key(plan, seed)
            if key not in done:
                trained = [0]

                def said(step: str, trained: list[int] = trained) -> None:
                    trained[0] += 1
                    bar.update(task, said=f"{step}, {trained[0]} rankers trained")

                done[key] = {"key": key, **_run(plan, seed, said)}
                file.write(json.dumps(done[key]) + "\n")
                file.flush()
            bar.advance(task)
    rows = [done[_key(plan, seed)] for seed in range(plan.seeds)]
    picture = plan.out.with_suffix(".png")
    _draw(rows, picture)
    report = _report(rows) | {"runs": str(plan.out), "picture": str(picture)}
    if as_json:
        print_json(report)
    else:
        _show(report)


def _key(plan: FeatureSelectionPlan, seed: int) -> str:
    from policies.ranking.feature_selection import SelectionSettings

    parts = {"seed": seed, "data": asdict(_data(plan)), "settings": asdict(SelectionSettings())}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _data(plan: FeatureSelectionPlan) -> SyntheticSettings:
    from policies.ranking.synthetic import SyntheticSettings

    return SyntheticSettings(queries=plan.queries + plan.queries // 2)


def _run(plan: FeatureSelectionPlan, seed: int, said: Callable[[str], None]) -> dict[str, Any]:
    """One data set: half as many queries again judge what was selected, and were never seen before."""
    from policies.ranking.feature_selection import SelectionSettings, select_features
    from policies.ranking.synthetic import synthetic

    made = synthetic(_data(plan), seed)
    train = made.data.queries(np.arange(plan.queries))
    test = made.data.queries(np.arange(plan.queries, plan.queries + plan.queries // 2))
    settings = SelectionSettings()
    began = time.process_time()
    selection = select_features(train, settings, seed=seed, progress=said)
    seconds = time.process_time() - began
    everything = range(len(train.names))
    sets = dict(
        zip(
            STAGES, (everything, selection.informative, selection.kept, sorted(made.having("informative"))), strict=True
        )
    )
    ndcgs = {}
    for name, features in sets.items():
        ndcgs[name] = _ndcg(train.columns(list(features)), test.columns(list(features)), settings)
        said("judging")
    noise = [sorted(made.having("noise", binary=binary)) for binary in (True, False)]
    gains = [
        [float(values[part].mean()) for part in noise]
        for values in (selection.importance.gains, selection.importance.corrected)
    ]
    return {
        "seed": seed,
        "counts": {name: _counts(made, features) for name, features in sets.items()},
        "ndcg": ndcgs,
        "noise_gain": {"raw": gains[0], "corrected": gains[1]},
        "steps": [[step.features, step.ndcg] for step in selection.steps],
        "trainings": selection.trainings,
        "seconds": seconds,
    }


def _ndcg(train: Any, test: Any, settings: Any) -> float:
    from policies.ranking.gbt import PairwiseRanker, mean_ndcg

    rankers = [PairwiseRanker.train(train, settings.ranker, seed=1000 + n) for n in range(JUDGED_SEEDS)]
    return float(np.mean([mean_ndcg(ranker.predict(test.features), test, settings.at) for ranker in rankers]))


def _counts(made: SyntheticData, features: Sequence[int]) -> dict[str, int]:
    chosen = set(features)
    counts = {"features": len(chosen)}
    for role in ("informative", "copy", "noise"):
        for kind, binary in (("binary", True), ("continuous", False)):
            counts[f"{role}_{kind}"] = len(chosen & made.having(role, binary=binary))
    return counts


def _report(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means over the data sets, and every set's own figures."""

    def mean(stage: str, *names: str) -> float:
        return float(np.mean([sum(row["counts"][stage][name] for name in names) for row in rows]))

    binary, continuous = mean("all", "informative_binary"), mean("all", "informative_continuous")
    noise = mean("all", "noise_binary", "noise_continuous")
    return {
        "seeds": len(rows),
        "features": {stage: mean(stage, "features") for stage in STAGES},
        "noise_out": 1 - mean("kept", "noise_binary", "noise_continuous") / noise,
        "binary_recall": mean("kept", "informative_binary") / binary,
        "continuous_recall": mean("kept", "informative_continuous") / continuous,
        "copies_kept": mean("kept", "copy_binary", "copy_continuous"),
        "ndcg@10": {stage: float(np.mean([row["ndcg"][stage] for row in rows])) for stage in STAGES},
        "ndcg_loss": float(np.mean([row["ndcg"]["all"] - row["ndcg"]["kept"] for row in rows])),
        "noise_gain": {
            name: np.mean([row["noise_gain"][name] for row in rows], axis=0).tolist() for name in ("raw", "corrected")
        },
        "seconds": float(np.mean([row["seconds"] for row in rows])),
        "sets": [{name: row[name] for name in ("seed", "counts", "ndcg", "trainings", "seconds")} for row in rows],
    }


def _show(report: Mapping[str, Any]) -> None:
    table = []
    for row in report["sets"]:
        for stage in STAGES:
            counts = row["counts"][stage]
            said = [
                f"{counts[f'{role}_binary']} + {counts[f'{role}_continuous']}"
                for role in ("informative", "copy", "noise")
            ]
            table.append([f"{row['seed']}: {stage}", counts["features"], *said, row["ndcg"][stage]])
    columns = ["data set", "features", "informative (binary + continuous)", "copies", "noise", "NDCG@10"]
    print_table("feature selection", columns, table)
    console.print(
        f"noise out {100 * report['noise_out']:.1f} %, binary informative kept {100 * report['binary_recall']:.1f} %, "
        f"NDCG@10 loss {report['ndcg_loss']:+.4f}; written: {report['runs']}, {report['picture']}", markup=False,
    )  # fmt: skip


def _draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Cross-validated NDCG on the way down, and on unseen queries at the ends, a colour for each data set."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="features", ylabel="NDCG@10")
    for place, row in enumerate(rows):
        color = f"C{place % 10}"
        axes.plot(*zip(*row["steps"], strict=True), color=color, lw=1, marker=".", label=f"data set {row['seed']}")
        for stage, mark in zip(STAGES, "s^vo", strict=True):
            count = row["counts"][stage]["features"]
            axes.plot(
                count, row["ndcg"][stage], mark, color=color, mfc="none", label=None if place else f"{stage}, unseen"
            )
    axes.legend(fontsize=7)
    figure.savefig(path, dpi=120)
