"""What simulated users say in one turn, as arrays, and its form by names for one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from memory.belief import BeliefState
from memory.dialogue import DONTCARE, DialogueAct
from memory.ontology import BoolArray, IntArray, Ontology
from memory.turn import FLOW_ACTS
from policies.matching import EntityMatcher


@dataclass(slots=True)
class UserTurn:
    """The true acts of B users.

    ``inform``/``deny`` (B, S) goal values v, ``request`` (B, R), ``flow`` (B, FLOW_ACTS), ``open_value`` (B, O) ids,
    ``venue`` (B,) an entity named; -1 where nothing is said.
    """

    inform: IntArray
    deny: IntArray
    request: BoolArray
    flow: BoolArray
    open_value: IntArray
    venue: IntArray

    @classmethod
    def empty(cls, ontology: Ontology, batch: int) -> UserTurn:
        """Nobody says anything."""

        def minus(*shape: int) -> IntArray:
            return np.full((batch, *shape), -1, dtype=np.int32)

        return cls(
            inform=minus(len(ontology.slots)),
            deny=minus(len(ontology.slots)),
            request=np.zeros((batch, len(ontology.requestable)), dtype=np.bool_),
            flow=np.zeros((batch, len(FLOW_ACTS)), dtype=np.bool_),
            open_value=minus(len(ontology.open_slots)),
            venue=minus(),
        )

    def take(self, rows: IntArray) -> UserTurn:
        """The turns of ``rows``."""
        return UserTurn(*(getattr(self, name)[rows] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Told:
    """What the system's sentence repeats of what it believes, so that the user can object.

    ``constraints`` (B, S) accepted goal values (-1: none), said when nothing matches; ``booking`` (B, O) open value
    ids, said when a booking is confirmed or made.
    """

    constraints: IntArray
    booking: IntArray

    @classmethod
    def of(cls, matcher: EntityMatcher, belief: BeliefState) -> Told:
        """What a system in this state would repeat."""
        return cls(matcher.accepted(belief), belief.open_value)


def user_acts(
    ontology: Ontology, turn: UserTurn, row: int = 0, open_values: Sequence[Sequence[str]] = ()
) -> list[DialogueAct]:
    """One user's turn by names, flow acts first.

    ``open_values[o][id]`` gives the string of each open value; without it ids are shown as numbers.
    """
    acts = [_flow_act(name) for name, said in zip(FLOW_ACTS, turn.flow[row], strict=True) if said]
    for kind, values in (("deny", turn.deny[row]), ("inform", turn.inform[row])):
        acts += [DialogueAct(kind, *ontology.values[value]) for value in values if value >= 0]
    if turn.venue[row] >= 0:
        acts.append(DialogueAct("inform", ontology.key, ontology.entity_names[turn.venue[row]]))
    for o, value in enumerate(turn.open_value[row]):
        if value >= 0:
            text = open_values[o][value] if open_values else str(value)
            acts.append(DialogueAct("inform", ontology.open_slots[o], text))
    asked = np.flatnonzero(turn.request[row])
    return acts + [DialogueAct("request", ontology.requestable[r]) for r in asked]


def _flow_act(name: str) -> DialogueAct:
    return DialogueAct("inform", None, DONTCARE) if name == "dontcare" else DialogueAct(name)
