"""``user.json``: an agenda user whose numbers were counted in recorded dialogues, with the counts behind them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from memory.ontology import Ontology
from policies.files import write_atomically
from policies.matching import EntityMatcher
from simulator.goal import GoalSampler, Task
from simulator.random import RowRandom
from simulator.user_parameters import PROBABILITIES, UserParameters

FORMAT = 1
FILE = "user.json"


class FittedUserError(ValueError):
    """A fitted user's file is missing, damaged or of another format; the message names file, key and remedy."""


@dataclass(frozen=True, slots=True)
class Count:
    """What a probability rests on: ``successes`` of ``trials`` in ``dialogues``; ``mean`` after smoothing.

    ``beta`` (a, b) describes how people differ, ``low``/``high`` the uniform range with the same mean and spread
    that simulated people are drawn from. ``prior``: the hand-set value that the smoothing leans on.
    """

    successes: int
    trials: int
    dialogues: int
    mean: float
    beta: tuple[float, float]
    low: float
    high: float
    prior: float


@dataclass(frozen=True, slots=True)
class Share:
    """A plain proportion of the goals: ``successes`` of ``trials``, and its smoothed value ``mean``."""

    successes: int
    trials: int
    mean: float


@dataclass(frozen=True, slots=True)
class FittedUser:
    """Everything that was fitted; names are the corpus's, so that any ontology can pick those it has.

    ``constraints``/``requests``: per slot or attribute how many goals have it. ``request_counts``: how many goals
    ask for 0, 1, 2, ... attributes. ``counts``: per probability of ``UserParameters``. ``hazard``: per turn
    (left unserved, still there, smoothed hazard). ``thanks``: goodbyes with thanks.
    """

    corpus: Mapping[str, Any]
    constraints: Mapping[str, Share]
    requests: Mapping[str, Share]
    request_counts: tuple[int, ...]
    books: Share
    unsatisfiable: Share
    counts: Mapping[str, Count]
    thanks: Share
    hazard: tuple[tuple[int, int, float], ...] = field(default_factory=tuple)

    @property
    def parameters(self) -> UserParameters:
        """How these people talk."""
        ranges: dict[str, Any] = {name: (count.low, count.high) for name, count in self.counts.items()}
        return replace(
            UserParameters.sampled(),
            **ranges,
            thank_with_bye=self.thanks.mean if self.thanks.trials else 0.0,
            hazard=tuple(chance for _, _, chance in self.hazard),
        )

    def task(self, ontology: Ontology, base: Task | None = None) -> Task:
        """What these people want, as far as ``ontology`` has it; the rest is as in ``base``.

        ``unsatisfiable`` is scaled so that as many first choices as recorded have no entity: a random value may well
        be on offer.
        """
        base = base or Task({})
        shared = {slot: share.mean for slot, share in self.constraints.items() if slot in ontology.slot_index}
        askable = base.requestable or ontology.requestable
        counts = tuple(count + 0.5 for count in self.request_counts)
        weights = {name: self.requests[name].mean if name in self.requests else 0.0 for name in askable}
        floor = max(0.01, min((weight for weight in weights.values() if weight > 0), default=0.01))
        task = replace(
            base,
            constraint_priors={**base.constraint_priors, **shared},
            booking_prior=self.books.mean if self.books.successes else base.booking_prior,
            request_counts=counts,
            request_weights={name: max(weight, floor) for name, weight in weights.items()},
        )
        return replace(task, unsatisfiable=min(1.0, self.unsatisfiable.mean / _hopeless(ontology, task)))

    def save(self, folder: Path) -> Path:
        """Write ``user.json`` into ``folder`` whole or not at all."""
        content = {"format": FORMAT, **asdict(self)}
        path = folder / FILE
        write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())
        return path

    @classmethod
    def load(cls, path: Path | str) -> FittedUser:
        """Read a ``user.json`` or the folder that holds one; FittedUserError when it is not one."""
        file = Path(path)
        file = file / FILE if file.is_dir() else file
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            if content.pop("format") != FORMAT:
                raise FittedUserError(f"{file}: written by another version: fit the user again")
            fitted = _revive(content)
            fitted.parameters  # noqa: B018 (checks every number)
        except FileNotFoundError:
            raise FittedUserError(f"{file}: no such file: fit a user with `rejoinder train user`") from None
        except FittedUserError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise FittedUserError(f"{file}: not a fitted user ({error!r}): fit it again") from None
        return fitted


def _hopeless(ontology: Ontology, task: Task, goals: int = 1000) -> float:
    """How often a first choice with a random value has no entity that fits; at least one in ``goals``."""
    sampler = GoalSampler(ontology, replace(task, unsatisfiable=1.0))
    wanted = sampler.sample(RowRandom(range(goals)).uniform(sampler.width)).wanted
    return max(1.0 / goals, float((~EntityMatcher(ontology).matches(wanted).any(axis=1)).mean()))


def _revive(content: dict[str, Any]) -> FittedUser:
    counts = {name: Count(**{**entry, "beta": tuple(entry["beta"])}) for name, entry in content["counts"].items()}
    unknown = sorted(set(counts) - set(PROBABILITIES))
    if unknown:
        raise ValueError(f"counts names {unknown[0]!r}, which is no probability of a user")
    return FittedUser(
        corpus=content["corpus"],
        constraints={name: Share(**entry) for name, entry in content["constraints"].items()},
        requests={name: Share(**entry) for name, entry in content["requests"].items()},
        request_counts=tuple(content["request_counts"]),
        books=Share(**content["books"]),
        unsatisfiable=Share(**content["unsatisfiable"]),
        counts=counts,
        thanks=Share(**content["thanks"]),
        hazard=tuple((left, there, chance) for left, there, chance in content["hazard"]),
    )
