"""One ranker for each content type, trained side by side in processes of their own (training only)."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from policies.ranking.gbt import PairwiseRanker, RankerSettings, mean_ndcg
from policies.ranking.letor import RankingData
from policies.ranking.served_ranker import folder_of

Finished = Callable[[str], None]


def train_rankers(
    sets: Mapping[str, RankingData],
    directory: Path,
    settings: RankerSettings | None = None,
    *,
    valid: Mapping[str, RankingData] | None = None,
    processes: int = 1,
    seed: int = 0,
    finished: Finished = lambda kind: None,
) -> dict[str, dict[str, Any]]:
    """Train and export a ranker of each content type to ``directory``/type; ``RankerSet.load`` serves them.

    ``settings``: by default what suits each type's rows. ``valid``: judged data by content type, where there is some.
    Returns by content type: ``queries``, ``candidates``, ``trees``, ``sha256`` and, with validation data,
    ``valid_ndcg``. The result doesn't depend on ``processes``.
    ValueError for an empty mapping, a name that is no folder name, or data that can't be trained on, naming the type.
    """
    if not sets:
        raise ValueError("no content type to train a ranker for")
    jobs = [
        (kind, data, (valid or {}).get(kind), folder_of(directory, kind), settings, seed) for kind, data in sets.items()
    ]
    reports: dict[str, dict[str, Any]] = {}
    if processes == 1 or len(jobs) == 1:
        for job in jobs:
            reports[job[0]] = _train(*job)
            finished(job[0])
    else:
        context = multiprocessing.get_context("spawn")  # a fork would copy the threads' locks of whoever calls
        with ProcessPoolExecutor(min(processes, len(jobs)), mp_context=context) as pool:
            running = {pool.submit(_train, *job): job[0] for job in jobs}
            for done in as_completed(running):
                reports[running[done]] = done.result()
                finished(running[done])
    return {kind: reports[kind] for kind in sets}


def _train(
    kind: str, data: RankingData, valid: RankingData | None, folder: Path, settings: RankerSettings | None, seed: int
) -> dict[str, Any]:
    try:
        ranker = PairwiseRanker.train(data, settings, valid=valid, seed=seed)
    except ValueError as error:
        raise ValueError(f"content type {kind}: {error}") from None
    report: dict[str, Any] = {"queries": len(data.groups), "candidates": len(data.labels), "trees": ranker.trees}
    if valid is not None:
        report["valid_ndcg"] = mean_ndcg(ranker.predict(valid.features), valid, ranker.settings.at)
    return report | {"sha256": ranker.export(folder, report).sha256}
