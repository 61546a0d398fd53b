"""What simulated users want: constraints that some entity satisfies, attributes to ask for, and perhaps a booking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from memory.ontology import BoolArray, IntArray, Ontology
from memory.turn import FloatArray


class TaskError(ValueError):
    """The task's priors do not fit the ontology; the message says which and how to correct it."""


@dataclass(frozen=True)
class Task:
    """How often people want what, all probabilities in [0, 1].

    ``constraint_priors``: slot -> how often a user cares (a slot left out: 0.5). ``booking_prior``: how often a table
    is wanted (without effect when the ontology has no open slots). ``requestable``: the attributes people ask for
    (None: all). ``request_counts``: weights of asking for 0, 1, 2, ... attributes; ``request_weights``: how much
    rather one attribute than another (empty: all alike; left out: 1). ``unsatisfiable``: how often the first choice
    has a random value that perhaps no entity offers. ``open_values``: how many different values each open slot takes.
    """

    constraint_priors: Mapping[str, float]
    booking_prior: float = 0.5
    requestable: tuple[str, ...] | None = None
    request_counts: tuple[float, ...] = (0.25, 0.25, 0.25, 0.25)
    unsatisfiable: float = 0.1
    open_values: int = 8
    request_weights: Mapping[str, float] = field(default_factory=dict)

    def check(self, ontology: Ontology) -> None:
        """Raise TaskError unless every name and number makes sense for ``ontology``."""
        for slot in self.constraint_priors:
            if slot not in ontology.slot_index:
                raise TaskError(
                    f"constraint_priors names {slot!r}: the ontology's slots are {', '.join(ontology.slots)}"
                )
        for name, attributes in (
            ("requestable", self.requestable or ()),
            ("request_weights", tuple(self.request_weights)),
        ):
            for attribute in attributes:
                if attribute not in ontology.request_index:
                    raise TaskError(f"{name} names {attribute!r}: the ontology's are {', '.join(ontology.requestable)}")
        priors = {**self.constraint_priors, "booking_prior": self.booking_prior, "unsatisfiable": self.unsatisfiable}
        for name, prior in priors.items():
            if not 0.0 <= prior <= 1.0:
                raise TaskError(f"{name} is {prior}: give a probability between 0 and 1")
        if min(self.request_counts, default=0.0) < 0 or sum(self.request_counts) <= 0:
            raise TaskError(f"request_counts is {self.request_counts}: give weights that are not negative nor all 0")
        if not all(weight > 0 for weight in self.request_weights.values()):
            raise TaskError(f"request_weights is {dict(self.request_weights)}: give numbers above 0")
        if self.open_values < 2:
            raise TaskError(f"open_values is {self.open_values}: give at least 2")


@dataclass(slots=True)
class Goals:
    """The goals of B users; they may change during a dialogue.

    ``wanted`` (B, S) goal values v, the slot's ``dontcare`` where the user does not mind; ``fallback`` (B, S) the
    values of a second choice that some entity satisfies; ``requests`` (B, R); ``books`` (B,); ``open_value`` (B, O).
    """

    wanted: IntArray
    fallback: IntArray
    requests: BoolArray
    books: BoolArray
    open_value: IntArray

    def assign(self, rows: IntArray, other: Goals) -> None:
        """Overwrite ``rows`` by the goals of ``other`` (len(rows))."""
        for name in self.__slots__:
            getattr(self, name)[rows] = getattr(other, name)


class GoalSampler:
    """Draws goals from a task; each goal takes ``width`` uniforms."""

    def __init__(self, ontology: Ontology, task: Task) -> None:
        task.check(ontology)
        self.ontology = ontology
        self.task = task
        self._priors = np.array([task.constraint_priors.get(slot, 0.5) for slot in ontology.slots], dtype=np.float32)
        asked = ontology.requestable if task.requestable is None else task.requestable
        self._askable = np.array([name in asked for name in ontology.requestable], dtype=np.bool_)
        weights = np.array(task.request_counts)
        self._counts = (np.cumsum(weights) / weights.sum()).astype(np.float32)
        named = task.request_weights
        self._weights = np.array([named.get(name, 1.0) for name in ontology.requestable]) if named else None
        self._slot_of_request = np.array([ontology.slot_index.get(name, -1) for name in ontology.requestable])
        self._widths = (1, len(ontology.slots), len(ontology.requestable), len(ontology.open_slots), 6)
        self.width = sum(self._widths)

    def sample(self, uniforms: FloatArray) -> Goals:
        """n goals from (n, width) uniforms.

        An entity is drawn uniformly; the slots the user cares about take its values, hence at least it satisfies
        the goal. With probability ``unsatisfiable`` one of them is then replaced by any value of the slot.
        """
        draws = np.split(uniforms, np.cumsum(self._widths)[:-1], axis=1)
        entity, caring, asking, opens, choices = draws
        n, rows = len(uniforms), np.arange(len(uniforms))
        values = self.ontology.entity_values[(entity[:, 0] * self.ontology.num_entities).astype(np.int64)]
        cares = caring < self._priors
        nobody = rows[~cares.any(axis=1)]
        cares[nobody, np.argmax(self._priors - caring[nobody], axis=1)] = True
        dontcare = self.ontology.offsets[1:] - 1
        fallback = np.where(cares, values, dontcare).astype(np.int32)
        wanted = self._first_choice(fallback, cares, choices)
        return Goals(
            wanted=wanted,
            fallback=fallback,
            requests=self._requests(cares, asking, choices[:, 3]),
            books=(choices[:, 4] < self.task.booking_prior) & (len(self.ontology.open_slots) > 0),
            open_value=(opens * self.task.open_values).astype(np.int32).reshape(n, -1),
        )

    def _first_choice(self, fallback: IntArray, cares: BoolArray, choices: FloatArray) -> IntArray:
        wanted = fallback.copy()
        rows = np.flatnonzero(choices[:, 0] < self.task.unsatisfiable)
        nth = (choices[rows, 1] * cares[rows].sum(axis=1)).astype(np.int64)
        slot = np.argmax(cares[rows].cumsum(axis=1) > nth[:, None], axis=1)
        start, end = self.ontology.offsets[slot], self.ontology.offsets[slot + 1] - 1
        wanted[rows, slot] = start + (choices[rows, 2] * (end - start)).astype(np.int32)
        return wanted

    def _requests(self, cares: BoolArray, keys: FloatArray, u: FloatArray) -> BoolArray:
        """(n, R) the first few attributes in a random order, none that the user constrained.

        With weights the order is that of exponential waiting times (Efraimidis & Spirakis 2006), as probabilities.
        """
        if self._weights is not None:
            keys = (-np.expm1(np.log1p(-keys) / self._weights)).astype(np.float32)
        count = np.searchsorted(self._counts, u, side="right").clip(max=len(self._counts) - 1)
        possible = np.broadcast_to(self._askable, keys.shape).copy()
        tied = self._slot_of_request >= 0
        possible[:, tied] &= ~cares[:, self._slot_of_request[tied]]
        rank = np.where(possible, keys, 2.0).argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
        asked: BoolArray = possible & (rank < count[:, None])
        return asked
