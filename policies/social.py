"""What is not the task: greetings, small talk, questions of the FAQ, complaints, and what was not understood.

A rule policy over acts: it covers a turn or hands it to the task policy by returning None. Social turns leave the
task's pending question open, so that a digression never loses the thread.
"""

from __future__ import annotations

from dataclasses import dataclass

from memory.conversation import Conversation
from memory.dialogue import NLUResult
from memory.ontology import Ontology
from memory.turn import KIND

TASK_ACTS = ("inform", "deny", "request", "confirm", "reqalts", "book")
_ANSWERABLE = tuple(
    KIND[kind]
    for kind in ("request", "confirm", "select", "offer", "alternative", "offer_none", "confirm_booking", "reqmore",
                 "answer", "alternative_none", "request_open", "booked", "booking_failed")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SocialThresholds:
    """When an act counts, when a mood is bad, and when a person should take over."""

    act: float = 0.4
    out_of_scope: float = 0.5
    upset_below: float = -0.45
    handoff_after: int = 3


@dataclass(frozen=True, slots=True)
class SocialDecision:
    """A social action with its topic (FAQ or small-talk id), and whether to repeat the pending question."""

    action: str
    topic: str | None = None
    resume: bool = False


class SocialPolicy:
    """Decides before the task policy does; see ``decide``."""

    name = "social"

    def __init__(self, ontology: Ontology, thresholds: SocialThresholds | None = None) -> None:
        self.ontology = ontology
        self.thresholds = thresholds or SocialThresholds()

    def upset(self, state: Conversation, nlu: NLUResult) -> bool:
        """Whether the user sounds upset now: a complaint, or a bad mood that this message does not lift."""
        return self._best(nlu).get("complaint", 0) > self.thresholds.act or (
            state.mood < self.thresholds.upset_below and nlu.sentiment < 0
        )

    def decide(self, state: Conversation, nlu: NLUResult) -> SocialDecision | None:
        """The social action for this turn, or None when the task policy should answer.

        ``state`` is the conversation after the user's turn.
        """
        best = self._best(nlu)
        said = {act for act, p in best.items() if p > self.thresholds.act}
        if state.pending == "handoff_offer" and said & {"affirm", "negate"}:
            return SocialDecision("handoff") if "affirm" in said else SocialDecision("handoff_declined", resume=True)
        for act in ("handoff", "restart", "help", "repeat"):
            if act in said:
                return SocialDecision(act, resume=act == "help")
        if "complaint" in said and (state.complaints > 1 or not said & set(TASK_ACTS)):
            return SocialDecision("handoff_offer")
        if "cancel" in said and not said & {"inform", "book"}:
            return SocialDecision("cancel_booking" if state.bookings else "cancel")
        if said & set(TASK_ACTS):
            return self._about_task(state, said)
        return self._smalltalk(state, nlu, said) or self._not_understood(state, nlu, said, best)

    def _best(self, nlu: NLUResult) -> dict[str, float]:
        best: dict[str, float] = {}
        for scored in nlu.acts:
            best[scored.act.type] = max(best.get(scored.act.type, 0.0), scored.confidence)
        return best

    def _about_task(self, state: Conversation, said: set[str]) -> SocialDecision | None:
        belief = state.belief
        known_venue = belief.venue[0] >= 0
        if "book" in said and not known_venue and "inform" not in said and belief.goals.max() < 0.5:
            return SocialDecision("booking_unknown_venue")
        if "book" in said and belief.booked[0] and not said & {"inform", "reqalts"}:
            return SocialDecision("already_booked")
        if said & {"request", "confirm"} and not known_venue and not said & {"inform", "reqalts", "book"}:
            return SocialDecision("answer_unknown") if belief.goals.max() < 0.5 else None
        return None

    def _smalltalk(self, state: Conversation, nlu: NLUResult, said: set[str]) -> SocialDecision | None:
        for act in ("faq", "chitchat"):
            if act in said:
                topics = [s for s in nlu.acts if s.act.type == act]
                topic = max(topics, key=lambda s: s.confidence).act.slot
                return SocialDecision(act, topic, resume=True)
        if "bye" in said:
            return SocialDecision("bye")
        if "thankyou" in said:
            return SocialDecision("thankyou")
        if said & {"affirm", "negate", "dontcare", "ack"} and int(state.belief.last.kind[0]) in _ANSWERABLE:
            return None
        if "hello" in said:
            return SocialDecision("hello", resume=True)
        if said & {"ack", "affirm", "negate"}:
            return SocialDecision("help")
        return None

    def _not_understood(
        self, state: Conversation, nlu: NLUResult, said: set[str], best: dict[str, float]
    ) -> SocialDecision | None:
        out = max(nlu.out_of_scope, best.get("out_of_scope", 0.0)) > self.thresholds.out_of_scope
        if not out and (said or any(best.get(act, 0.0) > 0.15 for act in TASK_ACTS)):
            return None
        if state.misunderstood + 1 >= self.thresholds.handoff_after:
            return SocialDecision("handoff_offer")
        return SocialDecision("out_of_scope" if out else "ask_rephrase", resume=out)
