"""Learning selection from logged slates: counts, the ratio between pools, a ranker a content type, and the gate.

A new ranker is served only if, on the slates of people whom it has not seen, its doubly robust estimate is not worse
than what is served now (training only: LightGBM).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bot.config import SelectionConfig
from bot.selection_log import behaviour_of, blend_events
from bot.selection_store import BEHAVIOUR, BLENDING, SelectionVersions, blend_settings
from policies.files import write_atomically
from policies.ranking.blending_bandit import BanditBlender, BlendState, SlateShown
from policies.ranking.gbt import RankerSettings
from policies.ranking.labels import build_training_set
from policies.ranking.logged_slates import LoggedSlate, rewards_of, training_slates
from policies.ranking.metrics import paired_bootstrap
from policies.ranking.offline_evaluation import EvaluationSettings, cross_fitted
from policies.ranking.ranker_training import train_rankers
from policies.ranking.served_ranker import MANIFEST_FILE, RankerError, RankerSet, ServedRanker
from policies.ranking.slate_evaluation import CandidateRidge, RankedTarget, SlateLog

HELD_OUT = 0.3
"""Share of the people whose slates judge."""
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class GateResult:
    """Doubly robust values of candidate and reference on the same slates, and their difference with its interval."""

    candidate: float
    reference: float
    difference: float
    low: float
    high: float
    slates: int
    margin: float

    @property
    def passed(self) -> bool:
        """Whether the lower bound of the difference is at least -margin times what the reference is worth."""
        return self.low >= -self.margin * abs(self.reference)


def train_selection(
    slates: Sequence[LoggedSlate], config: SelectionConfig, directory: Path, *, seed: int = 0,
    settings: RankerSettings | None = None, progress: Progress = lambda what: None,
) -> dict[str, Any]:  # fmt: skip
    """Learn from ``slates`` and publish what passes: counts and ratio always, a ranker where it is not worse.

    Returns ``slates``, ``version``, ``promoted`` (whether another version is served now) and by content type
    ``slates, with_feedback, result`` (``promoted``, ``refused`` or ``waiting``), and ``gate`` where there was one.
    """
    versions = SelectionVersions(directory)
    served = versions.folder()
    report: dict[str, Any] = {"slates": len(slates), "kinds": {}}
    with versions.staging() as staged:
        progress("counts")
        write_atomically(staged / BEHAVIOUR, behaviour_of(slates).to_json().encode())
        write_atomically(staged / BLENDING, _blending(slates, config.pools).encode())
        for kind in sorted({logged.slate.kind for logged in slates}):
            progress(kind)
            own = [logged for logged in slates if logged.slate.kind == kind]
            row = _train_kind(kind, own, config, staged, served, settings, seed)
            report["kinds"][kind] = row
        version = _version(staged)
        report["promoted"] = version != versions.served().version
        versions.publish(staged, version)
        report["version"] = version
    return report


def _train_kind(
    kind: str, slates: Sequence[LoggedSlate], config: SelectionConfig, staged: Path, served: Path | None,
    settings: RankerSettings | None, seed: int,
) -> dict[str, Any]:  # fmt: skip
    """Train and judge the ranker of one content type; its files stay in ``staged`` only if it passes."""
    told = sum(bool(logged.feedback) for logged in slates)
    row: dict[str, Any] = {"slates": len(slates), "with_feedback": told, "needed": config.min_slates}
    before = _served_ranker(served, kind)
    training, held_out = split(slates)
    if told < config.min_slates or not training or not held_out:
        if before is not None and served is not None:
            _keep(served, staged, kind)
        return row | {"result": "waiting"}
    worth = {str(action): value for action, value in config.rewards.items()}
    if not rewards_of(held_out, worth).any():  # every ranker is as good as any other: the gate would let all through
        if before is not None and served is not None:
            _keep(served, staged, kind)
        return row | {"result": "waiting", "why": "none of the slates that judge was worth anything to anybody yet"}
    names = tuple(dict.fromkeys(name for logged in slates for name in logged.slate.features))
    sessions, match_sets = training_slates(training)
    try:
        data = build_training_set(sessions, match_sets, names, seed=seed)
        row |= train_rankers({kind: data}, staged, settings, seed=seed)[kind]
    except ValueError as error:
        if before is not None and served is not None:
            _keep(served, staged, kind)
        return row | {"result": "waiting", "why": str(error)}
    candidate = RankerSet.load(staged)[kind]
    result = compare(candidate, before, held_out, config)
    row["gate"] = asdict(result) | {"passed": result.passed}
    if result.passed:
        return row | {"result": "promoted"}
    for path in (staged / kind).iterdir():
        path.unlink()
    (staged / kind).rmdir()
    if before is not None and served is not None:
        _keep(served, staged, kind)
    return row | {"result": "refused"}


def split(slates: Sequence[LoggedSlate], share: float = HELD_OUT) -> tuple[list[LoggedSlate], list[LoggedSlate]]:
    """(training, held out) by person: nobody is in both, and nobody moves when others come."""

    def held(who: str) -> bool:
        return int.from_bytes(hashlib.sha256(who.encode()).digest()[:4], "big") / 2**32 < share

    return [s for s in slates if not held(s.person)], [s for s in slates if held(s.person)]


def compare(
    candidate: ServedRanker, reference: ServedRanker | None, slates: Sequence[LoggedSlate], config: SelectionConfig
) -> GateResult:
    """Doubly robust values of both on ``slates``, slate by slate; bootstrap of the difference over slates.

    ``reference`` None: the pools' own order.
    """
    worth = {str(action): value for action, value in config.rewards.items()}
    log = SlateLog.of(slates, worth)
    predicted = cross_fitted(log.feedback, CandidateRidge(log.feedback.action_count), EvaluationSettings())
    rows, actions = np.arange(len(slates)), log.feedback.actions
    residual = rewards_of(slates, worth) - predicted[rows, actions]
    values = []
    for ranker in (candidate, reference):
        target = log.target(RankedTarget(ranker, config.temperature))
        weights = np.minimum(target[rows, actions] / log.feedback.propensities, 20.0)  # a few slates must not decide
        values.append((target * predicted).sum(axis=1) + weights * residual)
    difference = paired_bootstrap(*values)
    new, old = (float(value.mean()) for value in values)
    return GateResult(new, old, difference.mean, difference.low, difference.high, len(slates), config.margin)


def _blending(slates: Sequence[LoggedSlate], pools: Sequence[str]) -> str:
    """What is known of everybody's pools; no person is kept in it."""
    learner = BanditBlender(replace(blend_settings(pools), batch=1, discount=1.0, change_rate=0.0))
    events = list(blend_events(sorted(slates, key=lambda logged: logged.time)))
    people = dict.fromkeys(event.user for event in events)
    events += [SlateShown(who, (), ()) for who in people]  # closes each person's last batch
    return BlendState({}, learner.fold(learner.begin(), events).population).to_json()


def _served_ranker(served: Path | None, kind: str) -> ServedRanker | None:
    """The ranker that is served; None also for a damaged one, which a new training is there to replace."""
    if served is None or not (served / kind / MANIFEST_FILE).exists():
        return None
    try:
        return ServedRanker.load(served / kind)
    except RankerError:
        return None


def _keep(served: Path, staged: Path, kind: str) -> None:
    for path in (served / kind).iterdir():
        write_atomically(staged / kind / path.name, path.read_bytes())


def _version(folder: Path) -> str:
    """A name for the contents of ``folder``."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]
