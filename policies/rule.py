"""A handcrafted policy: the baseline to beat, the teacher that fills the replay, and the fallback in serving."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from memory.belief import METHOD, BeliefState, top_values
from memory.ontology import DISCOURSE_ACTS, BoolArray, IntArray, Ontology
from memory.turn import KIND, FloatArray
from policies.actions import ActionSpace
from policies.policy import PolicyOutput

_OFFERING = (KIND["offer"], KIND["alternative"], KIND["offer_none"], KIND["alternative_none"])
_DISCOURSE = {act: d for d, act in enumerate(DISCOURSE_ACTS)}


@dataclass(frozen=True, slots=True)
class RuleThresholds:
    """``known``: a slot needs no more asking; ``doubtful``: below it a value is ignored rather than confirmed;
    ``near``: a gap between first and second best that calls for select; ``few``: so many matches need no narrowing;
    ``enough``: so many known slots are enough to offer; ``sure_booking``: book without confirming above it.
    """  # fmt: skip

    known: float = 0.7
    doubtful: float = 0.3
    near: float = 0.2
    few: int = 3
    enough: int = 3
    sure_booking: float = 0.9


class RulePolicy:
    """Decides by the first rule that applies, in the order of ``_rules``; deterministic, propensity 1."""

    name = "rule"
    version = "1"

    def __init__(
        self, ontology: Ontology, space: ActionSpace | None = None, thresholds: RuleThresholds | None = None
    ) -> None:
        self.ontology = ontology
        self.space = space or ActionSpace(ontology)
        self.thresholds = thresholds or RuleThresholds()

    def act(self, belief: BeliefState, masks: BoolArray, rng: np.random.Generator) -> PolicyOutput:
        """See ``Policy.act``; ``values`` are all NaN since rules have no notion of worth."""
        actions = self.choose(belief, masks)
        values = np.full(masks.shape, np.nan, dtype=np.float32)
        return PolicyOutput(actions, values, np.ones(belief.batch, dtype=np.float32))

    def choose(self, belief: BeliefState, masks: BoolArray) -> IntArray:
        """(B,) the action of the first applicable rule, else the first allowed action."""
        chosen: IntArray = np.argmax(masks, axis=1).astype(np.int32)
        decided = np.zeros(belief.batch, dtype=np.bool_)
        rows = np.arange(belief.batch)
        for condition, action in self._rules(belief):
            applies = ~decided & condition & (action >= 0)
            applies &= masks[rows, np.maximum(action, 0)]
            chosen[applies] = action[applies]
            decided |= applies
        return chosen

    def _rules(self, belief: BeliefState) -> list[tuple[BoolArray, IntArray]]:
        """(condition (B,), action (B,)) pairs, most urgent first; action -1 means "none"."""
        always = np.ones(belief.batch, dtype=np.bool_)
        method, discourse = belief.method, belief.discourse
        fits, count = self._venue_fits(belief)
        asked = (belief.requested > self.space.thresholds.accept).any(axis=1)
        booking = method[:, METHOD["booking"]] > 0.5
        polite = discourse[:, _DISCOURSE["thankyou"]] + discourse[:, _DISCOURSE["ack"]] > 0.5
        _, first = top_values(self.ontology, belief)
        enough = (first > self.thresholds.known).sum(axis=1) >= self.thresholds.enough
        search = [
            (~fits, self._doubtful(belief)),
            (~fits & ((count <= self.thresholds.few) | enough), self._is("offer", belief)),
            (~fits, self._first("request", self.ontology.slots, self._unknown(belief, first))),
            (~fits, self._is("offer", belief)),
        ]
        undecided = fits & (method[:, METHOD["byconstraints"]] > 0.5)
        offering = np.isin(belief.last.kind, _OFFERING)
        return [
            (method[:, METHOD["finished"]] > 0.5, self._is("bye", belief)),
            (asked & (fits | (method[:, METHOD["byname"]] > 0.5)), self._is("answer", belief)),
            *self._booking_rules(belief, booking & (fits | (belief.last.kind == KIND["request_open"]))),
            (polite & fits, self._is("reqmore", belief)),
            (method[:, METHOD["byalternatives"]] > 0.5, self._is("offer_alternative", belief)),
            *search,
            (undecided & offering, self._is("offer_alternative", belief)),
            (undecided & (belief.last.kind == KIND["reqmore"]), self._is("offer", belief)),
            (always, self._is("reqmore", belief)),
        ]

    def _unknown(self, belief: BeliefState, first: FloatArray) -> BoolArray:
        """(B, S) slots worth asking for: not known yet, and not the one just asked for in vain."""
        just_asked = (belief.last.kind == KIND["request"])[:, None] & (
            belief.last.slot[:, None] == np.arange(len(self.ontology.slots))
        )
        unknown: BoolArray = (first <= self.thresholds.known) & ~just_asked
        return unknown

    def _booking_rules(self, belief: BeliefState, booking: BoolArray) -> list[tuple[BoolArray, IntArray]]:
        opens = self.ontology.open_slots
        if not opens:
            return []
        certain = belief.open_confidence.min(axis=1) > self.thresholds.sure_booking
        missing = belief.open_confidence <= self.space.thresholds.accept
        return [
            (booking, self._first("request", opens, missing)),
            (booking & (certain | (belief.booking_confirmed > 0.5)), self._is("book", belief)),
            (booking, self._is("confirm_booking", belief)),
        ]

    def _venue_fits(self, belief: BeliefState) -> tuple[BoolArray, IntArray]:
        """(B,) whether the venue under discussion satisfies all accepted values; (B,) how many entities do."""
        matcher = self.space.matcher
        matches = matcher.matches(matcher.accepted(belief, self.space.thresholds.accept))
        rows, venue = np.arange(belief.batch), np.maximum(belief.venue, 0)
        known = (belief.venue >= 0) & (belief.venue_confidence > 0.5)
        return known & matches[rows, venue], matches.sum(axis=1, dtype=np.int32)

    def _doubtful(self, belief: BeliefState) -> IntArray:
        """(B,) confirm or select for the first slot whose top value is neither known nor negligible, else -1."""
        t = self.thresholds
        _, first = top_values(self.ontology, belief)
        _, second = top_values(self.ontology, belief, rank=1)
        doubt = (first > t.doubtful) & (first <= t.known) & (belief.confirmed <= 0.5)
        select = self._first("select", self.ontology.slots, doubt & (first - second < t.near))
        confirm = self._first("confirm", self.ontology.slots, doubt)
        return np.where(select >= 0, select, confirm).astype(np.int32)

    def _first(self, kind: str, slots: tuple[str, ...], flags: BoolArray) -> IntArray:
        actions = np.array([self.space.index[f"{kind}_{slot}"] for slot in slots], dtype=np.int32)
        return np.where(flags.any(axis=1), actions[np.argmax(flags, axis=1)], -1).astype(np.int32)

    def _is(self, name: str, belief: BeliefState) -> IntArray:
        return np.full(belief.batch, self.space.index[name], dtype=np.int32)
