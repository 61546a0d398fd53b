"""Who decides: rules before memory before what was learned, and the fallback when nobody is sure.

Rasa takes the highest confidence and then the priority; rules and memory are certain, so the order is the same. What
was just rejected counts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from policies.stories.memorised import MemorisedPolicy
from policies.stories.rules import RulePolicy
from policies.stories.state import LISTEN, History, StoryExample, StoryPolicy, StoryState

FALLBACK = "action_default_fallback"
AGREED = "agreed"
"""The policy's name where all stories say the same upon an intent."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known before an action: the history in full (for rules) and as stories see it, and what was rejected."""

    full: History
    visible: History
    loop_rejected: bool = False
    rejected_action: str | None = None

    def rejected(self) -> Situation:
        """The situation after the active loop has rejected the message."""
        return replace(self, loop_rejected=True, rejected_action=self.full[-1].active_loop)


@dataclass(frozen=True, slots=True)
class Choice:
    """The next action, how sure and who said so.

    ``interrupted``: the loop must not read this message; ``hidden``: stories know nothing of this turn; ``scores``: a
    probability per action.
    """

    action: str
    confidence: float
    policy: str
    interrupted: bool = False
    hidden: bool = False
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FallbackSettings:
    """Below ``threshold`` the policies do ``action`` (config.yml's ``core_fallback_threshold`` and its neighbours)."""

    threshold: float = 0.3
    action: str = FALLBACK
    enabled: bool = True


class StoryEnsemble:
    """The policies of one project; pure.

    Args:
        rules: decide first; None when the project doesn't use them.
        memorised: decides where a story matches exactly.
        learned: decides elsewhere.
        restarting: decides where nobody else is sure: does another story begin here?
        fallback: what happens below its threshold.
        examples: the stories' decisions: slots and loops that no story mentions are kept from ``memorised`` and
            ``learned``, for they can know nothing of them. Where nobody is sure, what all of them say upon the user's
            intent goes before the fallback.
    """

    def __init__(
        self,
        rules: RulePolicy | None,
        memorised: MemorisedPolicy | None = None,
        learned: StoryPolicy | None = None,
        restarting: MemorisedPolicy | None = None,
        fallback: FallbackSettings | None = None,
        examples: Sequence[StoryExample] = (),
    ) -> None:
        self.rules = rules
        self.memorised = memorised
        self.learned = learned
        self.restarting = restarting
        self.fallback = fallback or FallbackSettings()
        states = [example.history[-1] for example in examples]
        self._slots = frozenset(name for state in states for name in state.slots)
        self._loops = frozenset(state.active_loop for state in states)
        self._agreed = _agreed(examples)

    def choose(self, situation: Situation) -> Choice:
        """The next action."""
        by_rule = self._by_rule(situation)
        if by_rule is not None and by_rule.action:
            return by_rule
        interrupted = by_rule is not None and by_rule.interrupted
        visible = self.known(situation.visible)
        for policy in (self.memorised, self.learned, self.restarting):
            if policy is None:
                continue
            prediction = policy.predict(_begun(visible) if policy is self.learned else visible)
            scores = {a: p for a, p in prediction.probabilities.items() if a != situation.rejected_action}
            if not scores:
                continue
            action = max(scores, key=lambda name: scores[name])
            if prediction.certain or not self.fallback.enabled or scores[action] >= self.fallback.threshold:
                return Choice(action, scores[action], prediction.policy, interrupted, scores=scores)
        said = self._agreed.get(visible[-1].intent or "") if visible[-1].previous_action == LISTEN else None
        if said is not None and said != situation.rejected_action:
            return Choice(said, self.fallback.threshold, AGREED, interrupted, scores={said: self.fallback.threshold})
        return self._unsure(situation, interrupted)

    def _by_rule(self, situation: Situation) -> Choice | None:
        if self.rules is None:
            return None
        found = self.rules.decide(situation.full, loop_rejected=situation.loop_rejected)
        if found.action is not None and found.action == situation.rejected_action:
            other = self.rules.without(found.action, situation.full)
            found = replace(other, interrupted=found.interrupted)
        if found.action is None:
            return Choice("", 0.0, self.rules.name, found.interrupted)
        hidden = found.source not in self.rules.in_stories
        return Choice(found.action, 1.0, self.rules.name, found.interrupted, hidden, {found.action: 1.0})

    def _unsure(self, situation: Situation, interrupted: bool) -> Choice:
        """The fallback; the bot waits for the user where there is none or something was said already."""
        before = situation.full[-1].previous_action or ""
        said = before == self.fallback.action or before.startswith("utter_")
        action = self.fallback.action if self.fallback.enabled and not said else LISTEN
        confidence = self.fallback.threshold if self.fallback.enabled else 0.0
        who = self.rules.name if self.rules is not None else "fallback"
        return Choice(action, confidence, who, interrupted, hidden=True, scores={action: confidence})

    def known(self, history: History) -> History:
        """The history without slots and loops that no story mentions."""
        return tuple(map(self._known, history))

    def _known(self, state: StoryState) -> StoryState:
        loop = state.active_loop if state.active_loop in self._loops else None
        if loop == state.active_loop and self._slots.issuperset(state.slots):
            return state
        slots = {name: feature for name, feature in state.slots.items() if name in self._slots}
        return replace(state, slots=slots, active_loop=loop)


def _begun(history: History) -> History:
    """The history without the empty state before the first action: networks are not trained on it."""
    return history[1:] if len(history) > 1 and history[0].previous_action is None else history


def _agreed(examples: Sequence[StoryExample]) -> dict[str, str]:
    """For each intent what all stories say to it; left out where they differ, and where they do more than speak:
    saying something in a situation that no story has is harmless, an order without its question is not."""
    told: dict[str, set[str]] = {}
    for example in examples:
        state = example.history[-1]
        if state.intent and state.text is None and state.previous_action in (LISTEN, None):
            told.setdefault(state.intent, set()).add(example.action)
    only = {intent: next(iter(actions)) for intent, actions in told.items() if len(actions) == 1}
    return {intent: action for intent, action in only.items() if action.startswith("utter_")}
