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
"""The policy's name where all stories say the same upon an intent, or where an active loop waits for the message."""
SURE = 0.5
"""What was learned below this is more likely wrong than right: the stories' own words are asked first."""


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
        self._answers = _answers(examples)
        self._agreed = _agreed(examples, self._answers)
        heard = [example for example in examples if example.history[-1].previous_action == LISTEN]
        self._answered = frozenset((e.history[-1].active_loop, e.history[-1].intent) for e in heard)
        told = [(example.history[-1], example.action) for example in examples]
        self._paused = frozenset((now.active_loop, now.previous_action) for now, action in told if action == LISTEN)
        self._repeated = frozenset(e.action for e in examples if e.action in _done(e.history))

    def choose(self, situation: Situation) -> Choice:
        """The next action."""
        by_rule = self._by_rule(situation)
        if by_rule is not None and by_rule.action:
            return by_rule
        interrupted = by_rule is not None and by_rule.interrupted
        choice = self._by_story(situation) or self._unsure(situation)
        return replace(choice, interrupted=interrupted)

    def _by_story(self, situation: Situation) -> Choice | None:
        """Memory, then what was learned where that is sure, then what is likely to be meant; None: nobody knows."""
        visible, now = self.known(situation.visible), situation.full[-1]
        found = self._certain(self.memorised, situation, visible)
        if found is not None:
            return found
        heard = now.previous_action == LISTEN
        loop = now.active_loop
        if loop and situation.rejected_action != loop and self.loop_waits(situation):
            return self._going_on(loop)
        guess = self._guess(situation, visible)
        if guess is not None and guess.action == LISTEN and loop and (loop, now.previous_action) not in self._paused:
            return self._going_on(loop)  # a question in between was answered: the loop asks again, as after a rule
        if heard and (guess is None or guess.confidence < SURE):
            begun = self._certain(self.restarting, situation, visible)
            begun = begun or self._certain(self.restarting, situation, tuple(map(_outside, visible)))
            said = self._agreed.get(now.intent or "")
            if begun or (said and said != situation.rejected_action):
                return begun or self._doing(str(said))
        if guess is not None and (guess.confidence >= self.fallback.threshold or not self.fallback.enabled):
            return guess
        return self._certain(self.restarting, situation, visible)

    def _doing(self, action: str) -> Choice:
        return Choice(action, self.fallback.threshold, AGREED, scores={action: self.fallback.threshold})

    def _going_on(self, loop: str) -> Choice:
        """The active loop runs again; what no story tells of stays hidden from stories, as with rules."""
        return replace(self._doing(loop), hidden=self.rules is not None and loop not in self.rules.in_stories)

    def _certain(self, policy: MemorisedPolicy | None, situation: Situation, visible: History) -> Choice | None:
        """What memory says, unless it was just rejected."""
        action = policy.predict(visible).best[0] if policy is not None else None
        if policy is None or action is None or action == situation.rejected_action:
            return None
        return Choice(action, 1.0, policy.name, scores={action: 1.0})

    def _guess(self, situation: Situation, visible: History) -> Choice | None:
        """The most probable action that was not just rejected and, where no story repeats it, not yet done since the
        user spoke; upon a message only what some story answers to its intent."""
        if self.learned is None:
            return None
        prediction = self.learned.predict(_begun(visible))
        not_now = {situation.rejected_action, *(_done(situation.full) | _done(visible)) - self._repeated}
        scores = {action: p for action, p in prediction.probabilities.items() if action not in not_now}
        now = visible[-1]
        if now.previous_action == LISTEN and now.intent in self._answers:
            scores = {action: p for action, p in scores.items() if action in self._answers[now.intent]}
        if not scores:
            return None
        action = max(scores, key=lambda name: scores[name])
        return Choice(action, scores[action], prediction.policy, scores=scores)

    def loop_waits(self, situation: Situation) -> bool:
        """Whether the user speaks to the active loop, whatever was asked in between: no story says otherwise."""
        now, before = situation.full[-1], situation.full[-2:-1]
        heard = now.active_loop is not None and now.previous_action == LISTEN
        paused = any((now.active_loop, state.previous_action) in self._paused for state in before)
        return heard and not paused and (now.active_loop, now.intent) not in self._answered

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

    def _unsure(self, situation: Situation) -> Choice:
        """The fallback; where there is none or something was said already the loop goes on, else the bot listens."""
        before, loop = situation.full[-1].previous_action or "", situation.full[-1].active_loop
        said = before == self.fallback.action or before.startswith("utter_")
        action = self.fallback.action if self.fallback.enabled and not said else LISTEN
        if loop and before.startswith("utter_") and before != self.fallback.action:
            return self._going_on(loop)
        confidence = self.fallback.threshold if self.fallback.enabled else 0.0
        who = self.rules.name if self.rules is not None else "fallback"
        return Choice(action, confidence, who, hidden=True, scores={action: confidence})

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


def _done(history: History) -> set[str | None]:
    """The actions since the user spoke; listening, while nothing else was done."""
    done: set[str | None] = {history[-1].previous_action}
    for state in reversed(history):
        if state.previous_action in (LISTEN, None):
            break
        done.add(state.previous_action)
    return done


def _outside(state: StoryState) -> StoryState:
    """The state as if no loop were active."""
    slots = {name: feature for name, feature in state.slots.items() if name != "requested_slot"}
    return replace(state, slots=slots, active_loop=None, requested_slot=None)


def _answers(examples: Sequence[StoryExample]) -> dict[str, set[str]]:
    """What stories do upon an intent, wherever it is said."""
    told: dict[str, set[str]] = {}
    for example in examples:
        state = example.history[-1]
        if state.intent and state.text is None and state.previous_action in (LISTEN, None):
            told.setdefault(state.intent, set()).add(example.action)
    return told


def _agreed(examples: Sequence[StoryExample], answers: Mapping[str, set[str]]) -> dict[str, str]:
    """For each intent what all stories say to it; left out where they differ, and where some do more than speak before
    they listen: saying something in a situation that no story has is harmless, an order without its question is not."""
    doing = {
        _heard(example.history)
        for example in examples
        if example.action != LISTEN and not example.action.startswith("utter_")
    }
    only = {intent: next(iter(actions)) for intent, actions in answers.items() if len(actions) == 1}
    return {intent: said for intent, said in only.items() if said.startswith("utter_") and intent not in doing}


def _heard(history: History) -> str | None:
    """The intent of the message that is being answered."""
    told = (state.intent for state in reversed(history) if state.previous_action in (LISTEN, None))
    return next(told, None)
