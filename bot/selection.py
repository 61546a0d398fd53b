"""Which venue is offered and in which words: the choices of one turn, with the slates they were taken from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bot.nlg.paraphrase import ParaphrasePool
from bot.nlg.templates import Wording
from bot.selection_venues import POOLS, Scores, VenuePools
from memory.belief import BeliefState
from memory.conversation import Conversation
from memory.events import Selected
from memory.ontology import Ontology
from memory.slates import VENUES, OfferedSlate
from policies.actions import ActionSpace
from policies.ranking.behaviour import Behaviour
from policies.ranking.selection import Choice, MatchSet, SelectionSettings, Selector, Source

WORDING_FEATURES = ("words", "characters", "questions", "exclamations", "shown", "rate", "mood", "turn")
OFFERS = ("offer", "offer_alternative")
"""Actions of the policy that name a venue."""


class Selection:
    """How an assistant chooses among what it could say. By default as an editor would: the table's order, any wording.

    It may be replaced by another at any time; a turn keeps the one that it began with.
    """

    def __init__(
        self,
        ontology: Ontology,
        selector: Selector | None = None,
        behaviour: Behaviour | None = None,
        pools: Sequence[str] = POOLS,
        scores: Scores | None = None,
        paraphrases: ParaphrasePool | None = None,
    ) -> None:
        self.selector = selector or Selector(SelectionSettings(mode="fixed"))
        self.behaviour = behaviour or Behaviour()
        self.paraphrases = paraphrases
        self.venues = VenuePools(ontology, self.behaviour, pools, scores)

    def turn(self, state: Conversation, rng: np.random.Generator) -> TurnChoices:
        """The choices of the turn that begins in ``state``, drawn with the turn's generator."""
        return TurnChoices(self, state, rng)


class TurnChoices:
    """The choices of one turn; ``slates`` of those that had more than one candidate."""

    def __init__(
        self, selection: Selection, state: Conversation, rng: np.random.Generator, before: Sequence[OfferedSlate] = ()
    ) -> None:
        self._by, self._seq, self._rng, self._before = selection, state.seq, rng, len(before)
        self.state = state
        self.slates: list[OfferedSlate] = []

    def apart(self) -> TurnChoices:
        """More choices of the same turn, whose slates are kept apart: they may turn out not to be needed."""
        return TurnChoices(self._by, self.state, self._rng, self.slates)

    def wording(self, kind: str, wordings: Sequence[Wording]) -> Wording:
        """The wording to say (``bot.nlg.templates.Choose``): one of ``wordings`` or of their paraphrases."""
        paraphrases = self._by.paraphrases
        options = list(wordings) if paraphrases is None else paraphrases.extended(wordings, wordings[0].facts)
        if len(options) < 2:
            return options[0]
        written, everything = len(wordings), range(len(options))
        match = MatchSet(
            [wording.key for wording in options],
            WORDING_FEATURES,
            lambda rows: self._features(kind, [options[row] for row in rows]),
            [wording.text for wording in options],
        )
        sources: dict[str, Source] = {"wordings": lambda: everything[:written]}
        if len(options) > written:
            sources["paraphrases"] = lambda: everything[written:]
        choice = self._by.selector.choose(kind, self._query(), sources, match, everything, self._rng)
        return options[self._noted(choice)]

    def venue(self, fits: NDArray[np.bool_], wishes: int) -> int:
        """The entity to offer of those that ``fits`` (E,) allows, at least one."""
        person = self.state.feedback
        matching = fits & ~self._refused(fits, person.refused)
        everything = np.flatnonzero(matching).tolist()
        venues, tastes = self._by.venues, person.tastes
        sources = venues.sources(tastes, matching)
        match = venues.match(tastes, wishes, int(self.state.belief.offered[0].sum()), self.state.id)
        choice = self._by.selector.choose(VENUES, self._query(), sources, match, everything, self._rng, tastes)
        return self._noted(choice)

    def event(self, timestamp: float) -> tuple[Selected, ...]:
        """The turn's slates as an event; none where nothing was to be chosen."""
        return (Selected(timestamp, tuple(self.slates)),) if self.slates else ()

    def _noted(self, choice: Choice | None) -> int:
        if choice is None:
            return 0
        if choice.slate is not None:
            self.slates.append(choice.slate)
        return choice.number

    def _query(self) -> str:
        return f"{self._seq}-{self._before + len(self.slates)}"

    def _refused(self, fits: NDArray[np.bool_], names: Sequence[str]) -> NDArray[np.bool_]:
        """(E,) what this person turned down in this dialogue; nothing where that is all there is."""
        refused = np.zeros(len(fits), dtype=np.bool_)
        index = self._by.venues.ontology.entity_index
        refused[[index[name.lower()] for name in names if name.lower() in index]] = True
        return refused if (fits & ~refused).any() else np.zeros(len(fits), dtype=np.bool_)

    def _features(self, kind: str, wordings: Sequence[Wording]) -> NDArray[np.float64]:
        keys = [wording.key for wording in wordings]
        rows = np.empty((len(wordings), len(WORDING_FEATURES)))
        for row, wording in zip(rows, wordings, strict=True):
            text = wording.text
            row[:4] = len(text.split()), len(text), text.count("?"), text.count("!")
        rows[:, 4] = np.log1p(self._by.behaviour.shown(kind, keys))
        rows[:, 5] = self._by.behaviour.rates(kind, keys)
        rows[:, 6:] = self.state.mood, float(self.state.belief.turn[0])
        return rows


def grounding(ontology: Ontology, state: Conversation, action: str) -> BeliefState:
    """The belief that ``action`` is grounded in: an offer does not stay with a venue of an earlier dialogue, nor with
    one that was turned down in this one, unless the user has named it just now.
    """
    belief, current = state.belief, int(state.belief.venue[0])
    if action != "offer" or current < 0 or belief.venue_confidence[0] < 1:
        return belief
    name = ontology.entity_names[current]
    if state.feedback.afresh or name in state.feedback.refused:
        return replace(belief, venue=np.full_like(belief.venue, -1))
    return belief


def preferred_venue(
    choices: TurnChoices, space: ActionSpace, action: str, eligible: NDArray[np.bool_] | None
) -> NDArray[np.float32] | None:
    """(E,) scores for ``ActionSpace.ground``: highest for the venue to offer; None where there is nothing to choose.

    What may be offered stays the action space's business: what fits all wishes, for an alternative nothing that was
    offered before, and a venue under discussion that fits is kept.
    """
    if action not in OFFERS:
        return None
    belief = grounding(space.ontology, choices.state, action)
    wanted = space.matcher.accepted(belief, space.thresholds.accept)
    fits = space.matcher.matches(wanted, eligible)[0]
    if action == "offer_alternative":
        fits = fits & ~belief.offered[0]
    elif _kept(space, belief, fits, eligible is not None):
        return None
    if int(fits.sum()) < 2:
        return None
    dontcare = space.matcher.dontcare
    score = np.zeros(len(fits), dtype=np.float32)
    score[choices.venue(fits, int(((wanted >= 0) & (wanted != dontcare)).sum()))] = 1.0
    return score


def _kept(space: ActionSpace, belief: BeliefState, fits: NDArray[np.bool_], narrowed: bool) -> bool:
    """Whether an offer stays with the venue under discussion."""
    current = int(belief.venue[0])
    if current < 0:
        return False
    if fits[current]:
        return True
    named = narrowed and bool(belief.venue_confidence[0] < 1)
    wanted = space.matcher.accepted(belief, space.thresholds.accept)
    return named and bool(space.matcher.matches(wanted)[0, current])
