"""``rejoinder benchmark classic``: the classic models on the same public data, in one table."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bot.commands.benchmark_probes import counted
from bot.errors import CommandError
from bot.report import print_json, print_table

if TYPE_CHECKING:
    from policies.optimize.classic import Classic

ROWS, QUICK_ROWS = 2000, 400
Score = Callable[[NDArray[Any], NDArray[Any]], float]


@dataclass(frozen=True, eq=False)
class _Set:
    """One data set: ``features`` (N, F), ``targets`` (N,) or (N, L), the models for it, and how they are judged."""

    name: str
    measure: str
    features: Any
    targets: NDArray[Any]
    models: Sequence[Classic]
    score: Score


def classic(data: Path | None, seeds: int, *, quick: bool, as_json: bool) -> None:
    """Fit every model on each set's training part, judge on the rest, ``seeds`` times; print the table."""
    try:
        import lightgbm  # noqa: F401
        import scipy  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as error:
        raise CommandError(f"this needs {error.name}: run `make setup`, or install rejoinder[train]") from None
    rounds = min(seeds, 2) if quick else seeds
    sets = _sets(data, QUICK_ROWS if quick else ROWS)
    rows: list[dict[str, Any]] = []
    with counted("fits", sum(len(each.models) for each in sets) * rounds, hidden=as_json) as advance:
        for each in sets:
            rows += _judged(each, rounds, advance)
        rows += _als(rounds)
    if as_json:
        print_json({"seeds": rounds, "rows": rows})
        return
    shown = [
        [row["data"], row["rows"], row["model"], row["measure"], f"{row['score']:.3f} ± {row['deviation']:.3f}",
         f"{row['seconds']:.2f}"]
        for row in rows
    ]  # fmt: skip
    print_table(
        f"held-out quarter, mean and deviation of {rounds} divisions", ["data", "rows", "model", "", "score", "CPU s"],
        shown,
    )  # fmt: skip


def _sets(data: Path | None, rows: int) -> list[_Set]:
    from sklearn import datasets

    from policies.optimize.classic import CLASSIFIERS, MULTI_LABEL, REGRESSORS

    found = []
    for name in ("iris", "wine", "breast_cancer", "digits"):
        features, targets = getattr(datasets, f"load_{name}")(return_X_y=True)
        found.append(_Set(name, "accuracy", features, targets, CLASSIFIERS, _accuracy))
    features, targets = datasets.load_diabetes(return_X_y=True)
    found.append(_Set("diabetes", "R2", features, targets, REGRESSORS, _r2))
    features, digits = datasets.load_digits(return_X_y=True)
    shapes = np.array([[d % 2 == 0, d in (0, 6, 8, 9), d >= 5, d in (1, 4, 7)] for d in digits], dtype=np.int64)
    found.append(_Set("digits: even, loop, 5+, straight", "exact match", features, shapes, MULTI_LABEL, _accuracy))
    for path in sorted(data.glob("*.xz")) if data else []:
        if ".test" not in path.name and "_test" not in path.name:
            sparse, labels = datasets.load_svmlight_file(_unpacked(path))
            found.append(_Set(path.name.partition(".")[0], "accuracy", sparse, labels, CLASSIFIERS, _accuracy))
    if data and not any(hasattr(each.features, "tocsr") for each in found):
        raise CommandError(f"--data {data}: no LibSVM files (.xz) there")
    return [_cut(each, rows) for each in found]


def _unpacked(path: Path) -> Any:
    import io
    import lzma

    return io.BytesIO(lzma.decompress(path.read_bytes()))


def _cut(each: _Set, rows: int) -> _Set:
    chosen = np.random.default_rng(0).permutation(each.features.shape[0])[:rows]
    return _Set(each.name, each.measure, each.features[chosen], each.targets[chosen], each.models, each.score)


def _judged(each: _Set, rounds: int, advance: Callable[[], None]) -> list[dict[str, Any]]:
    rows = []
    count = each.features.shape[0]
    for model in each.models:
        scores, began = [], time.process_time()
        for seed in range(rounds):
            order = np.random.default_rng([seed, 1]).permutation(count)
            held, rest = order[: count // 4], order[count // 4 :]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                said = model.fit_predict(each.features[rest], each.targets[rest], each.features[held], seed)
            scores.append(each.score(said, each.targets[held]))
            advance()
        rows.append(_row(each.name, count, model.name, each.measure, scores, (time.process_time() - began) / rounds))
    return rows


def _row(
    data: str, rows: int, model: str, measure: str, scores: Sequence[float], seconds: float
) -> dict[str, Any]:  # fmt: skip
    return {
        "data": data, "rows": rows, "model": model, "measure": measure, "score": float(np.mean(scores)),
        "deviation": float(np.std(scores)), "seconds": round(seconds, 4),
    }  # fmt: skip


def _als(rounds: int) -> list[dict[str, Any]]:
    """Recall@10 of one held-out dark pixel a digit: digits as users, their dark pixels as what they liked."""
    from sklearn import datasets

    from policies.optimize.classic import als_scores

    liked = datasets.load_digits().data > 8
    scores: dict[str, list[float]] = {"ALS": [], "most popular": []}
    began = time.process_time()
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        hidden = np.array([rng.choice(np.flatnonzero(row)) for row in liked])
        seen = liked.copy()
        seen[np.arange(len(seen)), hidden] = False
        for name, value in (
            ("ALS", als_scores(seen, seed=seed)),
            ("most popular", np.tile(seen.mean(axis=0), (len(seen), 1))),
        ):
            ranked = np.where(seen, -np.inf, value)
            top = np.argsort(-ranked, axis=1)[:, :10]
            scores[name].append(float((top == hidden[:, None]).any(axis=1).mean()))
    seconds = (time.process_time() - began) / rounds
    return [
        _row("digits: missing pixel", len(liked), name, "recall@10", values, seconds) for name, values in scores.items()
    ]


def _accuracy(said: NDArray[Any], right: NDArray[Any]) -> float:
    same = said == right
    return float(np.mean(same.all(axis=1) if same.ndim == 2 else same))


def _r2(said: NDArray[Any], right: NDArray[Any]) -> float:
    return float(1 - np.sum((said - right) ** 2) / np.sum((right - right.mean()) ** 2))
