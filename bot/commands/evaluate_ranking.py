"""``rejoinder evaluate ranking``: rankers trained on judged queries against LightGBM's own example settings."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bot.errors import CommandError
from bot.report import console, print_json, print_table
from bot.tuned_settings import with_tuned
from policies.ranking.letor import RankingData, aligned, concatenated, read_letor
from policies.ranking.metrics import average_precision, ndcg, paired_bootstrap, reciprocal_rank
from policies.ranking.served_ranker import ServedRanker

if TYPE_CHECKING:
    from policies.ranking.gbt import RankerSettings

CUTS = (1, 5, 10)
CANDIDATES, CALLS = 50, 2000
Scores = dict[str, np.ndarray[Any, np.dtype[np.float64]]]
"""Each metric's values (S, Q) by seed and query."""


@dataclass(frozen=True, slots=True)
class RankingPlan:
    """What the command line asks for; ``trees``, ``leaves`` and ``members`` in place of what suits the data."""

    train: tuple[Path, ...]
    valid: Path | None
    test: Path
    seeds: int
    trees: int | None
    leaves: int | None
    members: int | None
    out: Path | None
    tuned: Mapping[str, Any] = field(default_factory=dict)
    """`tuned.ranker` of config.yml."""


def ranking(plan: RankingPlan, *, as_json: bool) -> None:
    """Train ``plan.seeds`` rankers and as many with the stock settings, judge both on the test file, print the report.

    The number of trees is chosen on the validation file, or by cross-validation of the training data where there is
    none; the test file only judges. Test scores and times are those of the exported ranker, as it is served.
    """
    require_lightgbm()
    from policies.ranking.gbt import STOCK, RankerSettings

    files = [*plan.train, *([plan.valid] if plan.valid else []), plan.test]
    parts = aligned(_read(files, quiet=as_json))
    train, test = concatenated(parts[: len(plan.train)]), parts[-1]
    valid = parts[-2] if plan.valid else None
    asked = {name: value for name in ("trees", "leaves", "members") if (value := getattr(plan, name)) is not None}
    settings = with_tuned(RankerSettings.for_rows(len(train.labels)), plan.tuned, "tuned.ranker")
    settings = replace(settings, **asked)
    with tempfile.TemporaryDirectory() as scratch, _TreeBar(as_json) as begin:
        ours, trees, served = _ours(plan, settings, train, valid, test, Path(scratch), begin)
        stock = _stock(plan, STOCK, train, test, begin)
        times = _times(served, test)
    report = _report(plan, settings, ours, stock, trees, (train, test), times)
    if as_json:
        print_json(report)
    else:
        _show(report, plan)


def require_lightgbm() -> None:
    """CommandError that says what to install when LightGBM, or the OpenMP library it needs, is missing."""
    try:
        import lightgbm  # noqa: F401
    except ImportError:
        raise CommandError("this trains with LightGBM: run `make setup`, or install rejoinder[train]") from None
    except OSError as error:
        raise CommandError(f"LightGBM can't be loaded ({error}): install libgomp1 (Linux) or libomp (macOS)") from None


def _read(files: Sequence[Path], *, quiet: bool) -> list[RankingData]:
    if quiet:
        return [read_letor(file) for file in files]
    parts = []
    with console.status("reading") as status:
        for file in files:

            def said(rows: int, name: str = file.name) -> None:
                status.update(f"reading {name}: {rows:,} rows")

            parts.append(read_letor(file, progress=said))
    return parts


Begin = Callable[[str, int], Callable[[int], None]]
"""Starts a bar of so many trees; what it returns advances it."""


class _TreeBar:
    """A progress bar over trees; a training that stops early is finished at once."""

    def __init__(self, quiet: bool) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, disable=quiet, console=console)

    def __enter__(self) -> Begin:
        self._progress.start()
        return self._begin

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def _begin(self, description: str, trees: int) -> Callable[[int], None]:
        for task in self._progress.tasks:
            self._progress.update(task.id, completed=task.total, visible=False)
        task_id = self._progress.add_task(description, total=trees)
        return lambda done: self._progress.advance(task_id, done)


