"""Slates as they were logged, with what people did next: a file of JSON lines, training sets, and rewards.

A line is an object with ``query`` (names the slate, once in the file), ``session`` (slates of one search, in which each
offer was refused for the next one, share it), ``person``, ``time`` (seconds since the epoch), ``kind``, ``mode``,
``ratio``, ``exploration``, ``ranker``, ``features`` (names), ``candidates`` (``key, pool, pools, position, features,
propensity, score, said``) and ``feedback`` (``action, candidate, time``). See ``memory.slates`` for their meaning.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from memory.events import slate_from_fields
from memory.feedback import FEEDBACK_ACTIONS
from memory.slates import OfferedCandidate, OfferedSlate
from policies.ranking.blending import Array
from policies.ranking.slates import Action, Candidate, Slate

POSITIVE_ACTIONS: frozenset[str] = frozenset(get_args(Action))
"""Feedback that labels know (a thumbs_down takes worth away); the rest leaves a candidate ignored."""


class LoggedSlateError(ValueError):
    """A file of slates does not parse; the message names file, line and key, and the remedy."""


@dataclass(frozen=True, slots=True)
class LoggedSlate:
    """One slate with its ``feedback`` (action, candidate's key, seconds) in order of time."""

    query: str
    session: str
    person: str
    time: float
    slate: OfferedSlate
    feedback: tuple[tuple[str, str, float], ...] = ()

    @property
    def said(self) -> int:
        """The place of the candidate that was said."""
        return next(i for i, candidate in enumerate(self.slate.candidates) if candidate.said)

    def actions(self, key: str) -> frozenset[str]:
        """What was done with a candidate; of two opposite thumbs the later one counts."""
        done = [action for action, candidate, _ in self.feedback if candidate == key]
        thumbs = [action for action in done if action.startswith("thumbs_")]
        return frozenset(action for action in done if not action.startswith("thumbs_") or action == thumbs[-1])

    def reward(self, worth: Mapping[str, float]) -> float:
        """What the choice was worth: that of the best action on what was said, or of a thumbs_down if there is one."""
        done = self.actions(self.slate.candidates[self.said].key)
        gains = [worth.get(action, 0.0) for action in done]
        if "thumbs_down" in done:
            return min(0.0, worth.get("thumbs_down", 0.0))
        return max(gains, default=0.0)


def slate_to_json(logged: LoggedSlate) -> str:
    """One line."""
    body = asdict(logged.slate)
    for position, candidate in enumerate(body["candidates"]):
        candidate["position"] = position
    feedback = [{"action": action, "candidate": key, "time": time} for action, key, time in logged.feedback]
    head = {name: getattr(logged, name) for name in ("query", "session", "person", "time")}
    return json.dumps({**body, **head, "feedback": feedback}, separators=(",", ":"), allow_nan=False)


def read_slates(path: Path) -> list[LoggedSlate]:
    """The slates of a file; LoggedSlateError with file, line and key for what can't be."""
    found: list[LoggedSlate] = []
    seen: set[str] = set()
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                logged = _slate(line, f"{path}:{number}")
                if logged.query in seen:
                    raise LoggedSlateError(f"{path}:{number}: query {logged.query!r} is there twice: drop one of them")
                seen.add(logged.query)
                found.append(logged)
    except UnicodeDecodeError:
        raise LoggedSlateError(f"{path}: not UTF-8 text; export it again with `rejoinder log export-slates`") from None
    if not found:
        raise LoggedSlateError(f"{path}: no slate in there; export some with `rejoinder log export-slates`")
    return found


def _slate(line: str, where: str) -> LoggedSlate:
    try:
        body: Any = json.loads(line)
    except ValueError as error:
        raise LoggedSlateError(f"{where}: not JSON ({error}): a line holds one slate") from None
    if not isinstance(body, dict):
        raise LoggedSlateError(f"{where}: {type(body).__name__} in place of an object: a line holds one slate")
    try:
        feedback = tuple((str(f["action"]), str(f["candidate"]), float(f["time"])) for f in body.pop("feedback"))
        head = {name: str(body.pop(name)) for name in ("session", "person")}
        time = float(body.pop("time"))
        for candidate in body["candidates"]:
            candidate.pop("position", None)
        slate = slate_from_fields(body)
    except KeyError as error:
        raise LoggedSlateError(f"{where}: {error} is missing; export the log again") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise LoggedSlateError(f"{where}: not a slate ({error}); export the log again") from None
    _check(slate, feedback, where)
    return LoggedSlate(slate.query, head["session"], head["person"], time, slate, feedback)


def _check(slate: OfferedSlate, feedback: Sequence[tuple[str, str, float]], where: str) -> None:
    keys = [candidate.key for candidate in slate.candidates]
    if len(set(keys)) < len(keys):
        raise LoggedSlateError(f"{where}: candidates: a key is there twice; drop one of them")
    if sum(candidate.said for candidate in slate.candidates) != 1:
        raise LoggedSlateError(f"{where}: candidates: exactly one of them is said")
    for candidate in slate.candidates:
        if len(candidate.features) != len(slate.features):
            raise LoggedSlateError(
                f"{where}: candidates: {candidate.key} has {len(candidate.features)} features, the slate names "
                f"{len(slate.features)}"
            )
        if not 0 <= candidate.propensity <= 1 or (candidate.said and candidate.propensity == 0):
            raise LoggedSlateError(
                f"{where}: propensity of {candidate.key} is {candidate.propensity}: it is from 0 to 1, "
                "above 0 where it was said"
            )
    for action, key, _ in feedback:
        if action not in FEEDBACK_ACTIONS:
            raise LoggedSlateError(f"{where}: feedback: {action!r} is none of {', '.join(FEEDBACK_ACTIONS)}")
        if key not in keys:
            raise LoggedSlateError(f"{where}: feedback: {key!r} is no candidate of the slate")


def training_slates(slates: Iterable[LoggedSlate]) -> tuple[list[Slate], dict[str, list[Candidate]]]:
    """What ``labels.build_training_set`` takes: a slate for each session, and by its query what was not said in it.

    A search in which one offer after another was refused is one slate, browsed from the first place to the last: what
    was refused stands above what was taken up.
    """
    sessions: dict[str, list[LoggedSlate]] = {}
    for logged in slates:
        sessions.setdefault(logged.session, []).append(logged)
    found: list[Slate] = []
    match_sets: dict[str, list[Candidate]] = {}
    for session, members in sessions.items():
        shown: dict[str, Candidate] = {}
        others: dict[str, Candidate] = {}
        actions: dict[str, set[Action]] = {}
        chances: dict[str, float] = {}
        for logged in members:
            for candidate in logged.slate.candidates:
                if not candidate.said:
                    others[candidate.key] = _candidate(logged.slate, candidate)
                    continue
                shown.setdefault(candidate.key, _candidate(logged.slate, candidate))
                chances.setdefault(candidate.key, candidate.propensity)
                done = {a for a in get_args(Action) if a in logged.actions(candidate.key)}
                actions.setdefault(candidate.key, set()).update(done)
        found.append(Slate(session, tuple(shown.values()), {k: frozenset(a) for k, a in actions.items() if a}, chances))
        match_sets[session] = [candidate for key, candidate in others.items() if key not in shown]
    return found, match_sets


def features_of(slate: OfferedSlate) -> NDArray[np.float64]:
    """(N, F) features of the candidates; NaN where missing."""
    rows = [[np.nan if v is None else v for v in candidate.features] for candidate in slate.candidates]
    return np.array(rows, dtype=np.float64).reshape(len(slate.candidates), len(slate.features))


def pool_orders(slate: OfferedSlate) -> dict[str, list[int]]:
    """Each pool's candidates, by place in the slate, in the pool's own order."""
    pools: dict[str, list[tuple[int, int]]] = {name: [] for name in slate.ratio}
    for place, candidate in enumerate(slate.candidates):
        for name, rank in candidate.pools.items():
            pools.setdefault(name, []).append((rank, place))
    return {name: [place for _, place in sorted(ranks)] for name, ranks in pools.items()}


def _candidate(slate: OfferedSlate, candidate: OfferedCandidate) -> Candidate:
    values = {n: np.nan if v is None else v for n, v in zip(slate.features, candidate.features, strict=True)}
    return Candidate(candidate.key, slate.kind, values)


def rewards_of(slates: Sequence[LoggedSlate], worth: Mapping[str, float]) -> Array:
    """(N,) what each choice was worth."""
    return np.array([logged.reward(worth) for logged in slates], dtype=np.float64)