def _ours(
    plan: RankingPlan, settings: RankerSettings, train: RankingData, valid: RankingData | None, test: RankingData,
    scratch: Path, begin: Begin,
) -> tuple[Scores, list[int], ServedRanker]:  # fmt: skip
    """Metrics of the rankers of all seeds as served, their numbers of trees, and the first of them."""
    from policies.ranking.gbt import PairwiseRanker, cross_validated_trees

    trees = None
    if valid is None:
        folds, members = 5, min(2, settings.members)
        if len(train.groups) < folds:
            raise CommandError(f"{len(train.groups)} training queries are too few to cross-validate: give --valid")
        advance = begin("cross-validation", folds * members * settings.trees)
        trees = cross_validated_trees(train, settings, folds=folds, members=members, progress=advance)
    rows, used, first = [], [], None
    for seed in range(plan.seeds):
        advance = begin(f"ranker {seed + 1} of {plan.seeds}", settings.members * (trees or settings.trees))
        ranker = PairwiseRanker.train(train, settings, valid=valid, trees=trees, seed=seed, progress=advance)
        place = plan.out if seed == 0 and plan.out else scratch / str(seed)
        ranker.export(place, {"queries": len(train.groups), "candidates": len(train.labels)})
        served = ServedRanker.load(place)
        first = first or served
        rows.append(_metrics(served.score(test.features), test))
        used.append(ranker.trees)
    assert first is not None
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}, used, first


def _stock(plan: RankingPlan, stock: RankerSettings, train: RankingData, test: RankingData, begin: Begin) -> Scores:
    from policies.ranking.gbt import PairwiseRanker

    rows = []
    for seed in range(plan.seeds):
        advance = begin(f"LightGBM's example settings {seed + 1} of {plan.seeds}", stock.trees)
        ranker = PairwiseRanker.train(train, stock, seed=seed, progress=advance)
        rows.append(_metrics(ranker.predict(test.features), test))
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _metrics(scores: np.ndarray[Any, Any], test: RankingData) -> Scores:
    judged = (scores, test.labels, test.groups)
    values = {f"ndcg@{k}": ndcg(*judged, k) for k in CUTS}
    return values | {"map": average_precision(*judged), "mrr": reciprocal_rank(*judged)}


def _times(served: ServedRanker, test: RankingData) -> tuple[float, float, float]:
    """Milliseconds for 50 candidates in one call: median, 99th percentile, and that of the thread's CPU time."""
    rows = np.resize(np.arange(len(test.labels)), CANDIDATES)
    candidates = np.ascontiguousarray(test.features[rows])
    wall, busy = np.empty(CALLS), np.empty(CALLS)
    for call in range(CALLS):
        started, began = time.perf_counter(), time.thread_time()
        served.score(candidates)
        wall[call], busy[call] = time.perf_counter() - started, time.thread_time() - began
    p50, p99 = np.percentile(wall, [50, 99]) * 1000
    return float(p50), float(p99), float(np.percentile(busy, 99) * 1000)


def _report(
    plan: RankingPlan, settings: RankerSettings, ours: Scores, stock: Scores, trees: list[int],
    data: tuple[RankingData, RankingData], times: tuple[float, float, float],
) -> dict[str, Any]:  # fmt: skip
    """Means over seeds and queries, the paired difference, and what was trained on what."""
    train, test = data
    difference = {}
    for name in ours:
        found = paired_bootstrap(ours[name], stock[name])
        difference[name] = {"mean": found.mean, "ci": [found.low, found.high]}
    report: dict[str, Any] = {name: float(values.mean()) for name, values in ours.items()}
    report |= {
        "baseline": {"lightgbm": {name: float(values.mean()) for name, values in stock.items()}},
        "difference": difference,
        "by_seed": {"ndcg@5": ours["ndcg@5"].mean(axis=1).tolist()},
        "rank_50_ms": round(times[0], 4),
        "rank_50_p99_ms": round(times[1], 4),
        "rank_50_cpu_p99_ms": round(times[2], 4),
        "seeds": plan.seeds,
        "trees": trees,
        "members": settings.members,
        "leaves": settings.leaves,
        "train": {"queries": len(train.groups), "candidates": len(train.labels), "features": len(train.names)},
        "test": {"queries": len(test.groups), "candidates": len(test.labels)},
    }
    if plan.valid and plan.valid.resolve() == plan.test.resolve():
        report["warning"] = "--valid is the test file: the number of trees was chosen on what it is judged by"
    return report


def _show(report: dict[str, Any], plan: RankingPlan) -> None:
    stock = report["baseline"]["lightgbm"]
    rows = []
    for name, found in report["difference"].items():
        low, high = found["ci"]
        rows.append([name, report[name], stock[name], f"{found['mean']:+.3f} ({low:+.3f} to {high:+.3f})"])
    title = f"{report['test']['queries']} test queries, mean of {plan.seeds} seeds"
    print_table(title, ["", "ranker", "LightGBM's example", "difference (95 %)"], rows)
    p50, p99 = report["rank_50_ms"], report["rank_50_p99_ms"]
    console.print(f"{CANDIDATES} candidates in {p50:.2f} ms (median), {p99:.2f} ms (99 %)", markup=False)
    if "warning" in report:
        console.print(report["warning"], markup=False)
    if plan.out:
        console.print(f"written to {plan.out}: the ranker of the first seed", markup=False)
